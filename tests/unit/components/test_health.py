"""Whether a role is healthy: the script, and what hosts of Debian 12 answered."""

from __future__ import annotations

import ast
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aerodrome.components.component import AirflowRole
from aerodrome.components.health import (
    Health,
    RoleHealth,
    fleet_wide,
)
from aerodrome.components.roles.database import DatabaseHealth
from aerodrome.core.resource import PRELUDE
from aerodrome.fleet.model import Database
from aerodrome.resources.systemd import UnitState, show
from tests.unit.make import HOSTS, ROLES_OF_FLEET, Shell, fleet, inputs, parameters

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


def test_the_script_as_a_whole() -> None:
    script = RoleHealth(inputs(), WEB, ("webserver", "worker")).probe()
    head, _, program = script.partition("<<'END_OF_FILE'\n")
    assert head == (
        "export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        "umask 022\n"
        "cd /\n"
        "date +%s\n"
        "readlink /opt/aerodrome/airflow/venv || echo\n"
        f"{show('airflow@webserver.service')}; echo\n"
        f"{show('airflow@worker.service')}; journalctl --no-pager -q -o cat "
        "_SYSTEMD_INVOCATION_ID=$(systemctl show -p InvocationID --value airflow@worker.service) "
        "| head -c 1000000 | grep -qF ' ready.' && echo Ready=yes; echo\n"
        "systemd-run --quiet --pipe --wait --collect -p User=astro -p Group=astro "
        "-p EnvironmentFile=-/etc/default/airflow.local -p EnvironmentFile=/etc/default/airflow "
        "-p EnvironmentFile=-/etc/default/airflow-webserver -p WorkingDirectory=/ -p UMask=0027 "
        "-p RuntimeMaxSec=20 -p TimeoutStopSec=2 "
        "/opt/aerodrome/airflow/venv/bin/python -I - 2>/dev/null "
    )
    assert program.endswith("END_OF_FILE\n")


@pytest.mark.parametrize(
    "version, variable, web",
    [
        ("1.10.10", "AIRFLOW__CORE__SQL_ALCHEMY_CONN", "http://10.0.0.3:8081/health"),
        ("3.3.2", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "http://10.0.0.3:8081/api/v2/monitor/health"),
    ],
)
def test_the_program_asks_what_the_version_has(version: str, variable: str, web: str) -> None:
    given = inputs(fleet(version=version, web_port=8081))
    program = RoleHealth(given, WEB, ("webserver", "worker")).probe().partition("<<'END_OF_FILE'\n")[2]
    program = program.removesuffix("END_OF_FILE\n")
    # Also Python 3.6, on which Airflow 1.10 runs, has to read it.
    ast.parse(program, feature_version=(3, 6))
    assert parameters(program) == {
        "ask": {"name": True, "jobs": True, "web": web, "ports": {"worker": 8793}},
        "hostname_callable": "AIRFLOW__CORE__HOSTNAME_CALLABLE",
        "variable": variable,
        "public": ["airflow", "airflow", "10.0.0.1", "5432", "postgresql"],
    }


def test_the_program_runs_and_says_what_it_could_not_ask(sh: Shell) -> None:
    # The worker of Airflow 3 does not know the metadata database.
    for version, asked in (("2.11.2", ["jobs_error", "name", "ports"]), ("3.3.2", ["name", "ports"])):
        script = RoleHealth(inputs(fleet(version=version)), WEB, ("worker",)).probe()
        program = script.partition("/airflow/venv/bin/python -I - 2>/dev/null ")[2]
        program = program.replace("8793", "1")  # where nobody listens
        done = sh(f"env -u AIRFLOW__DATABASE__SQL_ALCHEMY_CONN python3 - {program}")
        answer = json.loads(done.stdout)
        assert sorted(answer) == asked
        assert answer["name"] == socket.getfqdn()
        assert answer["ports"]["worker"].startswith("ConnectionRefusedError: ")


def test_airflow_is_asked_in_the_environment_of_a_role_that_knows_the_database() -> None:
    for roles, role in ((["worker"], "worker"), (["worker", "webserver"], "webserver"), (["triggerer"], "triggerer")):
        gate = RoleHealth(inputs(), WEB, tuple(roles))
        for script in (gate.probe(), gate.watch()):
            assert re.findall(r"EnvironmentFile=-/etc/default/airflow-(\S+)", script) == [role]


def test_the_program_knows_the_name_that_airflow_reports(sh: Shell, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/aerodrome_host.py").write_text("def name():\n    return 'w1'\n")
    program = RoleHealth(inputs(), WEB, ()).probe().partition("/airflow/venv/bin/python -I - 2>/dev/null ")[2]
    for given, name in (
        ("aerodrome_host:name", "w1"),
        ("aerodrome_host.name", "w1"),
        ("socket.gethostname", socket.gethostname()),
    ):
        done = sh(f"AIRFLOW__CORE__HOSTNAME_CALLABLE={given} AIRFLOW_HOME={tmp_path} python3 - {program}")
        assert json.loads(done.stdout)["name"] == name


def test_the_script_that_looks_again_and_again_as_a_whole() -> None:
    script = RoleHealth(inputs(), WEB, ("webserver", "worker")).watch()
    head, _, rest = script.partition("<<'END_OF_FILE'\n")
    program, _, tail = rest.partition("END_OF_FILE\n")
    one = RoleHealth(inputs(), WEB, ("webserver", "worker")).probe()
    look = one.removeprefix(f"{PRELUDE}date +%s\nreadlink /opt/aerodrome/airflow/venv || echo\n")
    units, python = look.partition("systemd-run")[0], look[look.index("systemd-run") : look.index("- 2>/dev/null")]
    python = python.replace("-p RuntimeMaxSec=20 -p TimeoutStopSec=2 ", "")  # it looks for as long as it takes
    assert head == f"{PRELUDE}{{ cat "
    assert tail == (
        "while :; do\ndate +%s\nreadlink /opt/aerodrome/airflow/venv || echo\n"
        f"{units}echo @ask || exit; sleep 0.15\ndone; }} | "
        f"{python}-c 'import sys; exec(sys.stdin.buffer.read({len(program.encode())}))' 2>/dev/null\n"
    )
    ast.parse(program, feature_version=(3, 6))


PSYCOPG2 = """\
import os
import time

class Cursor:
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
    def execute(self, *query):
        if os.path.exists("hang"):
            time.sleep(60)
        if os.path.exists("gone"):
            raise RuntimeError("the server closed the connection")
    def fetchone(self):
        return ["job"]
    def fetchall(self):
        return [("SchedulerJob", 2.5, 1795382068.5)]

class Connection:
    cursor = Cursor
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
    def close(self):
        print("closed", file=open("log", "a"))

class Error(Exception):
    pass

def connect(url, connect_timeout):
    print("connected", file=open("log", "a"))
    return Connection()
"""


@pytest.fixture
def watch(tmp_path: Path) -> Callable[..., tuple[list[Health], list[str]]]:
    """Run the script that looks again and again, with a unit that runs and a database of Python."""
    (tmp_path / "psycopg2.py").write_text(PSYCOPG2)
    (tmp_path / "systemctl").write_text(f"#!/bin/sh\ncat <<END\n{UNIT}END\n")
    (tmp_path / "systemctl").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def run(between: str, **replaced: str) -> tuple[list[Health], list[str]]:
        script = RoleHealth(inputs(), WEB, ("scheduler",)).watch().replace(PRELUDE, "n=0\n")
        python = f"PYTHONPATH=. AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=x://y {sys.executable}"
        script = re.sub(r"systemd-run .*/bin/python -I", python, script).replace("sleep 0.15", f"n=$((n+1)); {between}")
        for old, new in replaced.items():
            script = script.replace(old, new)
        done = subprocess.run(["sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, timeout=30)
        looks, rest = RoleHealth(inputs(), WEB, ()).looks(done.stdout.decode())
        assert rest == ""
        found = [health for look in looks for health in RoleHealth(inputs(), HOSTS["s1"], ("scheduler",)).judge(look)]
        return found, (tmp_path / "log").read_text().split()

    return run


def test_a_host_looks_with_one_program_and_one_connection(watch: Callable[..., tuple[list[Health], list[str]]]) -> None:
    # The database goes away for one look.
    between = "sleep 0.6; rm -f gone; [ $n != 2 ] || touch gone; [ $n != 4 ] || exit"
    found, log = watch(between)
    assert [(health.verdict, health.detail) for health in found] == [
        ("ok", "heartbeat 2 s ago"),
        ("ok", "heartbeat 2 s ago"),
        ("waiting", "RuntimeError: the server closed the connection"),
        ("ok", "heartbeat 2 s ago"),
    ]
    assert log == ["connected", "closed", "connected"]


def test_looks_that_have_waited_too_long_are_left_out(watch: Callable[..., tuple[list[Health], list[str]]]) -> None:
    # The clock of the second one is that of a host whose database did not answer for a minute.
    found, _ = watch("sleep 0.2; [ $n != 3 ] || exit", **{"date +%s": "echo $(($(date +%s) - 60 * (n == 1)))"})
    assert len(found) == 2


def test_a_database_that_never_answers_ends_the_looking(
    watch: Callable[..., tuple[list[Health], list[str]]], tmp_path: Path
) -> None:
    (tmp_path / "hang").touch()
    begun = time.monotonic()
    found, log = watch("sleep 0.1", **{"LONGEST_LOOK = 10": "LONGEST_LOOK =  1"})
    assert (found, log) == ([], ["connected"])
    assert time.monotonic() - begun < 20


def test_looks_come_in_any_pieces() -> None:
    gate = RoleHealth(inputs(), WEB, ())
    assert gate.looks("a\nb\n@looked\nc\n@looked\nd\n@loo") == (["a\nb", "c"], "d\n@loo")
    assert gate.looks("") == ([], "")


def test_several_roles_of_a_host_are_told_apart() -> None:
    answer = {"jobs": {"SchedulerJob": HEARTBEAT, "TriggererJob": {"age": 99, "started": STARTED}}}
    stopped = UNIT.replace("=active", "=inactive").replace("=running", "=dead")
    gate = RoleHealth(inputs(), HOSTS["s1"], ("scheduler", "dag-processor", "triggerer"))
    found = gate.judge(output(answer, UNIT, stopped, UNIT))
    assert [(health.role, health.verdict, health.detail) for health in found] == [
        ("scheduler", "ok", "heartbeat 2 s ago"),
        ("dag-processor", "waiting", "the unit is inactive"),
        ("triggerer", "waiting", "heartbeat 99 s ago"),
    ]
    state = UnitState("loaded", "enabled", "active", "running", 0, False, STARTED, 50)
    assert found[0] == Health(
        "scheduler",
        "ok",
        "heartbeat 2 s ago",
        unit="airflow@scheduler.service",
        state=state,
        now=NOW,
        version="3.3.2",
        host="s1",
    )
    assert found[0].ok
    assert not found[1].ok


@pytest.mark.parametrize(
    "job, verdict, detail",
    [
        (HEARTBEAT, "ok", "heartbeat 2 s ago"),
        ({"age": 30.0, "started": STARTED}, "ok", "heartbeat 30 s ago"),
        ({"age": 31.0, "started": STARTED}, "waiting", "heartbeat 31 s ago"),
        # Of the process before this one: its row still looks fresh.
        ({"age": 1.0, "started": STARTED - 60}, "waiting", "no heartbeat yet"),
        (None, "waiting", "no heartbeat yet"),
    ],
)
def test_a_scheduler_by_its_heartbeat(job: object, verdict: str, detail: str) -> None:
    assert judged("scheduler", {"jobs": {"SchedulerJob": job} if job else {}}) == (verdict, detail)


@pytest.mark.parametrize(
    "unit, verdict, detail",
    [
        (("active", "failed"), "failed", "the unit is failed (running), restarted 0 times"),
        (("active", "activating"), "waiting", "the unit is activating"),
        (("active", "inactive"), "waiting", "the unit is inactive"),
    ],
)
def test_a_unit_that_does_not_run(unit: tuple[str, str], verdict: str, detail: str) -> None:
    text = UNIT.replace(f"={unit[0]}", f"={unit[1]}")
    assert judged("scheduler", {"jobs": {"SchedulerJob": HEARTBEAT}}, text) == (verdict, detail)


def test_a_unit_that_starts_again_and_runs_is_not_failed_yet() -> None:
    text = UNIT.replace("=active", "=activating").replace("=running", "=start-pre").replace("Restarts=0", "Restarts=3")
    assert judged("scheduler", {}, text) == ("waiting", "the unit is activating")


def test_a_unit_between_two_crashes_has_failed() -> None:
    text = (
        UNIT.replace("=active", "=activating").replace("=running", "=auto-restart").replace("Restarts=0", "Restarts=3")
    )
    assert judged("worker", {}, text) == ("failed", "the unit is activating (auto-restart), restarted 3 times")


@pytest.mark.parametrize(
    "answer, verdict, detail",
    [
        ({"jobs": {}, "web": BODY}, "ok", "metadatabase healthy, scheduler healthy"),
        (
            {"jobs": {}, "web": {**BODY, "metadatabase": {"status": "unhealthy"}}},
            "waiting",
            "metadatabase unhealthy, scheduler healthy",
        ),
        ({"jobs": {}, "web_error": "URLError: refused"}, "waiting", "URLError: refused"),
        ({"jobs": {}, "web": {"detail": "Moved in Airflow 3"}}, "waiting", ""),
    ],
)
def test_a_web_server_by_its_health_body(answer: object, verdict: str, detail: str) -> None:
    assert judged("webserver", answer) == (verdict, detail)


@pytest.mark.parametrize(
    "part, roles, verdict",
    [
        ("scheduler", {}, "waiting"),
        ("triggerer", {}, "waiting"),
        ("dag_processor", {}, "waiting"),
        ("triggerer", {"triggerer": ()}, "ok"),  # the fleet is to have none
        ("cellar", {}, "ok"),
    ],
)
def test_a_fleet_whose_web_server_reports_a_sick_role_is_not_healthy(part: str, roles: Any, verdict: str) -> None:
    given = inputs(fleet(roles={**ROLES_OF_FLEET, **roles}))
    answer = {"jobs": {}, "web": {**BODY, part: {"status": "unhealthy"}}}
    (own,) = RoleHealth(given, WEB, ("webserver",)).judge(output(answer, UNIT))
    assert own.ok  # by itself it is up, and a deploy goes on
    whole = fleet_wide(given, own)
    assert (whole.verdict, f"{part} unhealthy" in whole.detail) == (verdict, True)


def test_the_body_is_kept_for_those_who_want_all_of_it() -> None:
    found = RoleHealth(inputs(), WEB, ("webserver",)).judge(output({"jobs": {}, "web": BODY}, UNIT))
    assert found[0].body == BODY


def test_a_worker_by_its_log_port_and_by_celery_s_word() -> None:
    ready = UNIT + "Ready=yes\n"
    assert judged("worker", {"jobs": {}, "ports": {"worker": ""}}, ready) == (
        "ok",
        "Celery is ready, log port 8793 answers",
    )
    error = {"jobs": {}, "ports": {"worker": "ConnectionRefusedError: [Errno 111] Connection refused"}}
    assert judged("worker", error, ready) == (
        "waiting",
        "port 8793: ConnectionRefusedError: [Errno 111] Connection refused",
    )


@pytest.mark.parametrize(
    "age, verdict",
    [(59, ("waiting", "Celery is not ready yet")), (60, ("ok", "Celery runs, log port 8793 answers"))],
)
def test_a_worker_whose_log_level_hides_that_word_has_to_run_for_a_while(age: int, verdict: tuple[str, str]) -> None:
    text = output({"jobs": {}, "ports": {"worker": ""}}, UNIT).replace(str(NOW), str(STARTED + age), 1)
    (health,) = RoleHealth(inputs(), WEB, ("worker",)).judge(text)
    assert (health.verdict, health.detail) == verdict


def test_the_journal_of_an_earlier_start_does_not_count(sh: Shell) -> None:
    script = RoleHealth(inputs(), WEB, ("worker",)).probe()
    (line,) = [line for line in script.splitlines() if "journalctl" in line]
    programs = {
        "systemctl": 'case "$*" in *InvocationID*) echo $START;; *) echo ActiveState=active;; esac',
        "journalctl": 'case "$*" in *_SYSTEMD_INVOCATION_ID=old) echo "celery@w1 ready.";; esac',
    }
    assert sh(f"export START=new\n{line}", programs=programs).stdout == b"ActiveState=active\n\n"
    assert sh(f"export START=old\n{line}", programs=programs).stdout == b"ActiveState=active\nReady=yes\n\n"


@pytest.mark.parametrize("version, role", [("3.3.2", "scheduler"), ("3.3.2", "webserver"), ("2.11.2", "worker")])
def test_nobody_who_knows_the_database_is_healthy_without_it(version: str, role: str) -> None:
    answer = {"jobs_error": "OperationalError: password authentication failed", "web": BODY, "ports": {"worker": ""}}
    given = inputs(fleet(version=version))
    (health,) = RoleHealth(given, WEB, (role,)).judge(output(answer, f"{UNIT}Ready=yes\n"))
    assert (health.verdict, health.detail) == ("waiting", "OperationalError: password authentication failed")


def test_a_role_that_nobody_judges_is_not_taken_for_another() -> None:
    with pytest.raises(KeyError, match="sweeper"):
        RoleHealth(inputs(), WEB, ("sweeper",)).probe()

    class Sweeper(AirflowRole):
        name, place, stage, commands = "sweeper", 1, "workers", {3: "sweeper"}

    with pytest.raises(TypeError, match="abstract .* judge"):
        Sweeper()  # type: ignore[abstract]


def test_a_worker_of_airflow_3_needs_no_database() -> None:
    unit = f"{UNIT}Ready=yes\n"
    assert judged("worker", {"ports": {"worker": ""}}, unit) == ("ok", "Celery is ready, log port 8793 answers")
    assert judged("worker", {}, unit) == ("waiting", "port 8793: not asked")


@pytest.mark.parametrize("answer", ["", "\n", "no JSON", "Failed to start transient service unit"])
def test_a_program_that_did_not_run_is_no_health(answer: str) -> None:
    assert judged("scheduler", answer) == ("waiting", "the metadata database was not queried")


@pytest.mark.parametrize("text", ["", "sh: 1: systemctl: not found\n"])
def test_an_answer_that_is_not_whole_is_no_health(text: str) -> None:
    (health,) = RoleHealth(inputs(), WEB, ("scheduler",)).judge(text)
    assert (health.verdict, health.detail, health.version) == ("waiting", "the unit is not there", "")


# The database


DATABASE_UNIT = UNIT.replace("=running", "=exited").replace("21:14:23", "21:07:29")


def test_the_script_for_the_database_as_a_whole() -> None:
    script = DatabaseHealth(inputs(fleet(database=Database(user="me-too"))), HOSTS["db1"]).probe()
    assert script == (
        "export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        "umask 022\n"
        "cd /\n"
        "date +%s\n"
        f"{show('postgresql.service')}\n"
        "echo\n"
        "runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d postgres <<'END_OF_FILE'\n"
        "SELECT current_setting('server_version'), "
        "(SELECT count(*) FROM pg_stat_activity WHERE usename IN ('me-too', 'me-too_celery')), "
        "current_setting('max_connections'), extract(epoch FROM pg_postmaster_start_time())::bigint;\n"
        "END_OF_FILE\n"
    )


def test_a_database_that_answers() -> None:
    row = "15.18 (Debian 15.18-0+deb12u1)|7|100|1795381650\n"
    (health,) = DatabaseHealth(inputs(), HOSTS["db1"]).judge(f"{NOW}\n{DATABASE_UNIT}\n{row}")
    state = replace(UnitState.parse(DATABASE_UNIT), started=1795381650)
    assert health == Health(
        "database",
        "ok",
        "answers, 7 of 100 connections are Airflow's",
        unit="postgresql.service",
        state=state,
        now=NOW,
        version="15.18",
        host="db1",
    )


@pytest.mark.parametrize("text", ["", f"{NOW}\n{DATABASE_UNIT}\n", "no number\n"])
def test_a_database_that_does_not(text: str) -> None:
    (health,) = DatabaseHealth(inputs(), HOSTS["db1"]).judge(text)
    assert (health.verdict, health.detail) == ("failed", "PostgreSQL does not answer")
