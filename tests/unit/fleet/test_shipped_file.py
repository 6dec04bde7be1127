"""The hosts.yaml of this repository: the practice fleet, every key explained, and every example valid."""

from __future__ import annotations

import re

from aerodrome.fleet.keys import fleet_keys
from aerodrome.fleet.model import Airflow, Database, Deploy
from aerodrome.fleet.schema import Either, List, Map, Table
from aerodrome.secrets import Reference
from tests.unit.fleet.hosts_yaml import SHIPPED, SMALL, fleet
from tests.unit.make import COMPONENTS, parse


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
    """A commented-out example is valid once its # is removed."""
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
    """The text after `# or` is valid in place of the text before it."""
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
