"""Keys that are valid by themselves but do not fit together, and settings that Aerodrome owns."""

from __future__ import annotations

import pytest

from tests.unit.fleet.hosts_yaml import ANY_REFERENCE, KEY, SMALL, fleet, problems

VALUE = 'expected text, a number, true or false, !env NAME, !file PATH or !command "program argument …"'
COMMAND = 'expected a command on the nodes, such as "vault kv get -field=dsn secret/airflow-db"'


@pytest.mark.parametrize(
    "added, problem",
    [
        ("  x: {address: 10.0.0.256}", "hosts.x.address: '10.0.0.256' is not valid; "
         "expected an IP address, or a name if deploy.dns is true"),
        ("  x: {address: x.example.com}", "hosts.x.address: x.example.com is a name; "
         "use an IP address for /etc/hosts, or set deploy.dns: true"),
        ("  x: {address: 10.0.0.3}",
         "hosts.x.address: w1 also has 10.0.0.3; each host needs its own address"),
        ("  x: {address: 127.0.0.1}",
         "hosts.x.address: 127.0.0.1 cannot be reached from other hosts; use the host's own address"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_address(added: str, problem: str) -> None:
    assert problems(SMALL + added) == [f"hosts.yaml:6: {problem}"]


@pytest.mark.parametrize(
    "added, problem",
    [
        ("  x: {address: 10.0.0.9, jump: w2}", "hosts.x.jump: no host is named w2; known: db1, s1, w1, x"),
        ("  x: {address: 10.0.0.9, jump: x}",
         "hosts.x.jump: the jump hosts form a loop, x → x; connect to one of them directly"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_jump_host(added: str, problem: str) -> None:
    assert problems(SMALL + added) == [f"hosts.yaml:6: {problem}"]


@pytest.mark.parametrize(
    "added, problem",
    [
        ("airflow: {environment: {A-B: x}}", "airflow.environment.A-B: the name is not valid; "
         "expected a name of letters, digits and _ that does not start with a digit"),
        ("airflow: {environment: {A: no}}",
         "airflow.environment.A: YAML reads no as a boolean; write true or false, or quote the text"),
        ("airflow: {environment: {A: }}",
         f"airflow.environment.A: is empty; {VALUE} (write '' for empty text)"),
        ("airflow: {environment: {A: [x]}}",
         f"airflow.environment.A: is a list; {VALUE} (write '' for empty text)"),
        ('airflow: {environment: {A: "\\e[2J"}}',
         "airflow.environment.A: contains a control character; only tabs and newlines are allowed"),
        ("airflow: {environment: {A: !prompt }}",
         f"airflow.environment.A: !prompt is only for secrets; use {ANY_REFERENCE}, or the value itself"),
        ("airflow: {environment: {PATH: /bin}}", "airflow.environment.PATH: Aerodrome sets this itself; "
         "remove it: the virtual environment's programs come first, then the system's"),
        ("  x: {address: 10.0.0.9, environment: {AIRFLOW_HOME: /a}}",
         "hosts.x.environment.AIRFLOW_HOME: Aerodrome sets this itself; set airflow.home"),
        ("airflow: {config: {core: {fernet_key: x}}}",
         "airflow.config.core.fernet_key: Aerodrome sets this itself; set airflow.fernet_key"),
        ("airflow: {config: {a b: {c: d}}}",
         "airflow.config.a b: the name is not valid; expected a section name of letters, digits, _ and ."),
        ("airflow: {config: {database: {sql_alchemy_conn_cmd: x}}}",
         "airflow.config.database.sql_alchemy_conn_cmd: Aerodrome sets this itself; set database.connection_command"),
        # by the name of another version, too
        ("airflow: {config: {webserver: {web_server_port: '1'}}}",
         "airflow.config.webserver.web_server_port: Aerodrome sets this itself; set airflow.web_port"),
        ("airflow: {environment: {AIRFLOW__CELERY__BROKER_URL: x}}",
         "airflow.environment.AIRFLOW__CELERY__BROKER_URL: Aerodrome sets this itself; set broker.url"),
        ("airflow: {environment: {AIRFLOW__CELERY__RESULT_BACKEND_CMD: x}}",
         "airflow.environment.AIRFLOW__CELERY__RESULT_BACKEND_CMD: Aerodrome sets this itself; "
         "set broker.result_backend_command"),
        ("  x: {address: 10.0.0.9, config: {core: {executor: x}}}",
         "hosts.x.config.core.executor: Aerodrome sets this itself; set airflow.executor"),
    ],
)  # fmt: skip
def test_a_mistake_in_environment_or_config(added: str, problem: str) -> None:
    assert problems(SMALL + added) == [f"hosts.yaml:6: {problem}"]


@pytest.mark.parametrize(
    "added, problem",
    [
        ("airflow: {lock: l, pinned: false}",
         "airflow.lock: not used if pinned is false; remove one of the two"),
        ("airflow: {constraints: c, pinned: false}",
         "airflow.constraints: not used if pinned is false; remove one of the two"),
        ("airflow: {lock: l, constraints: c}",
         "airflow.constraints: lock is set too; remove one of the two"),
    ],
)  # fmt: skip
def test_a_mistake_in_packages(added: str, problem: str) -> None:
    assert problems(SMALL + added) == [f"hosts.yaml:6: {problem}"]


@pytest.mark.parametrize(
    "added, problem",
    [
        (f"airflow: {{fernet_key: {KEY}, fernet_key_command: vault}}",
         "airflow.fernet_key_command: fernet_key is set too; remove one of the two"),
        ("airflow: {fernet_key_command: \"vault 'a\"}",
         f"airflow.fernet_key_command: \"vault 'a\" is not valid; {COMMAND}"),
        ("broker: {url_command: ''}", f"broker.url_command: '' is not valid; {COMMAND}"),
        ('broker: {url_command: "vault\\nid"}', f"broker.url_command: 'vault\\nid' is not valid; {COMMAND}"),
        ("broker: {result_backend_command: !env X}",
         "broker.result_backend_command: !env cannot be looked up here; use the value itself"),
        ("database: {connection_command: v}",
         "database.connection_command: this requires a broker; set broker.url_command "
         "or broker.url, or use the role redis"),
        ("database: {connection_command: v}\nbroker: {url_command: w}",
         "database.connection_command: Airflow 3 workers do not run it, and need a result backend; "
         "set broker.result_backend_command, or use the role redis"),
        ("broker: {separate: false}\nairflow: {version: 2.11.2}",
         "broker.separate: before Airflow 3, workers need the metadata database itself; remove it"),
        (f"database: {{name: {'n' * 57}}}",
         "database.name: too long: Celery's own has the same name plus _celery, and the limit is 63 characters"),
        ("database: {connection_command: v}\nairflow: {version: 1.10.10}\nbroker: {url_command: w}",
         "database.connection_command: with this, Airflow 1.10 needs a result backend; "
         "set broker.result_backend_command"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_command_on_the_nodes(added: str, problem: str) -> None:
    assert problems(SMALL + added) == [f"hosts.yaml:6: {problem}"]


@pytest.mark.parametrize(
    "added, problem",
    [
        ("broker: {ur: x}", "broker.ur: unknown key; did you mean url?"),
        ("broker: {url: 'hunter2:5672'}",
         "broker.url: is not valid; expected a URL such as amqp://airflow:PASSWORD@10.0.0.9:5672/airflow"),
        ("broker: {result_backend: hunter2}", "broker.result_backend: is not valid; "
         "expected a URL such as db+postgresql://airflow:PASSWORD@10.0.0.9/airflow"),
        ("broker: {url: 'amqp://a', url_command: v}",
         "broker.url_command: url is set too; remove one of the two"),
        ("broker: {result_backend: 'redis://a', result_backend_command: v}",
         "broker.result_backend_command: result_backend is set too; remove one of the two"),
        ("broker: {password: x}",
         "broker.password: used only by the role redis, which has no host; put it into broker.url"),
        ("broker: {port: 6380}",
         "broker.port: used only by the role redis, which has no host; put it into broker.url"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_broker(added: str, problem: str) -> None:
    assert problems(SMALL + added) == [f"hosts.yaml:6: {problem}"]


@pytest.mark.parametrize(
    "added, problem",
    [
        ("database: {host: pg}", "database.host: the database runs on the host with the role "
         "database; remove it, or set managed: false"),
        ("database: {managed: true, host: -h}", "database.host: '-h' is not valid; "
         "expected the address or name of the database server"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_database_managed_elsewhere(added: str, problem: str) -> None:
    assert problems(SMALL + added) == [f"hosts.yaml:6: {problem}"]


REST = "scheduler: [s1], webserver: [s1]"


@pytest.mark.parametrize(
    "roles, sections, wrong",
    [
        (f"{REST}, worker: [w1]", "database: {managed: false}", [
            "6: database.managed: false, but the database's address is unknown; set database.host",
            "6: database.managed: false, but there is no login; set database.password or database.connection_command",
        ]),
        (f"{REST}, worker: [w1]", "database: {managed: false, host: pg, password: x}\nbackup: {schedule: '03:00'}", [
            "7: backup.schedule: only the database's own host backs it up on schedule, and database.managed is false; "
            "remove it",
        ]),
        (f"{REST}, worker: [w1]", "database: {managed: false, host: pg, password: x, install: yes}", [
            "6: database.install: nothing is installed if managed is false; remove it",
        ]),
        (f"{REST}, worker: [w1], database: [db1]", "database: {managed: false, host: pg, password: x}", [
            "1: roles.database: database.managed is false; remove one of the two",
        ]),
        (f"{REST}, worker: [w1], database: [db1], redis: [db1]", "broker: {url: 'amqp://x', port: 6380}", [
            "6: broker.url: the role redis is the broker; remove one of the two",
        ]),
        (f"{REST}, worker: [w1], database: [db1], redis: [db1]", "broker: {url_command: v}", [
            "6: broker.url_command: the role redis is the broker; remove one of the two",
        ]),
        (f"{REST}, database: [db1]", "broker: {url: 'amqp://x', result_backend_command: v}\n"
         "airflow: {executor: LocalExecutor}", [
            "6: broker.url: LocalExecutor does not use a broker; remove it",
            "6: broker.result_backend_command: LocalExecutor does not use a broker; remove it",
        ]),
    ],
)  # fmt: skip
def test_sections_and_roles_that_do_not_fit(roles: str, sections: str, wrong: list[str]) -> None:
    hosts = SMALL.partition("\n")[2]
    assert problems(f"roles: {{{roles}}}\n{hosts}{sections}") == [f"hosts.yaml:{problem}" for problem in wrong]


def test_a_circle_of_jump_hosts_is_reported_of_each() -> None:
    assert problems(SMALL + """\
  a: {address: 10.0.1.1, jump: b}
  b: {address: 10.0.1.2, jump: c}
  c: {address: 10.0.1.3, jump: b}
""") == [
        "hosts.yaml:7: hosts.b.jump: the jump hosts form a loop, b → c → b; connect to one of them directly",
        "hosts.yaml:8: hosts.c.jump: the jump hosts form a loop, c → b → c; connect to one of them directly",
    ]  # fmt: skip


def test_names_are_addresses_when_dns_knows_them() -> None:
    got = fleet(SMALL + "  x: {address: x.example.com}\ndeploy: {dns: true}")
    assert got.hosts["x"].address == "x.example.com"


def test_one_address_may_have_several_ports() -> None:
    got = fleet(SMALL + "  x: {address: 10.0.0.3, port: 2222}\n")
    assert got.hosts["x"].port == 2222


def test_an_address_is_the_same_however_it_is_written() -> None:
    assert problems(SMALL + "  x: {address: '2001:db8::1'}\n  y: {address: '2001:DB8:0:0::1'}\n") == [
        "hosts.yaml:7: hosts.y.address: x also has 2001:DB8:0:0::1; each host needs its own address"
    ]


def test_a_port_of_ssh_counts_where_addresses_are_compared() -> None:
    text = SMALL + "  x: {address: 10.0.0.3, port: 2222}\nssh: {port: 2222}"
    assert problems(text) == ["hosts.yaml:6: hosts.x.address: w1 also has 10.0.0.3; each host needs its own address"]
