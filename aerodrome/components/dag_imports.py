"""Import every DAG with the Airflow in use and with another version: on a node, as the service user, in a sandbox."""

from __future__ import annotations

import re
from functools import partial

from aerodrome.checks.dag_imports import ComparedImports, DagsImported
from aerodrome.components.command import in_transient_unit
from aerodrome.components.environment import environment, role_environment, sounds_secret
from aerodrome.components.inputs import Inputs
from aerodrome.components.node import environments
from aerodrome.core.check import Look
from aerodrome.core.resource import heredoc
from aerodrome.core.step import Step
from aerodrome.fleet.model import Host
from aerodrome.program import program
from aerodrome.resources.dag_imports import LONGEST_ERROR, ImportedDags, Importer
from aerodrome.resources.late_link import ComparedEnvironments, NoNewErrors

DAGS_FOLDER = ("core", "dags_folder")
HOME, DATABASE = "/tmp/airflow", "sqlite:////tmp/airflow.db"  # in a /tmp of their own
FILE_SECONDS = 60  # for one file; Airflow itself gives up after 30
MEGABYTES, ALL_MEGABYTES = 1536, 2048  # that the import of one file may need, and all processes at once
STAND_IN, CONNECTION = "left-out", "generic://"  # in place of a secret

# Settings that DAGs do not need while they are imported, and that reach other services, or name a place of their own.
_LEFT_OUT = re.compile(
    r"""AIRFLOW__( (API|API_AUTH|CELERY\w*|DATABASE|ELASTICSEARCH|FAB|KERBEROS|LINEAGE|LOGGING|METRICS|OPENLINEAGE
    |SECRETS|SENTRY|SMTP|TRACES|TRIGGERER|WEBSERVER|WORKERS)__ | CORE__(\w*LOG\w*|SQL_\w*|AUTH_MANAGER
    |EXECUTION_API\w*|EXECUTOR|HOSTNAME_CALLABLE|LOAD_EXAMPLES|SECURITY)$ ) | AIRFLOW_HOME$ | PATH$""",
    re.VERBOSE,
)
# No network but loopback of its own, no sockets of services (/run), no other process's memory or environment (of
# another user namespace, the kernel keeps even those of the same user), nothing to write to but its own /tmp. What is
# running on the host comes first.
_SANDBOX = (
    "PrivateNetwork=yes", "PrivateTmp=yes", "PrivateDevices=yes", "PrivateUsers=yes", "TemporaryFileSystem=/run:ro",
    "TemporaryFileSystem=/dev/shm:mode=1777",
    "ProtectSystem=strict", "ProtectHome=read-only", "NoNewPrivileges=yes", "CapabilityBoundingSet=",
    "ProtectKernelTunables=yes", "ProtectKernelModules=yes", "ProtectControlGroups=yes", "RestrictNamespaces=yes",
    "RestrictSUIDSGID=yes", "RestrictRealtime=yes", "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "LockPersonality=yes", "SystemCallArchitectures=native", "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM", f"MemoryMax={ALL_MEGABYTES}M", "MemorySwapMax=0", "TasksMax=256", "CPUWeight=20",
    "Nice=10", "OOMScoreAdjust=900", "TimeoutStopSec=2", "UMask=0077",
)  # fmt: skip


def dag_imports(inputs: Inputs, host: Host, new: Inputs, run: str, allow: bool = False) -> Step:
    """Return the step in which a node imports every DAG with the version in use and with that of `new`.

    It fails if there are errors that are new, unless `allow` accepts them. The environment of `new` must be staged.
    """
    before, after = _importer(inputs, host, inputs.venv), _importer(new, host, new.next_venv)
    return Step("upgrade.dags", (ImportedDags(before, after, f"{inputs.place}/venvs", run, allow),))


def compared(inputs: Inputs, host: Host) -> Step:
    """Return the step in which a node imports every DAG with its environment in use and with the one that follows it.

    Each node does: its Python, its DAG folder and its variables may be its own.
    """
    _, (installed,) = environments(inputs, late=True)
    both = ComparedEnvironments(installed, partial(_imports, inputs, host))
    return Step("node.imports", (both, NoNewErrors(inputs.imports, inputs.allow_import_errors)))


def imports_found(inputs: Inputs, host: Host, new: Inputs, run: str, look: Look) -> DagsImported:
    """Return the findings of the step on a node, for the report; failed if it has not been done or cannot be asked."""
    before, after = inputs.fleet.airflow.version, new.fleet.airflow.version
    (found,) = look({host.name: [ComparedImports(host.name, before, after, run)]})[host.name]
    if isinstance(found, DagsImported):
        return found
    return DagsImported(found.subject, "failed", found.detail, host=host.name)


def _importer(inputs: Inputs, host: Host, link: str) -> Importer:
    return Importer(inputs.fleet.airflow.version, link, _imports(inputs, host))


def _imports(inputs: Inputs, host: Host) -> str:
    """Return sh that imports all DAGs with the environment $venv and prints what it has found."""
    airflow, total = inputs.fleet.airflow, max(60, inputs.fleet.deploy.change_timeout // 2 - 60)
    given = _environment(inputs, host)
    imports = program(
        "dag_imports",
        folder=given[inputs.catalogue.variable(*DAGS_FOLDER)],
        home=airflow.home,
        environment=given,
        seconds=FILE_SECONDS,
        total=total,
        megabytes=MEGABYTES,
        longest=LONGEST_ERROR,
        classic=inputs.catalogue.major == 1,
    )
    own = [f"User={airflow.user}", f"Group={airflow.user}", f"WorkingDirectory={airflow.home}"]
    properties = (*own, f"RuntimeMaxSec={total + 30}", *_SANDBOX)
    return in_transient_unit(properties, f'"$venv"/bin/python -I - {heredoc(imports)}')


def _environment(inputs: Inputs, host: Host) -> dict[str, str]:
    """Return the variables of hosts.yaml that DAGs may read while they are imported; secrets get a stand-in."""
    variable = inputs.catalogue.variable
    given = environment(inputs, host)
    if role := inputs.role_for_commands(host):
        given |= role_environment(inputs, host, role)
    found = {variable(*DAGS_FOLDER): f"{inputs.fleet.airflow.home}/dags"}
    for name, value in given.items():
        if _LEFT_OUT.match(name):
            continue
        if isinstance(value, str) and not sounds_secret(name, value):
            found[name] = value
        elif not name.startswith("AIRFLOW__"):
            found[name] = CONNECTION if name.startswith("AIRFLOW_CONN_") else STAND_IN
    return found | {
        "AIRFLOW_HOME": HOME,
        variable("core", "load_examples"): "False",
        variable("database", "sql_alchemy_conn"): DATABASE,
    }
