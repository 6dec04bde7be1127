"""The sandbox in which DAGs are imported, and what they may read there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aerodrome.checks.dag_imports import ComparedImports, DagsImported
from aerodrome.components.dag_imports import dag_imports, imports_found
from aerodrome.components.inputs import Inputs, Settings
from aerodrome.core.check import Finding
from aerodrome.fleet.model import Deploy
from aerodrome.resources.dag_imports import ImportedDags
from aerodrome.secrets import Secret
from tests.unit.make import AWKWARD, FERNET_KEY, HOSTS, fleet, inputs, parameters

OPTIONS = (
    "-p User=astro -p Group=astro -p WorkingDirectory=/usr/local/airflow -p RuntimeMaxSec=1770 -p PrivateNetwork=yes "
    "-p PrivateTmp=yes -p PrivateDevices=yes -p PrivateUsers=yes -p TemporaryFileSystem=/run:ro "
    "-p TemporaryFileSystem=/dev/shm:mode=1777 -p ProtectSystem=strict -p ProtectHome=read-only -p NoNewPrivileges=yes "
    "-p CapabilityBoundingSet= -p ProtectKernelTunables=yes -p ProtectKernelModules=yes -p ProtectControlGroups=yes "
    "-p RestrictNamespaces=yes -p RestrictSUIDSGID=yes -p RestrictRealtime=yes "
    "-p 'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK' -p LockPersonality=yes "
    "-p SystemCallArchitectures=native -p SystemCallFilter=@system-service "
    "-p SystemCallErrorNumber=EPERM -p MemoryMax=2048M -p MemorySwapMax=0 -p TasksMax=256 -p CPUWeight=20 -p Nice=10 "
    "-p OOMScoreAdjust=900 -p TimeoutStopSec=2 -p UMask=0077"
)
HOST = HOSTS["s1"]
SETTINGS = Settings(
    {
        "TEAM": "data",
        "PYTHONPATH": "/srv/lib",
        "VAULT": Secret("hush"),
        "API_TOKEN": "hush",
        "PROXY": "http://me:hush@proxy",
        "AIRFLOW_CONN_PG": Secret("postgres://hush"),
        "AIRFLOW__OURS__LIMIT": "7",
        "AIRFLOW__SMTP__SMTP_PASSWORD": Secret("hush"),
        "AIRFLOW__SECRETS__BACKEND": "vault",
        "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
    },
    {"core": {"default_timezone": "UTC", "plugins_folder": "/srv/plugins", "remote_logging": "True"}},
)


def imported(old: Inputs, new: Inputs, allow: bool = False) -> ImportedDags:
    step = dag_imports(old, HOST, new, "1f3a", allow)
    assert step.name == "upgrade.dags"
    (resource,) = step.resources
    assert isinstance(resource, ImportedDags)
    return resource


def of(version: str, **given: object) -> Inputs:
    return inputs(fleet(version=version, executor="LocalExecutor"), settings=SETTINGS, **given)


def test_both_versions_are_asked_in_the_same_sandbox() -> None:
    resource = imported(of("2.11.2"), of("3.3.2"))
    assert (resource.folder, resource.run, resource.allow) == ("/opt/aerodrome/airflow/venvs", "1f3a", False)
    before, after = resource.before, resource.after
    assert (before.version, before.link) == ("2.11.2", "/opt/aerodrome/airflow/venv")
    assert (after.version, after.link) == ("3.3.2", "/opt/aerodrome/airflow/next")
    for importer in (before, after):
        command, _, rest = importer.script.partition(" -I - <<'END_OF_FILE'\n")
        assert command == f'systemd-run --quiet --pipe --wait --collect {OPTIONS} "$venv"/bin/python'
        assert rest.startswith("# Aerodrome's probes/dag_imports.py\n")
    assert imported(of("2.11.2"), of("3.3.2"), allow=True).allow


@pytest.mark.parametrize(
    "version, database",
    [
        ("1.10.10", "AIRFLOW__CORE__SQL_ALCHEMY_CONN"),
        ("2.11.2", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"),
        ("3.3.2", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"),
    ],
)
def test_dags_get_no_secret_and_no_service(version: str, database: str) -> None:
    importer = imported(of(version), of(version)).before
    given = parameters(importer.script)
    environment = given.pop("environment")
    assert given == {
        "folder": "/usr/local/airflow/dags",
        "home": "/usr/local/airflow",
        "seconds": 60,
        "total": 1740,
        "megabytes": 1536,
        "longest": 300,
        "classic": version == "1.10.10",
    }
    assert environment == {
        "TEAM": "data",
        "PYTHONPATH": "/srv/lib",
        "VAULT": "left-out",
        "API_TOKEN": "left-out",
        "PROXY": "left-out",
        "AIRFLOW_CONN_PG": "generic://",
        "AIRFLOW__OURS__LIMIT": "7",
        "AIRFLOW__CORE__DEFAULT_TIMEZONE": "UTC",
        "AIRFLOW__CORE__PLUGINS_FOLDER": "/srv/plugins",
        "AIRFLOW_HOME": "/tmp/airflow",
        "AIRFLOW__CORE__DAGS_FOLDER": "/usr/local/airflow/dags",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        database: "sqlite:////tmp/airflow.db",
    }
    for secret in ("hush", AWKWARD, FERNET_KEY, "web-secret", "jwt-secret", "celery-secret"):
        assert secret not in importer.script


def test_a_dag_folder_elsewhere_is_the_one_that_is_read() -> None:
    elsewhere = replace(SETTINGS, config={"core": {"dags_folder": "/srv/dags"}})
    old = replace(of("2.11.2"), settings=elsewhere)
    given = parameters(imported(old, old).before.script)
    assert given["folder"] == given["environment"]["AIRFLOW__CORE__DAGS_FOLDER"] == "/srv/dags"


def test_the_time_is_half_of_that_of_a_change() -> None:
    old = of("2.11.2")
    short = replace(old, fleet=replace(old.fleet, deploy=Deploy(change_timeout=100)))
    assert parameters(imported(short, short).before.script)["total"] == 60


def test_the_report_gets_what_was_found() -> None:
    asked: list[object] = []
    found = DagsImported("dag imports", "ok", "all", host="s1")

    def look(checks: object) -> dict[str, list[Finding]]:
        asked.append(checks)
        return {"s1": [found]}

    assert imports_found(of("2.11.2"), HOST, of("3.3.2"), "1f3a", look) is found
    assert asked == [{"s1": [ComparedImports("s1", "2.11.2", "3.3.2", "1f3a")]}]


def test_a_host_that_is_down_is_no_success() -> None:
    down = {"s1": [Finding("?", "failed", "down")]}
    found = imports_found(of("2.11.2"), HOST, of("3.3.2"), "1f3a", lambda checks: down)
    assert found == DagsImported("?", "failed", "down", host="s1")
