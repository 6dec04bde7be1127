"""Answers of Debian 12 hosts and how they are judged, for the tests of each role."""

from __future__ import annotations

import json

from aerodrome.components.health import (
    RoleHealth,
)
from aerodrome.components.units import started
from aerodrome.resources.files import File
from tests.unit.make import HOSTS, fleet, inputs

WEB = HOSTS["web1"]


NOW = 1795382100


STARTED = 1795382063


UNIT = """\
MainPID=50
NRestarts=0
ExecMainStartTimestamp=Sun 2026-11-22 21:14:23 UTC
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
NeedDaemonReload=no
"""


LINK = "/opt/aerodrome/airflow/venvs/3.3.2-py3.11-0123456789ab"


HEARTBEAT = {"age": 2.4, "started": STARTED + 5.5}


BODY = {
    "metadatabase": {"status": "healthy"},
    "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": "2026-11-22T21:14:58+00:00"},
    "triggerer": {"status": None, "latest_triggerer_heartbeat": None},
    "dag_processor": None,
}


def output(answer: object, *units: str) -> str:
    text = answer if isinstance(answer, str) else json.dumps(answer) + "\n"
    return f"{NOW}\n{LINK}\n" + "".join(f"{unit}\n" for unit in units) + text


def judged(role: str, answer: object, unit: str = UNIT) -> tuple[str, str]:
    (health,) = RoleHealth(inputs(), WEB, (role,)).judge(output(answer, unit))
    return health.verdict, health.detail


def dropin(name: str, host: str = "s1", **airflow: object) -> str:
    file = started(inputs(fleet(**airflow)), HOSTS[host], name).resources[0]  # type: ignore[arg-type]
    assert isinstance(file, File)
    assert (file.path, file.mode, file.reload) == (
        f"/etc/systemd/system/airflow@{name}.service.d/10-aerodrome.conf",
        0o644,
        True,
    )
    head, _, rest = file.content.partition("[Service]\n")
    assert head == f"# Written by Aerodrome: what is particular to {name} on this host.\n"
    return rest.partition("# Sandbox: strict ")[0]  # the rest is in test_sandbox.py


DRAIN = "# What its running tasks get when it is asked to stop.\nTimeoutStopSec=600\n"
