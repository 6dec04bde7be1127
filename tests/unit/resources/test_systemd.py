"""Units: what `systemctl show` of systemd 252 printed."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from aerodrome.core.resource import Change, Seen
from aerodrome.resources.systemd import Masked, Service, Stopped, UnitState, show
from tests.unit.make import Shell, only_change, plain

RUNS = """\
MainPID=50
NRestarts=0
ExecMainStartTimestamp=Sun 2026-11-22 21:14:23 UTC
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
NeedDaemonReload=no
InvocationID=0123abcd
"""
STALE = RUNS.replace("NeedDaemonReload=no", "NeedDaemonReload=yes")
STARTED = 1795382063  # date -u -d '2026-11-22 21:14:23' +%s
BETWEEN_CRASHES = """\
MainPID=0
NRestarts=1
ExecMainStartTimestamp=Sun 2026-11-22 21:14:53 UTC
LoadState=loaded
ActiveState=activating
SubState=auto-restart
UnitFileState=enabled
NeedDaemonReload=no
"""
GIVEN_UP = """\
MainPID=0
NRestarts=5
ExecMainStartTimestamp=Sun 2026-11-22 21:14:23 UTC
LoadState=loaded
ActiveState=failed
SubState=failed
UnitFileState=enabled
NeedDaemonReload=no
"""
NOT_THERE = """\
MainPID=0
NRestarts=0
ExecMainStartTimestamp=
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
NeedDaemonReload=no
"""
UNIT = "airflow@worker.service"
RELOAD = "systemctl daemon-reload\n"
RESET = "systemctl reset-failed airflow@worker.service 2>/dev/null || true\n"
START = RESET + "systemctl start airflow@worker.service"
RESTART = "systemctl restart airflow@worker.service"
STAT = "stat -c 'reads %.Y %s %i %n' /etc/default/airflow /home/astro/airflow-venv 2>/dev/null"
CONTENT = """\
content() {
if [ -h "$1" ]; then echo "content $(readlink "$1") $1"
elif [ -f "$1" ] && [ -O "$1" ]; then digest=$(dd if="$1" iflag=nofollow,nonblock,fullblock,count_bytes bs=64K \
count=4194304 status=none | sha256sum); echo "content ${digest%% *} $1"; fi
}"""
NOTED = """\
noted() {
n='
'
about=$n$reads$n; about=${about%%" $1$n"*}; about=${about##*"$n"}; known=$n
[ -n "$about" ] || return 0 # it is gone, or no longer read
[ ! -r /run/aerodrome/contents ] || while IFS= read -r note; do known=$known$note$n; done </run/aerodrome/contents
rest=${known#*"$n$about content "}; digest=${rest%% *}; note="content $digest $1"
case $known in *"$n$about $note$n"*) ;; *)
note=$(content "$1")
[ -z "$note" ] || (umask 077; [ ${#known} -lt 8192 ] || : >/run/aerodrome/contents
printf '%s\\n' "$about $note" >>/run/aerodrome/contents) ;; esac
[ -z "$note" ] || printf '%s\\n' "$note"
}"""
IF_CHANGED = 'case $line in "reads "*) case $reads in *"$line"*) ;; *) noted "${line#reads * * * }" ;; esac ;; esac'
CONTENTS = 'for path in /etc/default/airflow /home/astro/airflow-venv; do content "$path"; done'
INVOCATION = "$(systemctl show -p InvocationID airflow@worker.service)"
RECORD = "/var/lib/aerodrome/started/airflow@worker.service"
SERVICE = Service(UNIT, ("/etc/default/airflow", "/home/astro/airflow-venv"))


@pytest.mark.parametrize(
    "text, state",
    [
        (RUNS, UnitState("loaded", "enabled", "active", "running", 0, False, STARTED, 50, 0, "0123abcd")),
        (BETWEEN_CRASHES, UnitState("loaded", "enabled", "activating", "auto-restart", 1, False, STARTED + 30, 0)),
        (GIVEN_UP, UnitState("loaded", "enabled", "failed", "failed", 5, False, STARTED, 0)),
        (NOT_THERE, UnitState("not-found", "", "inactive", "dead", 0, False, 0, 0)),
        (STALE, UnitState("loaded", "enabled", "active", "running", 0, True, STARTED, 50, 0, "0123abcd")),
        ("", UnitState()),
    ],
)  # fmt: skip
def test_a_unit_as_systemd_tells_it(text: str, state: UnitState) -> None:
    assert UnitState.parse(text) == state


def recorded(start: str) -> str:
    """Return the script that starts SERVICE and records what it was started with."""
    return (
        f"{CONTENT}\nwas={INVOCATION} reads=$({STAT} || true; {CONTENTS})\n{start}\nis={INVOCATION}\n"
        '[ "$is" = "$was" ] || { mkdir -p /var/lib/aerodrome/started && '
        f'(umask 077; printf \'%s\\n\' "$is" "$reads" >{RECORD}.new) && mv {RECORD}.new {RECORD}; }}'
    )


STARTED_ANEW = RESET + recorded("systemctl start airflow@worker.service")
RESTARTED_ANEW = recorded("systemctl restart airflow@worker.service")


def reads(*times: int) -> str:
    """Return what a probe prints of the files that SERVICE reads."""
    return "".join(f"reads {time}.5 3 77 {path}\n" for time, path in zip(times, SERVICE.reads, strict=False))


def record(*times: int, start: str = "0123abcd") -> str:
    """Return what a probe prints of the record of SERVICE's last start."""
    lines = [f"InvocationID={start}", *reads(*times).splitlines()]
    return "".join(f"record {line}\n" for line in lines)


def test_the_probes_as_a_whole() -> None:
    asked = (
        "TZ=UTC systemctl show -p LoadState,UnitFileState,ActiveState,SubState,NRestarts,NeedDaemonReload,"
        "ExecMainStartTimestamp,MainPID airflow@worker.service"
    )
    assert show(UNIT) == Service(UNIT).probe() == Stopped(UNIT).probe() == asked
    assert SERVICE.probe() == (
        f"{asked.replace('MainPID', 'MainPID,InvocationID')}; date +'Now=%s'; {CONTENT}\n{NOTED}\n"
        f"reads=$({STAT}); printf '%s\\n' \"$reads\"\n"
        f"[ ! -r {RECORD} ] || while IFS= read -r line; do printf 'record %s\\n' \"$line\"; "
        f"{IF_CHANGED}; "
        f"done <{RECORD}"
    )


def test_a_unit_that_runs_and_has_read_everything_needs_nothing() -> None:
    times = reads(STARTED, STARTED - 9)
    assert SERVICE.changes(Seen(RUNS + times, frozenset({"file /etc/other"}))) == []


@pytest.mark.parametrize("age, settled", [(-1, True), (0, False), (59, False), (60, True), (9999, True)])
def test_a_unit_that_was_started_just_now_is_not_settled(age: int, settled: bool) -> None:
    assert SERVICE.unsettled(Seen(f"{RUNS}Now={STARTED + age}\n")) is not settled


def test_a_unit_whose_time_was_not_asked_is_settled() -> None:
    assert not SERVICE.unsettled(Seen(RUNS))
    assert UnitState.parse(f"{RUNS}Now={STARTED + 5}\n").now == STARTED + 5


@pytest.mark.parametrize("text", [BETWEEN_CRASHES, GIVEN_UP, NOT_THERE])
def test_a_unit_that_does_not_run_is_started_rather_than_looked_at(text: str) -> None:
    assert not SERVICE.unsettled(Seen(f"{text}Now={STARTED + 31}\n"))


def test_a_unit_that_is_not_there_yet_is_enabled_and_started() -> None:
    assert plain(SERVICE.changes(Seen(NOT_THERE))) == [
        Change(f"enable {UNIT}", f"systemctl enable {UNIT}"),
        Change(f"start {UNIT}", RELOAD + STARTED_ANEW, restarts=UNIT),
    ]


def test_what_comes_before_a_start_comes_before_no_restart() -> None:
    declare = Change("declare the default queue in the broker", "declare")
    service = Service(UNIT, again=True, before=(declare,))
    assert plain(service.changes(Seen(GIVEN_UP))) == [declare, Change(f"start {UNIT}", START, restarts=UNIT)]
    assert only_change(service, RUNS).summary == f"restart {UNIT} (as asked)"


@pytest.mark.parametrize("text", [GIVEN_UP, BETWEEN_CRASHES])
def test_a_unit_that_died_is_started_even_past_its_start_limit(text: str) -> None:
    assert plain(SERVICE.changes(Seen(text))) == [Change(f"start {UNIT}", STARTED_ANEW, restarts=UNIT)]


def test_a_unit_that_runs_but_is_not_enabled_is_not_restarted() -> None:
    change = only_change(SERVICE, RUNS.replace("=enabled", "=disabled"))
    assert (change.script, change.restarts, change.interrupts) == (f"systemctl enable {UNIT}", "", False)


@pytest.mark.parametrize(
    "seen, reason",
    [
        (Seen(RUNS, frozenset({"file /etc/default/airflow"})), "/etc/default/airflow changes"),
        (Seen(RUNS, frozenset({"link /home/astro/airflow-venv"})), "/home/astro/airflow-venv changes"),
        # Killed between the write and the restart: the next run makes good for it.
        (Seen(f"{RUNS}{reads(STARTED + 1)}"), "/etc/default/airflow is newer"),
        # The same, where the clock was set back in between: it was this very start that was recorded.
        (Seen(f"{RUNS}{reads(STARTED - 9)}{record(STARTED)}"), "/etc/default/airflow has changed since its start"),
        (Seen(f"{RUNS}{record(STARTED)}"), "/etc/default/airflow has changed since its start"),  # removed
        # Started anew by hand or by systemd since it was recorded: times have to do.
        (Seen(f"{RUNS}{reads(STARTED + 1)}{record(STARTED, start='other')}"), "/etc/default/airflow is newer"),
        (
            Seen(f"{RUNS}Now={STARTED + 60}\n{reads(STARTED + 9999)}"),
            "/etc/default/airflow has a time in the future: check the host's clock",
        ),
    ],
)
def test_a_unit_that_runs_with_something_old_is_restarted(seen: Seen, reason: str) -> None:
    assert plain(SERVICE.changes(seen)) == [
        Change(f"restart {UNIT} ({reason})", RESTARTED_ANEW, restarts=UNIT, interrupts=True)
    ]


def test_what_a_unit_was_started_with_and_no_longer_reads_does_not_matter() -> None:
    """A setting may have been taken out of hosts.yaml, or taken back."""
    text = f"{RUNS}{reads(STARTED)}{record(STARTED)}record reads {STARTED}.5 9 77 /usr/local/airflow/airflow.cfg\n"
    assert SERVICE.changes(Seen(text)) == []


@pytest.mark.parametrize("start", ["0123abcd", "other"])
def test_a_time_in_the_future_restarts_nothing_a_second_time(start: str) -> None:
    text = f"{RUNS}Now={STARTED + 60}\n{reads(STARTED + 9999)}{record(STARTED + 9999, start=start)}"
    assert SERVICE.changes(Seen(text)) == []


def content(*digests: str, of: str = "content") -> str:
    """Return what a probe prints of the contents of what SERVICE reads."""
    return "".join(f"{of} {each} {path}\n" for each, path in zip(digests, SERVICE.reads, strict=False))


def test_the_same_content_in_another_file_restarts_nothing() -> None:
    text = RUNS + reads(STARTED + 9) + content("abc") + record(STARTED) + content("abc", of="record content")
    assert SERVICE.changes(Seen(text)) == []
    for other in (content("abd"), "", content("abc").replace("content ", "")):
        assert SERVICE.changes(Seen(text.replace(content("abc"), other, 1)))[0].summary.endswith("since its start)")
    # It may have read another one if it was started anew since then.
    assert SERVICE.changes(Seen(text.replace("record InvocationID=", "record InvocationID=x")))


def test_what_has_changed_before_a_start_by_hand_restarts_nothing() -> None:
    assert SERVICE.changes(Seen(f"{RUNS}{reads(STARTED - 5)}{record(STARTED - 99, start='other')}")) == []


def test_a_record_that_is_broken_is_none() -> None:
    assert SERVICE.changes(Seen(f"{RUNS}{reads(STARTED)}record reads x\nrecord \nreads\nreads x y z\n")) == []


def test_what_a_unit_was_started_with_is_recorded(sh: Shell, tmp_path: Path) -> None:
    path, log = tmp_path / "a file", tmp_path / "log"
    path.write_text("one")
    service = Service(UNIT, (str(path), f"{tmp_path}/none"))
    systemctl = (
        f'case $1 in show) echo "InvocationID=$(cat {log} 2>/dev/null | wc -l)";; restart) echo x >>{log};; esac'
    )

    def here(script: str) -> str:
        return script.replace("/var/lib/aerodrome", str(tmp_path)).replace("/run/aerodrome", str(tmp_path))

    script = only_change(Service(UNIT, service.reads, again=True), RUNS).script

    def asked() -> list[str]:
        text = sh(here(service.probe()), programs={"systemctl": systemctl}).stdout.decode()
        return [line for line in text.splitlines() if not line.startswith("Now=")]

    (invocation, before) = asked()
    assert sh(f"set -eu\n{here(script)}", programs={"systemctl": systemctl}).returncode == 0
    one = f"record content {sha256(b'one').hexdigest()} {path}"
    assert asked() == ["InvocationID=1", before, "record InvocationID=1", f"record {before}", one]
    assert (tmp_path / "started" / UNIT).stat().st_mode & 0o777 == 0o600
    assert invocation == "InvocationID=0"
    # What was up already has been recorded by nobody.
    path.write_text("another")
    start = only_change(service, GIVEN_UP).script
    assert sh(f"set -eu\n{here(start)}", programs={"systemctl": systemctl}).returncode == 0
    assert asked()[3:] == [f"record {before}", f"content {sha256(b'another').hexdigest()} {path}", one]
    assert asked()[1] != before


def test_a_file_that_was_replaced_is_looked_at_once(sh: Shell, tmp_path: Path) -> None:
    paths = [tmp_path / "a file", tmp_path / "file", tmp_path / "link"]
    for path in paths[:2]:
        path.write_text("one")
    paths[2].symlink_to("/tmp")
    beside = tuple((unit, tuple(map(str, paths))) for unit in (UNIT, "other.service"))
    service = Service(UNIT, beside[0][1], beside=beside)
    record = "".join(f"reads 1.5 3 77 {path}\n" for path in paths)
    (tmp_path / "started").mkdir()
    for unit, _ in beside:
        (tmp_path / "started" / unit).write_text(record)
    log = tmp_path / "log"
    programs = {
        "systemctl": ":",
        "sha256sum": f"echo hashed >>{log}; exec /usr/bin/sha256sum",
        "readlink": f'echo link >>{log}; exec /usr/bin/readlink "$@"',
    }

    def contents() -> tuple[set[str], int]:
        script = service.probe().replace("/var/lib/aerodrome", str(tmp_path)).replace("/run/aerodrome", str(tmp_path))
        log.write_text("")
        text = sh(script, programs=programs).stdout.decode()
        return {line for line in text.splitlines() if line.startswith("content ")}, len(log.read_text().split())

    one, other = sha256(b"one").hexdigest(), sha256(b"other").hexdigest()
    wanted = {f"content {one} {path}" for path in paths[:2]} | {f"content /tmp {paths[2]}"}
    assert contents() == (wanted, 3)  # by both units
    assert contents() == (wanted, 0)
    assert (tmp_path / "contents").stat().st_mode & 0o777 == 0o600
    paths[1].write_text("other")
    assert contents() == (wanted - {f"content {one} {paths[1]}"} | {f"content {other} {paths[1]}"}, 1)
    (tmp_path / "started" / UNIT).write_text(record + "reads 1.5 3 77 /etc/hostname\n")  # no longer read
    paths[1].unlink()
    assert contents() == (wanted - {f"content {one} {paths[1]}"}, 0)
    (tmp_path / "contents").write_text("x" * 8192 + "\n")
    assert contents()[1] == 2
    assert len((tmp_path / "contents").read_text()) < 8192
    assert contents()[1] == 0


def test_a_unit_whose_unit_file_is_newer_is_restarted() -> None:
    change = Change(f"restart {UNIT} (its unit file is newer)", RELOAD + RESTARTED_ANEW, restarts=UNIT, interrupts=True)
    assert plain(SERVICE.changes(Seen(STALE))) == [change]


@pytest.mark.parametrize("text", [STALE, GIVEN_UP.replace("NeedDaemonReload=no", "NeedDaemonReload=yes")])
def test_unit_files_that_a_killed_run_has_written_are_read_first(text: str) -> None:
    assert only_change(SERVICE, text).script.startswith(RELOAD)


def test_what_a_unit_does_not_read_restarts_nothing() -> None:
    assert Service(UNIT).changes(Seen(RUNS, frozenset({"file /etc/default/airflow", "python environment"}))) == []


def test_a_restart_that_was_asked_for() -> None:
    assert only_change(Service(UNIT, again=True), RUNS).summary == f"restart {UNIT} (as asked)"


def test_a_restart_that_was_asked_for_starts_what_does_not_run() -> None:
    assert only_change(Service(UNIT, again=True), GIVEN_UP).summary == f"start {UNIT}"


def test_a_unit_that_has_died_before_is_not_settled() -> None:
    assert Service(UNIT).unsettled(Seen(RUNS.replace("NRestarts=0", "NRestarts=2")))
    assert not Service(UNIT).unsettled(Seen(RUNS))


@pytest.mark.parametrize("text", [GIVEN_UP, NOT_THERE, ""])
def test_a_unit_that_does_not_run_need_not_be_stopped(text: str) -> None:
    assert Stopped(UNIT).changes(Seen(text)) == []


@pytest.mark.parametrize("text", [RUNS, BETWEEN_CRASHES])
def test_a_unit_that_runs_or_will_is_stopped(text: str) -> None:
    assert plain(Stopped(UNIT).changes(Seen(text))) == [
        Change(f"stop {UNIT}", f"systemctl stop {UNIT}", interrupts=True)
    ]


# Several units of a host

BESIDE = ((UNIT, SERVICE.reads), ("other.service", ("/etc/default/airflow", "/etc/other")))
SERVICES = [Service(unit, reads, beside=BESIDE) for unit, reads in BESIDE]


def test_all_units_of_a_host_are_asked_for_at_once() -> None:
    worker, other = SERVICES
    assert worker.probe() == other.probe()
    assert worker.probe() == (
        f"{CONTENT}\n{NOTED}\n"
        "reads=$(stat -c 'reads %.Y %s %i %n' /etc/default/airflow /home/astro/airflow-venv /etc/other 2>/dev/null); "
        "printf '%s\\n' \"$reads\"\n"
        f'for unit in {UNIT} other.service; do [ ! -r /var/lib/aerodrome/started/"$unit" ] || '
        f'while IFS= read -r line; do printf \'%s record %s\\n\' "$unit" "$line"; {IF_CHANGED}; '
        'done </var/lib/aerodrome/started/"$unit"; done\n'
        "echo; TZ=UTC systemctl show -p Id,LoadState,UnitFileState,ActiveState,SubState,NRestarts,NeedDaemonReload,"
        f"ExecMainStartTimestamp,MainPID,InvocationID {UNIT} other.service; date +'Now=%s'"
    )


def test_of_all_units_each_takes_what_is_its_own() -> None:
    worker, other = SERVICES
    stated = f"{reads(STARTED + 1, STARTED)}reads {STARTED + 9}.5 3 77 /etc/other\n"
    started = f"{record(STARTED + 1, STARTED)}".replace("record ", f"{UNIT} record ")
    states = f"Id={UNIT}\n{RUNS}\nId=other.service\n{BETWEEN_CRASHES}"
    seen = Seen(f"{stated}{started}\n{states}Now={STARTED + 9999}\n")
    assert worker.changes(seen) == []
    assert not worker.unsettled(seen)
    assert [change.summary for change in other.changes(seen)] == ["start other.service"]
    both_run = Seen(f"{stated}{started}\nId={UNIT}\n{RUNS}\nId=other.service\n{STALE}Now={STARTED + 30}\n")
    assert [change.summary for change in worker.changes(both_run)] == []
    assert worker.unsettled(both_run)
    assert only_change(other, both_run.text).summary == (
        "restart other.service (/etc/default/airflow, /etc/other is newer)"
    )


def test_of_all_units_each_is_compared_with_what_it_was_started_with() -> None:
    worker, other = SERVICES
    path = other.reads[0]
    stated = f"reads {STARTED + 5}.5 3 77 {path}\ncontent same {path}\n"
    started = "".join(
        f"{unit} record {line}\n"
        for unit, digest in ((UNIT, "same"), ("other.service", "another"))
        for line in ("InvocationID=0123abcd", f"reads {STARTED}.5 3 66 {path}", f"content {digest} {path}")
    )
    states = "".join(f"\nId={unit}\n{RUNS}" for unit in (UNIT, "other.service"))
    seen = Seen(f"{stated}{started}{states}Now={STARTED + 9999}\n")
    assert worker.changes(seen) == []
    assert only_change(other, seen.text).summary == f"restart other.service ({path} has changed since its start)"


@pytest.mark.parametrize("service", SERVICES)
def test_a_host_that_answers_nothing_about_its_units_has_none(service: Service) -> None:
    assert [change.summary for change in service.changes(Seen(""))] == [
        f"enable {service.unit}",
        f"start {service.unit}",
    ]


# Masked


def test_a_unit_is_masked_before_its_package_brings_it() -> None:
    masked = Masked("redis-server.service")
    assert masked.probe() == "systemctl show -p LoadState redis-server.service"
    assert plain(masked.changes(Seen("LoadState=not-found\n"))) == [
        Change("keep redis-server.service from starting by itself", "systemctl mask -q redis-server.service")
    ]


@pytest.mark.parametrize("text", ["LoadState=loaded\n", "LoadState=masked\n", ""])
def test_a_unit_that_is_there_or_masked_is_left_alone(text: str) -> None:
    assert Masked("redis-server.service").changes(Seen(text)) == []
