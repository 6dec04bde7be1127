"""The health of roles: the script, and the answers of Debian 12 hosts."""

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
from pathlib import Path

import pytest

from aerodrome.components.component import AirflowRole
from aerodrome.components.health import (
    Health,
    RoleHealth,
)
from aerodrome.core.resource import PRELUDE
from aerodrome.resources.systemd import UnitState, show
from tests.real import wait
from tests.unit.components.look import BODY, HEARTBEAT, NOW, STARTED, UNIT, WEB, judged, output
from tests.unit.make import HOSTS, Shell, fleet, inputs, parameters

RUNS = """\
runs() {
state=$(TZ=UTC systemctl show -p LoadState,UnitFileState,ActiveState,SubState,NRestarts,NeedDaemonReload,\
ExecMainStartTimestamp,MainPID "$1"); printf '%s\\n' "$state"
pid=${state##*MainPID=}; grep -som 1 '/venvs/[^/]*' "/proc/${pid%%[!0-9]*}/maps"
}
"""


def test_the_script_as_a_whole() -> None:
    script = RoleHealth(inputs(), WEB, ("webserver", "worker")).probe()
    head, _, program = script.partition("<<'END_OF_FILE'\n")
    assert head == (
        "export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        "umask 022\n"
        "cd /\n"
        f"{RUNS}date +%s\n"
        "readlink /opt/aerodrome/airflow/venv || echo\n"
        "runs airflow@webserver.service; echo\n"
        "runs airflow@worker.service; journalctl --no-pager -q -o cat "
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
    "version, variable, port, path",
    [
        ("1.10.10", "AIRFLOW__CORE__SQL_ALCHEMY_CONN", "AIRFLOW__WEBSERVER__WEB_SERVER_PORT", "/health"),
        ("3.3.2", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__API__PORT", "/api/v2/monitor/health"),
    ],
)
def test_the_program_asks_what_the_version_has(version: str, variable: str, port: str, path: str) -> None:
    given = inputs(fleet(version=version, web_port=8081))
    program = RoleHealth(given, WEB, ("webserver", "worker")).probe().partition("<<'END_OF_FILE'\n")[2]
    program = program.removesuffix("END_OF_FILE\n")
    # Python 3.6, on which Airflow 1.10 runs, has to parse it too.
    ast.parse(program, feature_version=(3, 6))
    web = ["http://10.0.0.3:", [port, "8081"], path]
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
        program = program.replace("8793", "1")  # nothing listens here
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
    look = one.removeprefix(f"{PRELUDE}{RUNS}date +%s\nreadlink /opt/aerodrome/airflow/venv || echo\n")
    units, python = look.partition("systemd-run")[0], look[look.index("systemd-run") : look.index("- 2>/dev/null")]
    python = python.replace("-p RuntimeMaxSec=20 -p TimeoutStopSec=2 ", "")  # it looks for as long as necessary
    for unit in ("airflow@webserver.service", "airflow@worker.service"):
        assert units.count(f"runs {unit}; ") == 1
        units = units.replace(f"runs {unit}; ", f"{show(unit)}; ")  # no look needs the version
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
    """Run the script that looks repeatedly, with a running unit and a stand-in for the database."""
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
    # The second one's clock is that of a host whose database did not answer for a minute.
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


def test_several_roles_of_a_host_are_distinguished() -> None:
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


@pytest.mark.parametrize("answer", ["", "\n", "no JSON", "Failed to start transient service unit"])
def test_a_program_that_did_not_run_is_no_health(answer: str) -> None:
    assert judged("scheduler", answer) == ("waiting", "the metadata database was not queried")


@pytest.mark.parametrize(
    "runs, version",
    [("/venvs/2.11.2-py3.11-0123456789ab\n", "2.11.2"), ("", "3.3.2"), ("/venvs/\x1b[2J\n", "3.3.2")],
)
def test_the_version_is_that_of_the_process_not_of_the_link(runs: str, version: str) -> None:
    (health,) = RoleHealth(inputs(), WEB, ("webserver",)).judge(output({"web": BODY}, f"{UNIT}{runs}"))
    assert health.version == version


def test_a_process_is_asked_for_its_environment(sh: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "venvs" / "2.11.2-py3.11-0123456789ab"
    folder.mkdir(parents=True)
    (folder / "part.so").write_bytes(b"x" * 8192)
    held = f"import mmap,os,time; m = mmap.mmap(os.open('{folder}/part.so', os.O_RDONLY), 0, prot=1); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", held]) as process:
        try:
            maps = Path(f"/proc/{process.pid}/maps")
            wait("the file is mapped", lambda: "part.so" in maps.read_text(), 30, 0.05)
            state = f"ActiveState=active\\nMainPID={process.pid}\\nSubState=running"
            script = f"{RUNS}runs unit"
            done = sh(script, programs={"systemctl": f"printf '{state}\\n'"})
            assert done.stdout.decode().splitlines()[-1] == "/venvs/2.11.2-py3.11-0123456789ab"
        finally:
            process.kill()
    done = sh(f"{RUNS}runs unit", programs={"systemctl": "echo MainPID=0"})
    assert (done.stdout, done.stderr) == (b"MainPID=0\n", b"")


@pytest.mark.parametrize("text", ["", "sh: 1: systemctl: not found\n"])
def test_an_answer_that_is_not_whole_is_no_health(text: str) -> None:
    (health,) = RoleHealth(inputs(), WEB, ("scheduler",)).judge(text)
    assert (health.verdict, health.detail, health.version) == ("waiting", "the unit is not there", "")
