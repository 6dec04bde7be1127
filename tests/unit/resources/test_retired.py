"""Units that hosts.yaml no longer has on a host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aerodrome.core.resource import Change, Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.drain import Drain
from aerodrome.resources.retired import Retired, RetiredFiles, leftovers
from tests.unit.make import Shell, plain

WEB, WORKER = "airflow@webserver.service", "airflow@worker.service"
RETIRED = Retired((WEB, WORKER), (WEB,))
BLOCK = """\
Id={0}
LoadState=loaded
UnitFileState={1}
ActiveState={2}
SubState=running
NRestarts=2
NeedDaemonReload=no
ExecMainStartTimestamp=Sun 2026-11-22 21:14:23 UTC
MainPID=50
"""


def answer(*blocks: tuple[str, str, str]) -> str:
    units = " ".join(unit for unit, _, _ in blocks)
    return f"found {units}\nNow=1795382100\n\n" + "\n".join(BLOCK.format(*block) for block in blocks)


def test_the_probe_as_a_whole() -> None:
    show = (
        "TZ=UTC systemctl show -p "
        "Id,LoadState,UnitFileState,ActiveState,SubState,NRestarts,NeedDaemonReload,ExecMainStartTimestamp,MainPID"
        " $found 2>&1"
    )
    assert RETIRED.probe() == (
        "found=; for unit in airflow@webserver.service airflow@worker.service; do\n"
        'for link in /etc/systemd/system/*.wants/"$unit" /run/systemd/units/invocation:"$unit"; do\n'
        '[ ! -h "$link" ] || { found="$found $unit"; break; }; done; done\n'
        f'[ -z "$found" ] || {{ echo "found$found"; date +Now=%s; echo; {show} || {show}; }}'
    )
    assert Retired((WEB, WORKER), (WORKER,)).probe() == RETIRED.probe()


def test_a_worker_that_is_no_longer_wanted_ends_its_tasks_first() -> None:
    drain = Drain("echo task", 600)
    retired = Retired((WEB, WORKER), (WEB, WORKER), ((WORKER, drain),))
    scripts = [change.script for change in retired.changes(Seen(answer((WORKER, "enabled", "active"))))]
    assert scripts == [f"{drain.stop(WORKER)}\nsystemctl disable {WORKER}"]


def test_on_a_host_without_such_units_nothing_is_started(sh: Shell) -> None:
    done = sh(RETIRED.probe(), programs={"systemctl": "echo called", "date": "echo called"})
    assert (done.stdout, done.returncode) == (b"", 0)


@pytest.mark.parametrize(
    "file, active, summary, script",
    [
        ("enabled", "active", "stop and disable", f"systemctl stop {WEB}\nsystemctl disable {WEB}"),
        ("enabled", "inactive", "disable", f"systemctl disable {WEB}"),
        ("disabled", "activating", "stop", f"systemctl stop {WEB}"),
    ],
)
def test_what_runs_is_stopped_and_what_would_start_is_disabled(
    file: str, active: str, summary: str, script: str
) -> None:
    text = answer((WEB, file, active), (WORKER, "enabled", "active"))
    stops = "stop" in summary
    assert plain(RETIRED.changes(Seen(text))) == [
        Change(f"{summary} {WEB} (no longer in hosts.yaml)", script, interrupts=stops)
    ]


def test_a_unit_that_runs_tasks_ends_them_first() -> None:
    drain = Drain("echo tasks", 600)
    (change,) = Retired((WEB,), (WEB,), ((WEB, drain),)).changes(Seen(answer((WEB, "enabled", "active"))))
    assert change.script == f"{drain.stop(WEB)}\nsystemctl disable {WEB}"


@pytest.mark.parametrize(
    "text", ["", "\n", "PostgreSQL\nRedis\n", answer((WEB, "disabled", "inactive")), answer((WEB, "", "failed"))]
)
def test_what_neither_runs_nor_would_is_left_alone(text: str) -> None:
    assert RETIRED.changes(Seen(text)) == []


def test_what_is_left_over_has_its_state() -> None:
    ((unit, state),) = leftovers(answer((WEB, "enabled", "active")))
    assert (unit, state.active, state.restarts, state.started, state.now) == (
        WEB,
        "active",
        2,
        1795382063,
        1795382100,
    )


@pytest.mark.parametrize(
    "said", ["", "Failed to connect to bus: Connection refused", BLOCK.format(WEB, "enabled", "active")]
)
def test_a_unit_that_systemd_does_not_describe_is_not_taken_to_be_gone(said: str) -> None:
    with pytest.raises(AerodromeError) as caught:
        RETIRED.changes(Seen(f"found {WEB} {WORKER}\nNow=1795382100\n\n{said}\n"))
    assert caught.value.message.startswith("systemd does not give the state of ")
    assert caught.value.message.endswith(WORKER) and caught.value.detail == said.strip()


# Files with secrets

FILES = ("/etc/default/airflow", "/etc/default/airflow-worker", "/etc/default/airflow.local")
ENDED = RetiredFiles("airflow", FILES, (WEB, WORKER))
GONE = (
    "/etc/default/airflow /etc/default/airflow-worker /etc/default/airflow.asked /etc/default/airflow-worker.asked "
    f"/var/lib/aerodrome/started/{WEB} /var/lib/aerodrome/started/{WORKER}"
)


def test_the_probe_for_files_as_a_whole() -> None:
    assert ENDED.probe() == (
        "for link in /run/systemd/units/invocation:airflow@* /etc/systemd/system/*.wants/airflow@*; do\n"
        '[ ! -h "$link" ] || echo "unit ${link##*[:/]}"; done\n'
        f'for file in {" ".join(FILES)}; do [ -e "$file" ] || continue; line=\n'
        '[ -h "$file" ] || [ ! -f "$file" ] || IFS= read -r line <"$file"\n'
        'case $line in *\'Written by Aerodrome\'*) echo "ours $file" ;; *) echo "theirs $file" ;; esac; done'
    )


def test_files_of_ours_go_and_those_written_by_hand_stay() -> None:
    (change,) = ENDED.changes(Seen(f"ours {FILES[0]}\nours {FILES[1]}\ntheirs {FILES[2]}\n"))
    assert change == Change(
        "remove /etc/default/airflow, /etc/default/airflow-worker (this host has no role of Airflow any more)",
        "for link in /run/systemd/units/invocation:airflow@*; do "
        '[ ! -h "$link" ] || { echo "${link##*:} runs"; exit 1; }; done\n'
        f"rm -f {GONE}",
    )
    assert ENDED.changes(Seen("")) == ENDED.changes(Seen(f"theirs {FILES[0]}\n")) == []
    assert ENDED.changes(Seen("ours /etc/passwd\n")) == []


def test_files_that_a_unit_of_somebody_else_reads_stay() -> None:
    mine = f"ours {FILES[0]}\n"
    assert len(ENDED.changes(Seen(f"unit {WORKER}\n{mine}"))) == 1  # it ends before, in the same run
    assert ENDED.changes(Seen(f"unit {WORKER}\nunit airflow@flower.service\n{mine}")) == []


def test_whose_files_they_are_is_seen_in_real_ones(sh: Shell, tmp_path: Path) -> None:
    def here(script: str) -> str:
        script = script.replace("/run/systemd/units", str(tmp_path)).replace("/var/lib/aerodrome", str(tmp_path))
        return script.replace("/etc", str(tmp_path))

    (tmp_path / "default").mkdir()
    ours, worker, local = (tmp_path / path.removeprefix("/etc/") for path in FILES)
    ours.write_text("# Written by Aerodrome from hosts.yaml\nA=1\n")
    worker.symlink_to(ours)
    local.write_text("A=by hand")
    (tmp_path / "invocation:airflow@flower.service").symlink_to("x")
    assert sh(here(ENDED.probe())).stdout.decode() == (
        f"unit airflow@flower.service\nours {ours}\ntheirs {worker}\ntheirs {local}\n"
    )
    os.unlink(tmp_path / "invocation:airflow@flower.service")
    os.mkfifo(tmp_path / "pipe")
    os.rename(tmp_path / "pipe", ours)
    assert sh(here(ENDED.probe())).stdout.decode() == f"theirs {ours}\ntheirs {worker}\ntheirs {local}\n"
    (change,) = ENDED.changes(Seen(f"ours {FILES[0]}\n"))
    (tmp_path / f"invocation:{WORKER}").symlink_to("x")
    done = sh(f"set -eu\n{here(change.script)}")
    assert (done.returncode, done.stdout.decode(), ours.exists()) == (1, f"{WORKER} runs\n", True)
    (tmp_path / f"invocation:{WORKER}").unlink()
    assert sh(f"set -eu\n{here(change.script)}").returncode == 0
    assert not ours.exists() and local.exists()
