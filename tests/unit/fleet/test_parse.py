"""hosts.yaml: valid content becomes a Fleet; all errors are reported at once, with their lines."""

from __future__ import annotations

import pytest

from aerodrome.errors import InvalidInput
from aerodrome.fleet.model import Airflow, Broker, Database, Deploy, Fleet, Host, RoleSettings, Ssh
from aerodrome.secrets import Reference, Secret
from tests.unit.fleet.hosts_yaml import KEY, SMALL, fleet, problems
from tests.unit.make import parse


def test_every_key() -> None:
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
def test_possible_brokers(more: str) -> None:
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


def test_omitted_keys_have_the_defaults_of_fleet() -> None:
    assert fleet(SMALL + "airflow:\ndatabase:\nbroker:\ndeploy:\nssh:\n") == fleet(SMALL)
    assert fleet(SMALL.replace("[w1]", "{hosts: [w1], environment: , config: {}}")) == fleet(SMALL)
    got = fleet(SMALL)
    assert got.hosts["w1"] == Host("w1", "10.0.0.3")
    assert (got.airflow, got.database, got.deploy, got.ssh) == (Airflow(), Database(), Deploy(), Ssh())


def test_every_mistake_is_reported_in_the_order_of_lines() -> None:
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
