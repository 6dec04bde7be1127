"""Who logs in to the metadata database, and the login that each node tries."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from aerodrome.checks.login import DatabaseLogin
from aerodrome.components.login import database_login
from aerodrome.components.node import node
from aerodrome.fleet.model import Broker, Database
from aerodrome.secrets import Secret
from tests.unit.make import HOSTS, Shell, fleet, inputs, parameters

NOT_OURS = Database("my db", "me-too", 5433, managed=False, host="pg.example.com")


CONN = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


def login(version: str = "3.3.2", of: Database = NOT_OURS, host: str = "web1") -> DatabaseLogin:
    (step,) = database_login(inputs(fleet(version=version, database=of, service="ac")), HOSTS[host])
    assert step.name == "database.login"
    (check,) = step.requires
    assert isinstance(check, DatabaseLogin)
    return check


def test_a_database_of_ours_is_logged_in_to_by_airflow_alone() -> None:
    assert database_login(inputs(), HOSTS["web1"]) == []


def test_every_node_tries_the_login_once_it_has_python_and_credentials() -> None:
    assert login().server == "pg.example.com:5433"
    assert login().needs == "link /opt/aerodrome/ac/venv"


def test_a_worker_of_airflow_3_tries_the_login_only_where_celery_has_it() -> None:
    assert login(host="w1").program == login().program.replace("/ac-webserver ", "/ac-worker ")
    amqp = fleet(database=NOT_OURS, broker=Broker(url=Secret("amqp://b"), result_backend=Secret("redis://r")))
    assert database_login(inputs(amqp), HOSTS["w1"]) == []
    assert len(database_login(inputs(amqp), HOSTS["s1"])) == 1


def test_the_login_is_tried_before_the_credentials_are_written() -> None:
    names = [step.name for step in node(inputs(fleet(database=NOT_OURS)), HOSTS["w1"])]
    assert names[names.index("node.install") :] == [
        "node.install",
        "database.login",
        "node.unit",
        "node.environment",
        "node.dags",
    ]


def test_what_the_administrator_has_to_run_as_a_whole() -> None:
    assert login().grants == (
        "in psql, as a superuser:\n"
        '  CREATE ROLE "me-too" LOGIN;\n'
        '  \\password "me-too"\n'
        '  CREATE DATABASE "my db" OWNER "me-too" TEMPLATE template0 ENCODING \'UTF8\';\n'
        "in pg_hba.conf, before other lines; then SELECT pg_reload_conf();\n"
        '  host "my db" "me-too" 10.0.0.2/32 scram-sha-256\n'
        '  host "my db" "me-too" 10.0.0.3/32 scram-sha-256\n'
        '  host "my db" "me-too" 10.0.0.4/32 scram-sha-256\n'
        '  host "my db" "me-too" 10.0.0.5/32 scram-sha-256'
    )


@pytest.mark.parametrize("version, variable", [("1.10.10", "AIRFLOW__CORE__SQL_ALCHEMY_CONN"), ("3.3.2", CONN)])
def test_the_login_is_tried_in_the_units_environment_with_what_hosts_yaml_says(version: str, variable: str) -> None:
    head, _, rest = login(version).program.partition("<<'END_OF_FILE'\n")
    assert head == (
        "for venv in /opt/aerodrome/ac/venv /home/astro/airflow-venv; "
        'do [ ! -e "$venv/bin/python" ] || break; done\n'
        'if [ -e "$venv/bin/python" ]; then '
        "systemd-run --quiet --pipe --wait --collect -p User=astro -p Group=astro "
        "-p EnvironmentFile=-/etc/default/ac.local -p EnvironmentFile=-/etc/default/ac "
        "-p EnvironmentFile=-/etc/default/ac-webserver "
        "-p WorkingDirectory=/ -p UMask=0027 -p RuntimeMaxSec=20 -p TimeoutStopSec=2 "
        '"$venv"/bin/python -I - '
    )
    program = rest.removesuffix("END_OF_FILE\nfi")
    ast.parse(program, feature_version=(3, 6))
    url = inputs(fleet(database=NOT_OURS)).database_url("postgresql").reveal()
    assert parameters(program) == {
        "url": url,
        "command": "",
        "variable": variable,
        "public": ["my db", "me-too", "pg.example.com", "5433", "postgresql"],
    }


# Stands in for psycopg2: knows one URL, and a login that may not create tables.
PSYCOPG2 = """\
class Error(Exception): pass
class OperationalError(Error): pass

class Connection:
    def __init__(self, url): self.url = url
    def cursor(self): return self
    def execute(self, query): assert query == "SELECT has_schema_privilege(current_user, 'public', 'CREATE')"
    def fetchone(self): return ["reader" not in self.url]
    def close(self): pass

def connect(url, connect_timeout):
    assert connect_timeout == 5
    if not url.startswith("postgresql://") or "10.0.0.9" not in url:
        raise OperationalError("could not connect to " + url.split("@", 1)[1] + "\\nIs the server running?")
    return Connection(url)
"""


def tried(sh: Shell, folder: Path, of: Database, driver: str = PSYCOPG2) -> str:
    """Return the program's output on a host whose environment file has an older, working login."""
    (folder / "psycopg2.py").write_text(driver)
    (step,) = database_login(inputs(fleet(database=of), password=Secret("p@ss")), HOSTS["web1"])
    (check,) = step.requires
    assert isinstance(check, DatabaseLogin)
    # Like a host with its environment in the previous version's place.
    (folder / "venv/bin").mkdir(parents=True, exist_ok=True)
    (folder / "venv/bin/python").touch()
    program = check.program.replace('"$venv"/bin/python -I -', "python3 -")
    program = program.replace("/home/astro/airflow-venv", f"{folder}/venv")
    script = f"export PYTHONPATH='{folder}' {CONN}=postgresql://u:old@10.0.0.9/d\n{program}"
    done = sh(script, programs={"systemd-run": 'while [ "$1" != python3 ]; do shift; done; exec "$@"'})
    assert done.returncode == 0
    return done.stdout.decode()


@pytest.mark.parametrize(
    "of, answer",
    [
        (Database("d", "u", managed=False, host="10.0.0.9"), "in\n"),
        (
            Database("d", "reader", managed=False, host="10.0.0.9"),
            "the login may not create tables in the schema public\n",
        ),
        (
            Database("d", "u", managed=False, host="10.0.0.8"),
            "OperationalError: could not connect to 10.0.0.8:5432/d\n",
        ),
        # A command on the node, run as Airflow runs it: without a shell, and its output used unchanged.
        (
            Database(managed=False, host="h", connection_command="printf %s 'postgresql://u:$x y@10.0.0.9/d'"),
            "in\n",
        ),
        (
            Database(managed=False, host="h", connection_command="false"),
            "CalledProcessError: Command '['false']' returned non-zero exit status 1.\n",
        ),
        # A password that is not encoded is read as a host name; libpq quotes it, but we do not.
        (
            Database(managed=False, host="h", connection_command="printf %s postgresql://u:half@secret@10.0.0.8/d"),
            "OperationalError: could not connect to ********@10.0.0.8/d\n",
        ),
    ],
)
def test_the_program_tries_the_login_of_hosts_yaml(sh: Shell, tmp_path: Path, of: Database, answer: str) -> None:
    assert tried(sh, tmp_path, of) == answer


def test_where_there_is_no_environment_or_no_driver_in_it_nothing_is_reported(sh: Shell, tmp_path: Path) -> None:
    assert tried(sh, tmp_path, Database("d", "u", managed=False, host="10.0.0.9"), "raise ImportError") == ""
    assert sh(login().program).stdout == b""
