"""When units restart, and what happens to their tasks: real systemd, on a bare host."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from aerodrome.core.resource import PRELUDE, Seen
from aerodrome.engine.words import last_words
from aerodrome.resources.drain import Drain, Unreported
from aerodrome.resources.packages import Packages
from aerodrome.resources.systemd import Service, Stopped
from tests.fleet.conftest import Fleet

HOST, UNIT, READS = "worker1", "aerodrome-test.service", ("/etc/aerodrome-test", "/etc/aerodrome-test-link")
# Like a worker: SIGTERM goes to the main process, which exits once its task, another process, has ended.
UNIT_FILE = """\
[Service]
ExecStart=/bin/sh -c 'trap "exit 0" TERM; sh -c "trap exit TERM; while [ -e /run/task ]; do sleep 0.2; done" & \
while :; do wait $!; sleep 0.2; done'
ExecStop=/bin/sh -c 'while [ -e /run/task ]; do sleep 0.2; done'
KillMode=mixed
TimeoutStopSec=3
[Install]
WantedBy=multi-user.target
"""
CENSUS = "[ ! -e /run/task ] || echo '1 running task: sleeper.sleep (manual, 60 s)'"


class Unit:
    """A unit on a host that is converged: asked, changed, asked again."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    def sh(self, command: str) -> str:
        return self.fleet.sh(HOST, command)

    def bring_about(self, resource: Service | Stopped | Unreported) -> tuple[list[str], str]:
        """Return the summaries of the changes, and the output of their scripts."""
        changes = resource.changes(Seen(self.sh(f"{PRELUDE}{resource.probe()}\ntrue")))
        scripts = "\n".join(change.script for change in changes)
        return [change.summary for change in changes], self.sh(f"set -eu\n{PRELUDE}{scripts}")


@pytest.fixture
def unit(bare: Fleet) -> Iterator[Unit]:
    made = Unit(bare)
    made.sh(
        f"cat >/etc/systemd/system/{UNIT} <<'END'\n{UNIT_FILE}END\n"
        f"systemctl daemon-reload; echo 1 >{READS[0]}; ln -sfn /tmp {READS[1]}; rm -f /run/task"
    )
    yield made
    made.sh(
        f"rm -f /run/task; systemctl disable --now {UNIT}; systemctl reset-failed {UNIT} || true; "
        f"rm -f /etc/systemd/system/{UNIT} {READS[0]} {READS[1]} /var/lib/aerodrome/*/{UNIT}; "
        "systemctl daemon-reload"
    )


@pytest.fixture
def started(unit: Unit) -> Unit:
    """The unit, enabled and started by us."""
    unit.bring_about(Service(UNIT, READS))
    assert unit.bring_about(Service(UNIT, READS)) == ([], "")
    return unit


NEW = "/etc/aerodrome-new"
REPLACE = f"mv {NEW} {READS[0]}"
CHANGES = {
    "a time in the future": f"echo 2 >{READS[0]}; touch -d 2040-01-01 {READS[0]}",
    "the clock was set back in between": f"echo 2 >{READS[0]}; touch -d 2020-01-01 {READS[0]}",
    "another file with the same time": f"cp -p {READS[0]} {NEW}; echo 2 >{NEW}; touch -r {READS[0]} {NEW}; {REPLACE}",
    "the same content in a file of somebody else's": f"cp {READS[0]} {NEW}; chown nobody {NEW}; {REPLACE}",
    "a link": f"ln -sfn /var {READS[1]}",
    "a link with a time in the future": f"ln -sfn /var {READS[1]}; touch -hd 2040-01-01 {READS[1]}",
    "a file that is gone": f"rm {READS[0]}",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_has_changed_since_the_start_restarts_once(started: Unit, change: str) -> None:
    started.sh(change)
    (summary,), _ = started.bring_about(Service(UNIT, READS))
    assert summary.startswith(f"restart {UNIT} (")
    assert started.bring_about(Service(UNIT, READS)) == ([], "")


SAME = {
    "another file with the same content": f"cp {READS[0]} {NEW}; {REPLACE}",
    "its time alone": f"touch -d 2040-01-01 {READS[0]}",
    "the same link": f"ln -sfn /var {READS[1]}; ln -sfn /tmp {READS[1]}",
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_the_same_content_restarts_nothing(started: Unit, change: str) -> None:
    started.sh(change)
    assert started.bring_about(Service(UNIT, READS)) == ([], "")


def test_the_same_content_restarts_a_unit_that_may_have_read_another_in_between(started: Unit) -> None:
    started.sh(f"echo 2 >{READS[0]}; systemctl restart {UNIT}; sleep 1.1; echo 1 >{NEW}; {REPLACE}")
    assert started.bring_about(Service(UNIT, READS))[0] == [f"restart {UNIT} ({READS[0]} is newer)"]
    assert started.bring_about(Service(UNIT, READS)) == ([], "")


@pytest.mark.parametrize("by", [f"systemctl restart {UNIT}", f"systemctl kill -s KILL {UNIT}; systemctl start {UNIT}"])
def test_a_start_that_was_not_ours_is_judged_by_times_but_never_by_one_of_the_future(started: Unit, by: str) -> None:
    started.sh(f"echo 2 >{READS[0]}; touch -d 2040-01-01 {READS[0]}")
    started.bring_about(Service(UNIT, READS))
    started.sh(by)
    assert started.bring_about(Service(UNIT, READS)) == ([], "")
    started.sh(f"sleep 1.1; echo 3 >{READS[0]}")
    assert started.bring_about(Service(UNIT, READS))[0] == [f"restart {UNIT} ({READS[0]} is newer)"]


def test_a_unit_of_the_version_before_is_left_alone(started: Unit) -> None:
    started.sh(f"rm /var/lib/aerodrome/started/{UNIT}")
    assert started.bring_about(Service(UNIT, READS)) == ([], "")
    started.sh(f"touch -d 2040-01-01 {READS[0]}")
    words = f"{READS[0]} has a time in the future: check the host's clock"
    assert started.bring_about(Service(UNIT, READS))[0] == [f"restart {UNIT} ({words})"]
    assert started.bring_about(Service(UNIT, READS)) == ([], "")


def drained(unit: Unit, resource: Callable[[Drain], Service | Stopped], meanwhile: str = "true") -> list[str]:
    """Converge a drained unit while a task runs; return the messages."""
    unit.sh(f"touch /run/task; ({meanwhile}) >/dev/null 2>&1 &")
    return unit.bring_about(resource(Drain(CENSUS, 3)))[1].splitlines()


WAITS = "@waiting for 1 running task: sleeper.sleep (manual, 60 s); at most 3 s"


def test_a_task_that_ends_in_time_is_waited_for(started: Unit) -> None:
    assert drained(started, lambda drain: Stopped(UNIT, drain), "sleep 1; rm /run/task") == [WAITS]
    assert started.bring_about(Stopped(UNIT)) == ([], "")


def test_a_task_that_outlasts_its_time_is_reported_as_killed(started: Unit) -> None:
    said = drained(started, lambda drain: Service(UNIT, READS, again=True, drain=drain))
    assert said == [WAITS, "@killed 1 running task: sleeper.sleep (manual, 60 s)"]
    assert started.sh(f"systemctl is-active {UNIT}") == "active\n"
    # It is reported until the run that has heard it asks again.
    words = "1 running task: sleeper.sleep (manual, 60 s)"
    assert started.bring_about(Unreported(UNIT)) == (
        [f"take note: a stop of {UNIT} killed {words}"],
        f"@killed {words}\n",
    )
    assert started.bring_about(Unreported(UNIT)) == ([], "")
    started.sh("rm /run/task")
    assert started.bring_about(Service(UNIT, READS)) == ([], "")


def test_a_unit_that_hangs_after_its_task_has_lost_nothing(started: Unit) -> None:
    started.sh(
        f"mkdir -p /run/systemd/system/{UNIT}.d; printf '[Service]\\nExecStop=/bin/sleep 60\\n' "
        f">/run/systemd/system/{UNIT}.d/hang.conf; systemctl daemon-reload"
    )
    try:
        said = drained(started, lambda drain: Stopped(UNIT, drain), "sleep 1; rm /run/task")
    finally:
        started.sh(f"rm -r /run/systemd/system/{UNIT}.d; systemctl daemon-reload")
    assert said == [WAITS, "@note: it did not stop by itself within 3 s, but no task was lost"]


LOCKED = "import fcntl, time; opened = open('/var/lib/dpkg/lock-frontend', 'r+'); fcntl.lockf(opened, 2); time.sleep(4)"


def test_dpkg_s_lock_is_waited_for_and_its_holder_named(bare: Fleet) -> None:
    bare.sh(
        HOST,
        f'cp /usr/bin/python3 /root/unattended-upgrade; (exec /root/unattended-upgrade -c "{LOCKED}") '
        ">/dev/null 2>&1 & sleep 1",
    )
    wanted = Packages(("tree",), ("tree",))
    (change,) = wanted.changes(Seen(bare.sh(HOST, f"{wanted.probe()}; true")))
    done = bare.lab.run(HOST, f"set -eu\n{PRELUDE}{change.script}")
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        line = done.stdout.splitlines()[0]
        assert line.startswith("@waiting for unattended-upgr (pid ")
        assert line.endswith(") to release /var/lib/dpkg/lock-frontend")
    finally:
        bare.sh(HOST, "rm /root/unattended-upgrade; dpkg --purge tree")


def test_lists_that_apt_cannot_fetch_are_reported_if_a_package_is_not_found(bare: Fleet) -> None:
    broken = "/etc/apt/apt.conf.d/99-broken"
    bare.sh(HOST, f"echo 'Acquire::http::Proxy \"http://127.0.0.1:9\"; Acquire::Retries 0;' >{broken}")
    try:
        (change,) = Packages(("no-such-package",), ()).changes(Seen("apt\n"))
        done = bare.lab.run(HOST, f"set -eu\n{PRELUDE}{change.script}")
    finally:
        bare.sh(HOST, f"rm {broken}")
    words = last_words(done.stdout + done.stderr)
    assert done.returncode == 100
    assert "E: Unable to locate package no-such-package" in words
    assert "apt-get update could not fetch all lists:\n" in words
    assert "127.0.0.1" in words
