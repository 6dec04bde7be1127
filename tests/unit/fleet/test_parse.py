"""hosts.yaml: what it may say becomes a Fleet; what it may not is said by line, all of it at once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from aerodrome.errors import InvalidInput
from aerodrome.fleet.keys import fleet_keys
from aerodrome.fleet.model import Airflow, Backup, Broker, Database, Deploy, Fleet, Host, RoleSettings, Ssh
from aerodrome.fleet.schema import Either, List, Map, Table
from aerodrome.secrets import Reference, Secret
from tests.unit.make import COMPONENTS, parse

SHIPPED = Path(__file__).parents[3] / "hosts.yaml"
KEY = "A" * 43 + "="

# Lines 1 to 5; what a test adds begins on line 6.
SMALL = """\
roles: {database: [db1], scheduler: [s1], webserver: [s1], worker: [w1]}
hosts:
  db1: {address: 10.0.0.1}
  s1: {address: 10.0.0.2}
  w1: {address: 10.0.0.3}
"""


def fleet(text: str) -> Fleet:
    return parse(text, "hosts.yaml", base="/fleet")


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        fleet(text)
    return caught.value.problems


def test_everything_that_can_be_said() -> None:
    got = fleet(f"""\
ssh: {{user: ops, port: 2222, key: keys/fleet, sudo_password: !prompt , known_hosts: k, connect_timeout: 3}}
hosts:
  db1:
    address: 2001:DB8:0::1
    user: root
    port: 22
    key: ~/.ssh/db
    sudo_password: "p #1"
  s1:
    address: 10.0.0.2
  w1:
    address: 10.0.0.3
    jump: s1
    worker: {{queues: [default, big.reports], concurrency: 4}}
    environment: {{HTTPS_PROXY: http://proxy}}
  spare: {{address: 10.0.0.4}}
roles:
  database: [db1]
  scheduler: [s1, w1]
  dag-processor: [w1]
  triggerer: []
  webserver: [s1]
  worker: [w1]
airflow:
  distribution: astronomer-certified
  version: 3.1.0
  executor: CeleryExecutor
  extras: [postgres, celery]
  python: /usr/bin/python3.12
  user: air_flow
  home: /srv/airflow/
  lock: locks/mine.txt
  pinned: yes
  index_url: https://user:pw@index.example.com/simple/
  extra_index_url: !env INDEX
  web_port: 8081
  web_workers: 2
  base_url: https://airflow.example.com/a
  config_file: /etc/here/airflow.cfg
  environment:
    PLAIN: a b$c%d#e;f "ü"
    NUMBER: 1_000
    OCTAL: 010
    POINT: 1.10
    DATE: 2026-01-01
    TRUTH: true
    QUOTED: "no"
    NOTHING: ''
    LINES: "a\\n\\tb"
    SECRET: !command "vault kv get 'a b'"
  config:
    core: {{parallelism: 64}}
    common.io: {{path: !file p}}
  fernet_key: {KEY},{KEY}
  secret_key: !file keys/secret
  jwt_secret: !env JWT
database: {{name: meta, user: meta-rw, port: 5433, password: !prompt , install: no}}
deploy:
  parallel: 3
  drain_timeout: 4
  health_timeout: 5
  migration_timeout: 6
  lock_timeout: 7
  probe_timeout: 8
  change_timeout: 9
  output_limit: 10
  dns: false
  dags: dags
  keep_releases: 11
""")

    def reference(kind: str, argument: str, line: int, key: str) -> Reference:
        return Reference(kind, argument, f"hosts.yaml:{line}: {key}", "/fleet")  # type: ignore[arg-type]

    sudo = reference("prompt", "ssh.sudo_password", 1, "ssh.sudo_password")
    ops = {"user": "ops", "port": 2222, "key": "/fleet/keys/fleet", "sudo_password": sudo}
    assert got == Fleet(
        source="hosts.yaml",
        hosts={
            "db1": Host("db1", "2001:db8::1", key="~/.ssh/db", sudo_password=Secret("p #1")),
            "s1": Host("s1", "10.0.0.2", **ops),  # type: ignore[arg-type]
            "w1": Host(
                "w1",
                "10.0.0.3",
                jump="s1",
                of_role={"worker": {"queues": ("default", "big.reports"), "concurrency": 4}},
                environment={"HTTPS_PROXY": "http://proxy"},
                **ops,  # type: ignore[arg-type]
            ),
            "spare": Host("spare", "10.0.0.4", **ops),  # type: ignore[arg-type]
        },
        roles={
            "database": ("db1",),
            "redis": (),
            "scheduler": ("s1", "w1"),
            "dag-processor": ("w1",),
            "triggerer": (),
            "webserver": ("s1",),
            "worker": ("w1",),
        },
        services=("database", "redis"),
        airflow=Airflow(
            distribution="astronomer-certified",
            version="3.1.0",
            executor="CeleryExecutor",
            extras=("postgres", "celery"),
            python="/usr/bin/python3.12",
            service="astronomer-certified",
            user="air_flow",
            home="/srv/airflow",
            lock="/fleet/locks/mine.txt",
            pinned=True,
            index_url=Secret("https://user:pw@index.example.com/simple/"),
            extra_index_url=reference("env", "INDEX", 35, "airflow.extra_index_url"),
            web_port=8081,
            web_workers=2,
            base_url="https://airflow.example.com/a",
            config_file="/etc/here/airflow.cfg",
            environment={
                "PLAIN": 'a b$c%d#e;f "ü"',
                "NUMBER": "1_000",
                "OCTAL": "010",
                "POINT": "1.10",
                "DATE": "2026-01-01",
                "TRUTH": "True",
                "QUOTED": "no",
                "NOTHING": "",
                "LINES": "a\n\tb",
                "SECRET": reference("command", "vault kv get 'a b'", 50, "airflow.environment.SECRET"),
            },
            config={
                "core": {"parallelism": "64"},
                "common.io": {"path": reference("file", "p", 53, "airflow.config.common.io.path")},
            },
            fernet_key=Secret(f"{KEY},{KEY}"),
            secret_key=reference("file", "keys/secret", 55, "airflow.secret_key"),
            jwt_secret=reference("env", "JWT", 56, "airflow.jwt_secret"),
        ),
        database=Database(
            "meta", "meta-rw", 5433, reference("prompt", "database.password", 57, "database.password"), False
        ),
        deploy=Deploy(3, 4, 5, 6, 7, False, "/fleet/dags", 11, 8, 9, 10),
        ssh=Ssh("/fleet/k", 3),
    )


def test_a_fleet_whose_secrets_are_in_a_store_and_whose_database_is_not_ours() -> None:
    got = fleet("""\
hosts:
  s1:
    address: 10.0.0.2
    config: {core: {parallelism: 8}}
  w1: {address: 10.0.0.3}
roles:
  scheduler: {hosts: [s1], environment: {ZONE: !env ZONE}}
  webserver: {hosts: [s1], config: {webserver: {page_size: 50}, core: }}
  worker: {hosts: [w1]}
airflow:
  constraints: constraints.txt
  fernet_key_command: "vault kv get -field=fernet_key 'secret/air flow'"
database: {managed: false, host: pg.example.com, port: 5433, connection_command: vault dsn}
broker: {url_command: vault broker, result_backend_command: vault results}
""")
    assert (got.roles["database"], got.roles["redis"]) == ((), ())
    assert (got.roles["scheduler"], got.roles["webserver"], got.roles["worker"]) == (("s1",), ("s1",), ("w1",))
    zone = Reference("env", "ZONE", "hosts.yaml:7: roles.scheduler.environment.ZONE", "/fleet")
    assert got.role_settings == {
        "scheduler": RoleSettings(environment={"ZONE": zone}),
        "webserver": RoleSettings(config={"webserver": {"page_size": "50"}, "core": {}}),
    }
    assert got.hosts["s1"].config == {"core": {"parallelism": "8"}}
    assert got.airflow == Airflow(
        constraints="/fleet/constraints.txt",
        fernet_key_command="vault kv get -field=fernet_key 'secret/air flow'",
    )
    assert got.database == Database(port=5433, managed=False, host="pg.example.com", connection_command="vault dsn")
    assert got.broker == Broker(url_command="vault broker", result_backend_command="vault results")


def test_redis_and_a_result_backend_of_its_own() -> None:
    redis = "redis: [db1], scheduler"
    got = fleet(
        SMALL.replace("scheduler", redis, 1)
        + """\
database: {connection_command: vault dsn, password: hunter2}
broker: {password: !env REDIS, port: 6380, result_backend: 'redis://:hunter2@10.0.0.9/1'}
"""
    )
    assert got.roles["redis"] == ("db1",)
    assert got.database == Database(password=Secret("hunter2"), connection_command="vault dsn")
    password = Reference("env", "REDIS", "hosts.yaml:7: broker.password", "/fleet")
    assert got.broker == Broker(password=password, port=6380, result_backend=Secret("redis://:hunter2@10.0.0.9/1"))
    assert "hunter2" not in repr(got)


@pytest.mark.parametrize(
    "more",
    [
        "broker: {url: 'amqp://airflow:p%40ss@10.0.0.9:5672/airflow'}",
        "broker: {url: !env BROKER_URL, result_backend: !file results}",
        "broker: {result_backend: 'db+mysql://u:p@10.0.0.9/a'}",
        "broker:",
        "database: {connection_command: v}\nbroker: {url: 'amqp://10.0.0.9', result_backend_command: w}",
        "airflow: {version: 2.11.2}\ndatabase: {connection_command: v}\nbroker: {url: 'amqp://10.0.0.9'}",
        "airflow: {version: 1.10.10}\ndatabase: {connection_command: v}\n"
        "broker: {url_command: w, result_backend_command: x}",
    ],
)
def test_brokers_that_can_be(more: str) -> None:
    assert fleet(SMALL + more).hosts == fleet(SMALL).hosts


@pytest.mark.parametrize(
    "more",
    [
        "database: {managed: false, host: pg, password: x}",
        "database: {managed: false, host: 10.0.0.9, password: x, install: no}",
        "database: {managed: false, host: '2001:db8::9', connection_command: v}",
    ],
)
def test_a_database_that_is_not_ours_and_tasks_on_the_scheduler(more: str) -> None:
    local = SMALL.replace("database: [db1], ", "").replace(", worker: [w1]", "")
    got = fleet(local + "airflow: {executor: LocalExecutor}\n" + more)
    assert got.roles["database"] == ()


def test_what_is_left_out_has_the_defaults_of_fleet() -> None:
    assert fleet(SMALL + "airflow:\ndatabase:\nbroker:\ndeploy:\nssh:\n") == fleet(SMALL)
    assert fleet(SMALL.replace("[w1]", "{hosts: [w1], environment: , config: {}}")) == fleet(SMALL)
    got = fleet(SMALL)
    assert got.hosts["w1"] == Host("w1", "10.0.0.3")
    assert (got.airflow, got.database, got.deploy, got.ssh) == (Airflow(), Database(), Deploy(), Ssh())


@pytest.mark.parametrize(
    "version, dag_processor, triggerer",
    [("3.3.2", ("s1",), ("s1",)), ("2.11.2", (), ("s1",)), ("1.10.10.*", (), ())],
)
def test_the_first_scheduler_takes_the_roles_that_its_airflow_has(
    version: str, dag_processor: tuple[str, ...], triggerer: tuple[str, ...]
) -> None:
    got = fleet(SMALL + f"airflow: {{version: {version}}}")
    assert (got.roles["dag-processor"], got.roles["triggerer"]) == (dag_processor, triggerer)


def test_where_backups_are_kept_and_how_many() -> None:
    assert fleet(SMALL).backup == Backup(7, "/var/lib/aerodrome/backups")
    assert fleet(SMALL + "backup: {keep: 30, directory: /srv/backups}").backup == Backup(30, "/srv/backups")


def test_the_shipped_file_is_the_practice_fleet() -> None:
    got = parse(SHIPPED.read_text(), "hosts.yaml", base="/fleet")
    demo = "/fleet/.lab/demo"
    assert [(host.name, host.address, host.user, host.jump) for host in got.hosts.values()] == [
        ("db1", "10.213.77.11", "root", None),
        ("sched1", "10.213.77.12", "ops", None),
        ("web1", "10.213.77.13", "ops", None),
        ("worker1", "10.213.77.14", "root", None),
        ("worker2", "10.213.77.15", "ops", "sched1"),
    ]
    assert {host.key for host in got.hosts.values()} == {f"{demo}/id_ed25519"}
    assert got.ssh.known_hosts == f"{demo}/known_hosts"
    assert [host.name for host in got.hosts.values() if host.sudo_password] == ["web1"]
    assert [got.hosts[name].of_role["worker"] for name in got.roles["worker"]] == [
        {"queues": ("default",), "concurrency": 2},
        {"queues": ("default", "reports"), "concurrency": 2},
    ]
    assert got.airflow == Airflow(web_workers=1)
    assert got.deploy.dags == "/fleet/examples/dags"


def test_the_shipped_file_explains_every_key() -> None:
    def keys(kind: object) -> set[str]:
        if isinstance(kind, Table):
            return set(kind.fields).union(*(keys(field) for field in kind.fields.values()))
        if isinstance(kind, Either):
            return keys(kind.short) | keys(kind.table)
        return keys(kind.item) if isinstance(kind, Map | List) else set()

    explained = set(re.findall(r"^ *(?:# +(?:or )?)?([a-z_-]+):", SHIPPED.read_text(), re.MULTILINE))
    assert keys(fleet_keys(COMPONENTS.values())) - explained == set()


def test_the_examples_of_the_shipped_file_are_valid() -> None:
    """What stands behind a # can be used by taking the # away."""
    lines = SHIPPED.read_text().splitlines()
    text = "\n".join(re.sub(r"^( *)# ( *[A-Za-z0-9_-]+:)", r"\1\2", line) for line in lines[14:])
    got = parse(text, "hosts.yaml", base="/fleet", resolve=lambda reference: "x")
    assert got.airflow.config == {"core": {"parallelism": "64"}}
    assert got.hosts["worker2"].environment == {"HTTPS_PROXY": "http://proxy.example.com:3128"}
    assert got.roles["triggerer"] == ("sched1",)
    assert got.database == Database(password=got.database.password)
    assert got.deploy == Deploy(dags="/fleet/examples/dags")


ALTERNATIVES = """\
  constraints: constraints.txt
  fernet_key_command: "vault kv get -field=fernet_key secret/airflow"
database:
  managed: false
  host: pg.example.com
  connection_command: "vault kv get -field=dsn secret/airflow-db"
broker:
  url_command: "vault kv get -field=broker secret/airflow"
  result_backend_command: "vault kv get -field=results secret/airflow"
"""


def test_the_alternatives_of_the_shipped_file_are_valid() -> None:
    """What stands behind `# or` can be used in place of what it stands beside."""
    given = {line.strip() for line in ALTERNATIVES.splitlines()}
    lines = re.findall(r"^ *# or (\w+: .*)", SHIPPED.read_text(), re.MULTILINE)
    worker, *said = [re.sub(r" +# .*", "", line).rstrip() for line in lines]
    url = "url: !env BROKER_URL"
    assert set(said) - {url} <= given
    assert url in said
    got = fleet(SMALL.replace("worker: [w1]", worker.replace("worker1, worker2", "w1")).replace("database: [db1], ", "")
                + "airflow:\n" + ALTERNATIVES)  # fmt: skip
    assert got.broker.url_command
    assert got.role_settings["worker"].config == {"celery": {"task_acks_late": "True"}}
    assert fleet(SMALL + f"broker: {{{url}}}").broker.url == Reference(
        "env", "BROKER_URL", "hosts.yaml:6: broker.url", "/fleet"
    )


def test_every_mistake_is_said_in_the_order_of_lines() -> None:
    assert problems("""\
airflow:
  verson: 3.3.2
  web_port: "8080"
hosts:
  db1: {address: 10.0.0.1, user: a b}
  db2: {address: 10.0.0.1}
  db2: {adress: 10.0.0.9}
roles:
  database: [db1]
  scheduler: []
  webserver: [db11]
""") == [
        "hosts.yaml:2: airflow.verson: unknown key; did you mean version?",
        "hosts.yaml:3: airflow.web_port: is text, not a whole number; "
        "expected a number from 1024 to 65535 (lower ones need root), without quotes",
        "hosts.yaml:5: hosts.db1.user: 'a b' is not valid; expected a login name of letters, digits and . _ @ -",
        "hosts.yaml:7: hosts.db2: set twice, first on line 6; keep only one",
        "hosts.yaml:7: hosts.db2.adress: unknown key; did you mean address?",
        "hosts.yaml:7: hosts.db2: address is missing; expected an IP address, or a name if deploy.dns is true",
        "hosts.yaml:8: roles.worker: CeleryExecutor needs a worker; name a host, or set executor: LocalExecutor",
        "hosts.yaml:10: roles.scheduler: no host has this role; name one, as in scheduler: [db1]",
        "hosts.yaml:11: roles.webserver: no host is named db11; did you mean db1?",
    ]


VALUE = 'expected text, a number, true or false, !env NAME, !file PATH or !command "program argument …"'
ANY_REFERENCE = '!env NAME or !file PATH or !command "program argument …"'
COMMAND = 'expected a command on the nodes, such as "vault kv get -field=dsn secret/airflow-db"'
OWN_HOME = "use a directory of Airflow's own, such as /usr/local/airflow"
HOME = "expected an absolute path of letters, digits and . _ + -, to a directory of Airflow's own"


@pytest.mark.parametrize(
    "added, problem",
    [
        ("backup: {keep: 0}", "backup.keep: 0 is not valid; expected a number from 1 to 1000"),
        ("backup: {directory: backups}", "backup.directory: 'backups' is not valid; expected an absolute path of "
         "letters, digits and . _ + -, to a directory for backups"),
        ("backup: {directory: /var/lib/postgresql}", "backup.directory: /var/lib/postgresql belongs to the system, as "
         "does everything in /var/lib/postgresql; use a directory of its own, such as /var/lib/aerodrome/backups"),
        ("backup: {directory: /srv}", "backup.directory: /srv is shared with other software; use a directory of its "
         "own, such as /var/lib/aerodrome/backups"),
        ("backup: {directory: /usr/local/airflow/logs}", "backup.directory: /usr/local/airflow is AIRFLOW_HOME, parts "
         "of which belong to the service user; use another directory"),
        ("backup: {schedule: '24:00'}", "backup.schedule: '24:00' is not valid; expected a time of day in "
         "quotes, such as \"03:00\""),
        ("backup: {times: 3}", "backup.times: unknown key; known: keep, directory, schedule"),
        # the shape
        ("bogus: 1", "bogus: unknown key; known: hosts, roles, ssh, airflow, database, broker, network, deploy, "
         "backup"),
        ("deploy: [1]", "deploy: is a list, not a mapping; expected the keys of the section deploy"),
        ("deploy: {? [a] : 1}", "deploy: has a key that is not text; expected the keys of the section deploy"),
        ("deploy: !file x", "deploy: is a reference, not a mapping; expected the keys of the section deploy"),
        ("  x: 10.0.0.9", "hosts.x: is text, not a mapping; expected an address, as in {address: 10.0.0.1}"),
        # wrong types
        ("airflow: {version: 3.3}",
         "airflow.version: is a decimal number, not text; expected an Airflow version such "
         "as 3.3.2, 2.11.2 or 1.10.10 (supported: 1.10, 2 from 2.3, and 3), in quotes"),
        ("airflow: {user: yes}", "airflow.user: is a boolean, not text; expected a Linux user of lowercase letters, "
         "digits, _ and -, other than root and aerodrome, in quotes"),
        ("airflow: {pinned: maybe}", "airflow.pinned: is text, not a boolean; expected true or false"),
        ("airflow: {extras: postgres}",
         "airflow.extras: is text, not a list; expected a list of extras: [postgres, celery]"),
        ("deploy: {parallel: 1.5}",
         "deploy.parallel: is a decimal number, not a whole number; expected a number from 1 to 1000"),
        ("deploy: {parallel: }",
         "deploy.parallel: is empty, not a whole number; expected a number from 1 to 1000"),
        ("database: {port: 022}", "database.port: 022 is not valid; expected a number from 1 to 65535"),
        ("database: {port: 22:30}", "database.port: 22:30 is not valid; expected a number from 1 to 65535"),
        ("database: {port: 65536}", "database.port: 65536 is not valid; expected a number from 1 to 65535"),
        ("deploy: {health_timeout: 0}",
         "deploy.health_timeout: 0 is not valid; expected a number from 1 to 86400 (seconds)"),
        # names that end up in commands and files
        ("airflow: {executor: KubernetesExecutor}",
         "airflow.executor: 'KubernetesExecutor' is not valid; expected CeleryExecutor or LocalExecutor"),
        ("airflow: {version: 4.0.0}",
         "airflow.version: '4.0.0' is not valid; expected an Airflow version such as "
         "3.3.2, 2.11.2 or 1.10.10 (supported: 1.10, 2 from 2.3, and 3)"),
        # 2.0 to 2.2 have their database under [core], where nothing of ours would be read
        ("airflow: {version: 2.2.5}",
         "airflow.version: '2.2.5' is not valid; expected an Airflow version such as "
         "3.3.2, 2.11.2 or 1.10.10 (supported: 1.10, 2 from 2.3, and 3)"),
        ("airflow: {user: root}",
         "airflow.user: 'root' is not valid; expected a Linux user of lowercase letters, digits, _ "
         "and -, other than root and aerodrome"),
        ("airflow: {user: aerodrome}",
         "airflow.user: 'aerodrome' is not valid; expected a Linux user of lowercase letters, "
         "digits, _ and -, other than root and aerodrome"),
        ("airflow: {service: 'a;b'}",
         "airflow.service: 'a;b' is not valid; expected a unit name of lowercase letters, digits and -"),
        ("airflow: {home: /usr/local/}", f"airflow.home: /usr/local/ is shared with other software; {OWN_HOME}"),
        ("airflow: {home: /etc/systemd/}",
         f"airflow.home: /etc/systemd/ belongs to the system, as does everything in /etc; {OWN_HOME}"),
        ("airflow: {service: ssh}",
         "airflow.service: ssh is the name of a system service; choose another, such as airflow"),
        ("airflow: {home: /srv/../etc}", f"airflow.home: '/srv/../etc' is not valid; {HOME}"),
        ("airflow: {home: '/srv/a b'}", f"airflow.home: '/srv/a b' is not valid; {HOME}"),
        ("airflow: {home: '/srv/%h'}", f"airflow.home: '/srv/%h' is not valid; {HOME}"),
        ("airflow: {home: srv}", f"airflow.home: 'srv' is not valid; {HOME}"),
        ("airflow: {home: \"/srv/a\\n\"}", f"airflow.home: '/srv/a\\n' is not valid; {HOME}"),
        ("airflow: {python: python3 -v}", "airflow.python: 'python3 -v' is not valid; "
         "expected a command such as python3.11, or its absolute path"),
        ("airflow: {base_url: airflow.example.com}", "airflow.base_url: 'airflow.example.com' is not valid; "
         "expected a URL that starts with http:// or https://"),
        ("airflow: {web_port: 80}",
         "airflow.web_port: 80 is not valid; expected a number from 1024 to 65535 (lower ones need root)"),
        ("database: {name: template1}", "database.name: 'template1' is not valid; "
         "expected a database name of letters, digits and _ $ -, not one of PostgreSQL's own"),
        ("database: {user: postgres}", "database.user: 'postgres' is not valid; "
         "expected a database user of letters, digits and _ $ -, not one of PostgreSQL's own"),
        ("database: {user: \"a'b\"}", "database.user: \"a'b\" is not valid; "
         "expected a database user of letters, digits and _ $ -, not one of PostgreSQL's own"),
        ("  Web_1: {address: 10.0.0.9}", "hosts.Web_1: the name is not valid; "
         "expected a host name of lowercase letters, digits and -, such as worker1"),
        ("  localhost: {address: 10.0.0.9}", "hosts.localhost: the name is not valid; "
         "expected a host name of lowercase letters, digits and -, such as worker1"),
        ("  10.0.0.9: {address: 10.0.0.9}", "hosts.10.0.0.9: the name is not valid; "
         "expected a host name of lowercase letters, digits and -, such as worker1"),
        ("  x: {address: 10.0.0.9, user: -oProxyCommand}",
         "hosts.x.user: '-oProxyCommand' is not valid; expected a login name of letters, digits and . _ @ -"),
        ("  x: {address: 10.0.0.9, worker: {queues: ['a,b']}}",
         "hosts.x.worker.queues: 'a,b' is not valid; expected a queue name of letters, digits and . _ -"),
        ("  x: {address: 10.0.0.9, worker: {queues: [a, a]}}",
         "hosts.x.worker.queues: ais listed twice; keep only one"),
        # addresses
        ("  x: {address: 10.0.0.256}", "hosts.x.address: '10.0.0.256' is not valid; "
         "expected an IP address, or a name if deploy.dns is true"),
        ("  x: {address: x.example.com}", "hosts.x.address: x.example.com is a name; "
         "use an IP address for /etc/hosts, or set deploy.dns: true"),
        ("  x: {address: 10.0.0.3}",
         "hosts.x.address: w1 also has 10.0.0.3; each host needs its own address"),
        ("  x: {address: 127.0.0.1}",
         "hosts.x.address: 127.0.0.1 cannot be reached from other hosts; use the host's own address"),
        # jump hosts
        ("  x: {address: 10.0.0.9, jump: w2}", "hosts.x.jump: no host is named w2; known: db1, s1, w1, x"),
        ("  x: {address: 10.0.0.9, jump: x}",
         "hosts.x.jump: the jump hosts form a loop, x → x; connect to one of them directly"),
        # secrets are not shown, references are looked at
        ("database: {password: 123456}",
         "database.password: is a whole number, not text; expected a password, in quotes"),
        ("database: {password: ''}", "database.password: is not valid; expected a password"),
        ("database: {password: {a: b}}", "database.password: is a mapping, not text; expected a password"),
        ("database: {password: !hunter2 }", f"database.password: starts with ! but is not a known tag; "
         f"use {ANY_REFERENCE} or !prompt, or quote the text"),
        ("database: {password: !env [A]}", f"database.password: starts with ! but is not a known tag; "
         f"use {ANY_REFERENCE} or !prompt, or quote the text"),
        ("database: {password: !env A B}",
         "database.password: !env has no valid argument; use !env NAME"),
        ("database: {password: !file }",
         "database.password: !file has no valid argument; use !file PATH"),
        ('database: {password: !file "a\\0"}',
         "database.password: !file has no valid argument; use !file PATH"),
        ("database: {password: !command \"a 'b\"}", "database.password: !command has no "
         'valid argument; use !command "program argument …"'),
        ('database: {password: "a\\0b"}',
         "database.password: contains a control character; only tabs and newlines are allowed"),
        ("airflow: {fernet_key: hunter2}",
         "airflow.fernet_key: is not valid; expected 32 bytes as URL-safe base64 "
         "(43 characters and =), or several, separated by commas"),
        ("ssh: {sudo_password: \"a\\nb\"}", "ssh.sudo_password: is not valid; expected a one-line password"),
        ("airflow: {web_port: !prompt }",
         f"airflow.web_port: !prompt is only for secrets; use {ANY_REFERENCE}, or the value itself"),
        ("airflow: {web_port: !env PORT}",
         "airflow.web_port: !env cannot be looked up here; use the value itself"),
        # environment and config
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
        # what is installed
        ("airflow: {lock: l, pinned: false}",
         "airflow.lock: not used if pinned is false; remove one of the two"),
        ("airflow: {constraints: c, pinned: false}",
         "airflow.constraints: not used if pinned is false; remove one of the two"),
        ("airflow: {lock: l, constraints: c}",
         "airflow.constraints: lock is set too; remove one of the two"),
        # commands of the nodes
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
        # the broker
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
        # a database that is not ours
        ("database: {host: pg}", "database.host: the database runs on the host with the role "
         "database; remove it, or set managed: false"),
        ("database: {managed: true, host: -h}", "database.host: '-h' is not valid; "
         "expected the address or name of the database server"),
    ],
)  # fmt: skip
def test_a_mistake(added: str, problem: str) -> None:
    assert problems(SMALL + added) == [f"hosts.yaml:6: {problem}"]


@pytest.mark.parametrize(
    "roles, airflow, problem",
    [
        ("scheduler: [s1], webserver: [s1], worker: [w1]", "",
         "roles.database: no host has this role; name one, as in database: [db1]"),
        ("database: [db1], webserver: [s1], worker: [w1]", "",
         "roles.scheduler: no host has this role; name one, as in scheduler: [db1]"),
        ("database: [db1], scheduler: [s1], worker: [w1]", "",
         "roles.webserver: no host has this role; name one, as in webserver: [db1]"),
        ("database: [db1], scheduler: [s1], webserver: [s1]", "",
         "roles.worker: CeleryExecutor needs a worker; name a host, or set executor: "
         "LocalExecutor"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: [w1]", "executor: LocalExecutor",
         "roles.worker: LocalExecutor does not use workers; remove them, or set executor: CeleryExecutor"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: [w1, w1]", "",
         "roles.worker: w1is listed twice; keep only one"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: [w1, wrkr]", "",
         "roles.worker: no host is named wrkr; known: db1, s1, w1"),
        ("database: [db1], scheduler: [s1], webserver: s1, worker: [w1]", "",
         "roles.webserver: is text, not a list; expected a list of hosts: [worker1, worker2]"),
        ("database: [db1], scheduler: [s1], webserver: [s1], workers: [w1], worker: [w1]", "",
         "roles.workers: unknown key; did you mean worker?"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: [w1], dag-processor: []", "",
         "roles.dag-processor: no host has this role, and Airflow 3 cannot read DAGs without it; name one, or omit "
         "the role"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: [w1], dag-processor: [s1]",
         "version: 2.11.2",
         "roles.dag-processor: Airflow 2.11 has no separate dag-processor; remove the role"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: [w1], triggerer: [s1]",
         "version: 1.10.10",
         "roles.triggerer: Airflow 1.10 has no separate triggerer; remove the role"),
        ("database: [db1], scheduler: [s1, w1], webserver: [s1], worker: [w1]", "version: 1.10.10",
         "roles.scheduler: Airflow 1.10 supports only one scheduler; name one host"),
        # tables
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: {environment: {A: b}}", "",
         "roles.worker: hosts is missing; expected a list of hosts: [worker1, worker2]"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: {hosts: []}", "",
         "roles.worker: CeleryExecutor needs a worker; name a host, or set executor: "
         "LocalExecutor"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: {hosts: w1}", "",
         "roles.worker.hosts: is text, not a list; expected a list of hosts: [worker1, worker2]"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: {hosts: [w1], env: {}}", "",
         "roles.worker.env: unknown key; known: hosts, environment, config, sandbox, read_write_paths"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: {hosts: [wrkr]}", "",
         "roles.worker: no host is named wrkr; known: db1, s1, w1"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: {hosts: [w1], environment: {AIRFLOW_HOME: /}}", "",
         "roles.worker.environment.AIRFLOW_HOME: Aerodrome sets this itself; set airflow.home"),
        ("database: [db1], scheduler: [s1], webserver: [s1], worker: {hosts: [w1], config: {celery: {broker_url: x}}}",
         "", "roles.worker.config.celery.broker_url: Aerodrome sets this itself; set broker.url"),
        ("database: {hosts: [db1], config: {core: {a: b}}}, scheduler: [s1], webserver: [s1], worker: [w1]", "",
         "roles.database: this role supports only hosts:, because it does not run Airflow; remove "
            "the rest"),
        # one of each
        ("database: [db1, s1], scheduler: [s1], webserver: [s1], worker: [w1]", "",
         "roles.database: only one host can have this role; name one"),
        ("database: [db1], redis: [db1, s1], scheduler: [s1], webserver: [s1], worker: [w1]", "",
         "roles.redis: only one host can have this role; name one"),
        ("database: [db1], redis: [db1], scheduler: [s1], webserver: [s1]", "executor: LocalExecutor",
         "roles.redis: LocalExecutor does not use a broker; remove the role"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_roles(roles: str, airflow: str, problem: str) -> None:
    hosts = SMALL.partition("\n")[2]
    assert problems(f"roles: {{{roles}}}\nairflow: {{{airflow}}}\n{hosts}") == [f"hosts.yaml:1: {problem}"]


REST = "scheduler: [s1], webserver: [s1]"


@pytest.mark.parametrize(
    "roles, sections, wrong",
    [
        (f"{REST}, worker: [w1]", "database: {managed: false}", [
            "6: database.managed: false, but the database's address is unknown; set database.host",
            "6: database.managed: false, but there is no login; set database.password or database.connection_command",
        ]),
        (f"{REST}, worker: [w1]", "database: {managed: false, host: pg, password: x}\nbackup: {keep: 3}", [
            "7: backup: not used if database.managed is false: whoever manages the database backs it up; remove the "
            "section",
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


def test_a_circle_of_jump_hosts_is_said_of_each() -> None:
    assert problems(SMALL + """\
  a: {address: 10.0.1.1, jump: b}
  b: {address: 10.0.1.2, jump: c}
  c: {address: 10.0.1.3, jump: b}
""") == [
        "hosts.yaml:7: hosts.b.jump: the jump hosts form a loop, b → c → b; connect to one of them directly",
        "hosts.yaml:8: hosts.c.jump: the jump hosts form a loop, c → b → c; connect to one of them directly",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text, problem",
    [
        ("# nothing\n", "1: the file is empty; expected the sections hosts: and roles:, "
         "and optionally ssh:, airflow:, database:, broker:, network:, deploy:, backup:"),
        ("- a", "1: is a list, not a mapping; expected the sections hosts: and roles:, "
         "and optionally ssh:, airflow:, database:, broker:, network:, deploy:, backup:"),
        ("hosts:\n  a: b: c\n", "2: invalid YAML: mapping values are not allowed here; "
         "indent with spaces, and quote special characters"),
        ("hosts:\n\ta: b\n",
         "2: invalid YAML: while scanning for the next token found character '\\t' that cannot start "
         "any token; indent with spaces, and quote special characters"),
        ("hosts:\n  a: \x01",
         "2: invalid YAML: contains a control character; only tabs and newlines are allowed"),
        ("a: 1\n---\nb: 1\n",
         "2: invalid YAML: expected a single document in the stream but found another document; "
         "indent with spaces, and quote special characters"),
        ("hosts: {a: b\nc: d}", "2: invalid YAML: while parsing a flow mapping expected ',' or '}', but got ':'; "
         "indent with spaces, and quote special characters"),
        ("database: {password: *hunter2}", "1: invalid YAML: found undefined alias …; "
         "indent with spaces, and quote special characters"),
        ("database: {password: !hunter!2 x}",
         "1: invalid YAML: while parsing a node found undefined tag handle …; "
         "indent with spaces, and quote special characters"),
    ],
)  # fmt: skip
def test_what_is_not_yaml_is_one_mistake(text: str, problem: str) -> None:
    assert problems(text) == [f"hosts.yaml:{problem}"]


def test_sections_that_must_be_there() -> None:
    assert problems("airflow:\n") == [
        "hosts.yaml:1: hosts is missing; expected hosts, each with its address",
        "hosts.yaml:1: roles is missing; expected the roles "
        "(database, redis, scheduler, dag-processor, triggerer, webserver, worker), each with its hosts",
    ]


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


def test_references_are_looked_up_at_once_only_where_the_fleet_needs_them() -> None:
    asked: list[str] = []

    def resolve(reference: Reference) -> str:
        asked.append(reference.where)
        return {"DB": "10.9.9.9", "PORT": "2222"}[reference.argument]

    text = SMALL + "  x: {address: !env DB, port: !env PORT, sudo_password: !env S}\ndatabase: {password: !env P}"
    got = parse(text, "hosts.yaml", resolve=resolve)
    assert (got.hosts["x"].address, got.hosts["x"].port) == ("10.9.9.9", 2222)
    assert asked == ["hosts.yaml:6: hosts.x.address", "hosts.yaml:6: hosts.x.port"]


def test_what_a_reference_gives_is_checked_and_not_shown() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(SMALL + "airflow: {user: !env U}", "hosts.yaml", resolve=lambda reference: "hunter2 x")
    assert caught.value.problems == [
        "hosts.yaml:6: airflow.user: the value from !env is not valid; "
        "expected a Linux user of lowercase letters, digits, _ and -, other than root and aerodrome"
    ]


def test_a_failed_lookup_is_one_mistake_of_all() -> None:
    def resolve(reference: Reference) -> str:
        raise InvalidInput(f"{reference.where}: !env U: the variable is not set")

    with pytest.raises(InvalidInput) as caught:
        parse(SMALL + "airflow: {user: !env U}\nbogus:", "hosts.yaml", resolve=resolve)
    assert [problem.partition(" ")[0] for problem in caught.value.problems] == [
        "hosts.yaml:6:",
        "hosts.yaml:7:",
    ]


def test_no_secret_is_in_a_message_or_a_repr() -> None:
    got = fleet(SMALL + "database: {password: hunter2}\nairflow: {secret_key: hunter2}\nssh: {sudo_password: hunter2}")
    assert "hunter2" not in repr(got)


def test_an_alias_says_a_value_again() -> None:
    more = "  x: {address: 10.0.0.8, worker: &big {concurrency: 32}}\n  y: {address: 10.0.0.9, worker: *big}"
    got = fleet(SMALL + more)
    assert got.hosts["y"].of_role == got.hosts["x"].of_role == {"worker": {"concurrency": 32}}


ONE_HOST = """\
hosts: {one: {address: 10.0.0.1}, two: {address: 10.0.0.2}}
roles: {database: [one], redis: [one], scheduler: [one], webserver: [one], worker: [one, two]}
"""


@pytest.mark.parametrize(
    "added, told",
    [
        ("airflow: {web_port: 6379}",
         "3: airflow.web_port: the web server and Redis would both listen on port 6379 of one"),
        ("broker: {port: 5432}", "3: broker.port: Redis and PostgreSQL would both listen on port 5432 of one"),
        ("broker: {port: 8080}", "3: broker.port: the web server and Redis would both listen on port 8080 of one"),
        ("airflow: {web_port: 8793}",
         "3: airflow.web_port: the worker's log server and the web server would both listen on port 8793 of one"),
        ("airflow: {web_port: 8794}",
         "3: airflow.web_port: the triggerer's log server and the web server would both listen on port 8794 of one"),
        ("airflow: {config: {logging: {worker_log_server_port: 8080}}}",
         "3: airflow.config.logging.worker_log_server_port: "
         "the worker's log server and the web server would both listen on port 8080 of one"),
        ("airflow: {config: {celery: {worker_log_server_port: 8080}}}",  # its name in 1.10
         "3: airflow.config.celery.worker_log_server_port: "
         "the worker's log server and the web server would both listen on port 8080 of one"),
        ("airflow: {environment: {AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT: 8080}}",
         "3: airflow.environment.AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT: "
         "the worker's log server and the web server would both listen on port 8080 of one"),
    ],
)  # fmt: skip
def test_two_roles_of_a_host_cannot_listen_on_one_port(added: str, told: str) -> None:
    assert problems(ONE_HOST + added) == [f"hosts.yaml:{told}; choose another"]


@pytest.mark.parametrize(
    "added",
    [
        "",
        "airflow: {web_port: 8793, config: {logging: {worker_log_server_port: 8080}}}",
        "airflow: {web_port: 8793, environment: {AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT: !env PORT}}",
        "airflow: {version: 2.5.3, web_port: 8794}",  # whose triggerer has no log server
        "airflow: {web_port: 8792}",
    ],
)
def test_ports_that_differ_or_are_not_known_here_are_no_mistake(added: str) -> None:
    assert fleet(ONE_HOST + added).hosts


def test_hosts_of_their_own_may_have_the_same_port() -> None:
    assert fleet(SMALL + "airflow: {web_port: 5432}").airflow.web_port == 5432
    local = "roles: {database: [one], scheduler: [two], webserver: [two]}\nhosts: {one: {address: 10.0.0.1}, "
    local += "two: {address: 10.0.0.2}}\nairflow: {executor: LocalExecutor, web_port: 8793}"
    (told,) = problems(local)
    assert told.endswith(
        "the scheduler's log server and the web server would both listen on port 8793 of two; choose another"
    )


@pytest.mark.parametrize(
    "home, problem",
    [
        ("/", "is shared"), ("/opt", "is shared"), ("/home/", "is shared"), ("/var/lib", "is shared"),
        ("/usr", "is shared"), ("/etc/airflow", "belongs to the system"), ("/usr/bin", "in /usr/bin;"),
        ("/usr/local/bin", "in /usr/local/bin;"), ("/lib64/x", "in /lib64;"), ("/run/x", "in /run;"),
        ("/proc/1", "in /proc;"), ("/root/airflow", "in /root;"), ("/tmp/airflow", "in /tmp;"),
        ("/var/lib/postgresql/15", "in /var/lib/postgresql;"), ("/opt/aerodrome", "in /opt/aerodrome;"),
        ("/usr/local/airflow", ""), ("/usr/localx", ""), ("/opt/airflow", ""), ("/home/astro/airflow", ""),
        ("/srv/airflow", ""), ("/var/lib/airflow", ""), ("/data", ""), ("/etcetera", ""), ("/airflow/etc", ""),
    ],
)  # fmt: skip
def test_homes_that_belong_to_the_system(home: str, problem: str) -> None:
    if problem:
        (told,) = problems(SMALL + f"airflow: {{home: {home}}}")
        assert problem in told or "is not valid" in told
    else:
        assert fleet(SMALL + f"airflow: {{home: {home}}}").airflow.home == home


SYSTEM_UNITS = [
    "ssh",
    "sshd",
    "getty",
    "serial-getty",
    "postgresql",
    "postgresql-15",
    "systemd-x",
    "user",
    "dbus",
    "cron",
]


@pytest.mark.parametrize("name", [*SYSTEM_UNITS, "redis-server", "nginx"])
def test_units_that_belong_to_the_system(name: str) -> None:
    (told,) = problems(SMALL + f"airflow: {{service: {name}}}")
    assert told.startswith(f"hosts.yaml:6: airflow.service: {name} is the name of a system service; choose another")


@pytest.mark.parametrize("name", ["airflow", "astronomer-certified", "data-team", "user-events", "a2", "sshd2"])
def test_units_that_do_not(name: str) -> None:
    assert fleet(SMALL + f"airflow: {{service: {name}}}").airflow.service == name


@pytest.mark.parametrize(
    "added",
    [
        "airflow: {web_port: %s}" % ("9" * 5000),
        "airflow: {service: %s}" % ("a" * 5000),
        "airflow: {%s: 1}" % ("b" * 5000),
        "airflow: {executor: %s}" % ("c" * 5000),
        "database: {port: !!binary aGk=}",
        "database: {name: !!binary aGk=}",
        "database: {name: !!python/object:os.system x}",
    ],
)
def test_a_value_of_any_length_and_type_is_a_mistake_of_one_short_line(added: str) -> None:
    (told,) = problems(SMALL + added)
    assert told.startswith("hosts.yaml:6: ")
    assert len(told) < 400


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 1000])
def test_what_is_nested_too_deep_ends_no_process(text: str) -> None:
    # In a process of its own: libyaml's composer overflows the stack.
    program = "import sys; from aerodrome.fleet.parse import parse; parse(sys.stdin.read(), 'hosts.yaml', ())"
    done = subprocess.run(
        [sys.executable, "-c", program], input=text, capture_output=True, text=True, cwd=SHIPPED.parent, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "aerodrome.errors.InvalidInput: hosts.yaml:1: invalid YAML: nested more than 100 levels deep; "
    )


def test_many_hosts_are_not_deep() -> None:
    hosts = "".join(f"  h{number}: {{address: 10.0.{number // 250}.{number % 250 + 1}}}\n" for number in range(300))
    assert (
        len(fleet(f"hosts:\n{hosts}roles: {{database: [h1], scheduler: [h1], webserver: [h1], worker: [h2]}}").hosts)
        == 300
    )
