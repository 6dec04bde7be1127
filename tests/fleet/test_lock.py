"""The fleet's lock and history: however a run ends, the next one succeeds, and the history says who did what."""

from __future__ import annotations

import hashlib
import json
import re
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aerodrome.core.lock import Claim
from tests.fleet.conftest import HOSTS, Fleet
from tests.fleet.controllers import NODES, TASK, Controller, names_of, told
from tests.real import wait

pytestmark = pytest.mark.usefixtures("names", "free")

HISTORY = "/var/lib/aerodrome/history"


@pytest.fixture
def free(bare: Fleet) -> Iterator[None]:
    """Ensure that the lock is free, before and after."""
    bare.sh("db1", "rm -f /var/lib/aerodrome/lock")
    yield
    bare.sh("db1", "rm -f /var/lib/aerodrome/lock")


def history(of: Controller, *arguments: str) -> Any:
    return json.loads(of.fab("history", "--json", *arguments).out)


def lock(of: Controller) -> dict[str, Any]:
    return dict(json.loads(of.fab("lock.status", "--json").out))


def whole(fleet: Fleet) -> None:
    """Assert that no record of the history is torn, and that there are no stray files."""
    lines = fleet.sh("db1", f"cat {HISTORY}/*.jsonl").splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)
    names = fleet.sh("db1", f"ls -A {HISTORY}").split()
    assert [name for name in names if not re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{4}\.jsonl(\.new)?", name)] == []


def test_a_run_is_written_down_where_the_lock_is_and_where_it_changed_something(bare: Fleet, ann: Controller) -> None:
    ann.fab(TASK)
    (last,) = history(ann, "--last=1")
    assert (last["performer"], last["command"], last["outcome"]) == ("ann@test", f"fab {TASK}", "changed")
    assert last["changed"] == dict.fromkeys(NODES, ["block /etc/hosts"])
    assert last["hosts_file"] == f"sha256:{hashlib.sha256(ann.hosts_yaml.read_bytes()).hexdigest()}"
    assert re.fullmatch(r"\d+\.\d+\.\d+\+[0-9a-f]{12}", last["version"])
    assert (last["why"], last["errors"]) == ("4 changes on 4 of 4 hosts", [])
    assert 0 < last["seconds"] < 60

    path = f"{HISTORY}/{last['run']}.jsonl"
    assert bare.sh("db1", f"stat -c '%U %a' /var/lib/aerodrome {HISTORY} {path}") == "root 700\nroot 700\nroot 600\n"
    for host in HOSTS:
        lines = bare.sh(host, "journalctl -q -t aerodrome -o cat").splitlines()
        mine = [line for line in lines if last["run"] in line]
        assert len(mine) == (1 if host in NODES else 0)
        assert all("node.hosts: block /etc/hosts" in line and "ann@test: fab node.hosts" in line for line in mine)

    run = history(ann, f"--run={last['run'][-4:]}")
    assert [(each["stage"], each["hosts"]) for each in run["stages"]] == [(TASK, NODES)]
    shown = ann.fab("history", f"--run={last['run']}").out
    assert "changed on worker2  block /etc/hosts\n" in shown
    row = ann.fab("history", "--last=1").out
    assert re.fullmatch(rf"{last['run']}  ann@test  changed, \d+ s  fab {TASK}: 4 hosts changed\n", row)

    before = bare.sh("db1", f"ls {HISTORY}")
    again = ann.fab(TASK)
    assert again.err.splitlines()[-1] == "no changes"
    assert bare.sh("db1", f"ls {HISTORY}") == before


def test_a_run_that_fails_is_written_down_with_why(bare: Fleet, ann: Controller) -> None:
    bare.sh("worker1", "mount --bind /etc/hosts /etc/hosts")  # no other file can take its place
    try:
        ann.fab(TASK, code=1)
    finally:
        bare.sh("worker1", "umount /etc/hosts")
    (last,) = history(ann, "--last=1")
    assert last["outcome"] == "failed"
    (error,) = last["errors"]
    assert error == "worker1: node.hosts: could not update the block in /etc/hosts (exit 1)"
    assert list(last["changed"]) == NODES
    assert lock(ann) == {"state": "free"}


# A controller that is killed


def test_what_a_killed_run_has_left_is_its_performers(
    bare: Fleet, ann: Controller, bob: Controller, release: Callable[[], None]
) -> None:
    first = ann.start(TASK)
    told(first, "worker2  waiting for another run that is at work on this host")
    assert (lock(bob)["state"], lock(bob)["performer"]) == ("running", "ann@test")
    assert history(bob, "--last=1")[0]["outcome"] == "running"
    busy = bob.fab("lock.release", "--reason=impatience", code=1)
    assert "db1: lock: cannot take the fleet's lock, nothing was changed: waited 0 s for ann@test: fab" in busy.err
    second = bob.start(TASK)
    told(second, "waiting for ann@test: fab node.hosts")
    first.kill()
    first.communicate()

    # Bob's run waited for Ann's, which was killed: she has to finish it.
    _, said = second.communicate(timeout=60)
    assert second.returncode == 1
    assert re.search(
        r"db1: lock: cannot take the fleet's lock, nothing was changed: a run of ann@test that began \d+ s ago did not "
        r"end: fab node\.hosts \(\S+\) → if nobody is going to finish it: fab lock\.release --reason=…",
        said,
    )
    state = lock(bob)
    assert (state["state"], state["performer"], state["command"]) == ("left", "ann@test", f"fab {TASK}")
    assert history(bob, "--last=1")[0]["outcome"] == "killed"
    release()
    done = ann.fab(TASK)
    assert re.search(r"db1 +note: a run of ann@test that began .* did not end: .*: this run takes it over", done.err)
    assert lock(ann) == {"state": "free"}
    assert [each["outcome"] for each in history(ann, "--last=2")] == ["changed", "killed"]
    assert names_of(bare) == {"of-ann"}
    bob.fab(TASK)
    whole(bare)


def test_a_run_that_is_killed_while_it_waits_leaves_nothing(
    bare: Fleet, ann: Controller, bob: Controller, release: Callable[[], None]
) -> None:
    first = ann.start(TASK)
    told(first, "worker2  waiting for another run")
    second = bob.start(TASK)
    told(second, "waiting for ann@test")
    second.kill()
    second.communicate()
    release()
    _, said = first.communicate(timeout=60)
    assert first.returncode == 0, said
    assert lock(ann) == {"state": "free"}
    assert history(ann, "--last=1")[0]["performer"] == "ann@test"
    assert names_of(bare) == {"of-ann"}


def test_killed_at_any_moment_the_next_run_ends_in_the_same_state(bare: Fleet, ann: Controller) -> None:
    # Lock taken; a host busy; that host done; all done, and the lock being released.
    for moment in ("stage", "change", "change_end", "stage_end"):
        bare.fab(TASK)
        process = ann.start(TASK, "--json")
        assert process.stdout is not None
        assert any(json.loads(line)["event"] == moment for line in process.stdout)
        process.kill()
        process.communicate()
        done = ann.fab(TASK)
        assert "takes it over" in done.err or moment == "stage_end", moment  # it may have released it before
        bare.sh("db1", "[ ! -e /var/lib/aerodrome/lock ]")
        assert names_of(bare) == {"of-ann"}
        whole(bare)
    ann.fab(TASK)


def test_whoever_breaks_a_lock_says_why(
    bare: Fleet, ann: Controller, bob: Controller, release: Callable[[], None]
) -> None:
    first = ann.start(TASK)
    told(first, "worker2  waiting for another run")
    first.kill()
    first.communicate()
    release()
    wait("the lock is left", lambda: lock(bob)["state"] == "left", patience=30)
    quiet = bob.fab("-H", "sched1", "lock.status")
    assert quiet.out.startswith("a run of ann@test that began ")
    done = bob.fab("lock.release", "--reason=Ann is on holiday")
    assert done.err.startswith("released: a run of ann@test that began ")
    assert lock(bob) == {"state": "free"}
    newest = history(bob, "--last=1")[0]
    assert (newest["command"], newest["why"], newest["outcome"]) == (
        "fab lock.release",
        "Ann is on holiday",
        "released",
    )
    assert bob.fab("lock.release", "--reason=again").err == "the lock was free\n"
    bob.fab(TASK)
    assert names_of(bare) == {"of-bob"}


def test_a_run_that_a_signal_ends_gives_the_lock_back(
    bare: Fleet, ann: Controller, bob: Controller, release: Callable[[], None]
) -> None:
    # A CI job that is cancelled; a terminal that is closed.
    for number in (signal.SIGTERM, signal.SIGHUP):
        process = ann.start(TASK)
        told(process, "worker2  waiting for another run")
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 128 + number, said
        assert "interrupted; run the same command again" in said
        assert lock(bob) == {"state": "free"}
        assert history(bob, "--last=1")[0]["outcome"] == "interrupted"
    release()
    bob.fab(TASK)
    whole(bare)


def test_a_run_with_nothing_left_to_do_releases_what_its_performer_has_left(bare: Fleet, ann: Controller) -> None:
    # Killed after its last change. The next run of these hosts has no other business with the one that keeps the lock.
    ann.fab(TASK)
    claim = Claim("20260101T000000Z-dead", "ann@test", f"fab {TASK}", "4 changes on 4 of 4 hosts").record()
    bare.sh("db1", f"umask 077; cat >/var/lib/aerodrome/lock <<'END'\n{claim}\nEND")
    assert lock(ann)["state"] == "left"
    done = ann.fab(TASK)
    assert "this run takes it over" in done.err
    assert done.err.splitlines()[-1] == "no changes"
    assert lock(ann) == {"state": "free"}


def test_a_record_that_a_power_loss_has_damaged_is_reported_as_broken(bare: Fleet, ann: Controller) -> None:
    bare.sh("db1", f"head -c 300 /dev/zero >/var/lib/aerodrome/lock; touch {HISTORY}/20260101T000000Z-dead.jsonl")
    refused = ann.fab(TASK, code=1)
    assert "the record of the fleet's lock is broken (/var/lib/aerodrome/lock, " in refused.err
    assert lock(ann)["state"] == "broken"
    assert history(ann, "--run=dead")["outcome"] == "broken"
    ann.fab("lock.release", "--reason=power loss")
    ann.fab(TASK)
    bare.sh("db1", f"rm {HISTORY}/20260101T000000Z-dead.jsonl")


# Maintenance


def test_a_fleet_that_is_held_is_changed_by_nobody(bare: Fleet, ann: Controller, bob: Controller) -> None:
    ann.fab("lock.hold", "--reason=new switches, until 18:00")
    state = lock(bob)
    assert (state["state"], state["performer"], state["why"]) == ("held", "ann@test", "new switches, until 18:00")
    for who in (ann, bob):
        refused = who.fab(TASK, code=1)
        assert re.search(
            r"nothing was changed: ann@test has held the fleet for \d+ s: new switches, until 18:00 → once that is "
            r"over: fab lock\.release --reason=…",
            refused.err,
        )
    assert "ann@test has held the fleet" in bob.fab("lock.hold", "--reason=me too", code=1).err
    assert names_of(bare) == {""}
    bare.nothing_to_do(TASK)  # runs that change nothing are not stopped

    bob.fab("lock.release", "--reason=done early")
    bob.fab(TASK)
    assert names_of(bare) == {"of-bob"}
    outcomes = [(each["command"], each["outcome"]) for each in history(bob, "--last=3")]
    assert outcomes == [(f"fab {TASK}", "changed"), ("fab lock.release", "released"), ("fab lock.hold", "held")]


def test_programs_read_how_a_hold_begins_and_ends(bare: Fleet, ann: Controller) -> None:
    def events(*arguments: str, code: int = 0) -> list[dict[str, Any]]:
        return [json.loads(line) for line in ann.fab(*arguments, "--json", code=code).out.splitlines()]

    begin, note, end = events("lock.hold", "--reason=freeze")
    assert (begin["event"], begin["performer"], begin["command"]) == ("begin", "ann@test", "fab lock.hold")
    assert note["text"] == "the fleet is held: nothing changes until fab lock.release --reason=…"
    assert (end["outcome"], end["changed"]) == ("held", [])
    assert history(ann, "--last=1")[0]["run"] == begin["run"]

    *_, end = events("lock.hold", "--reason=again", code=1)
    assert end["outcome"] == "failed"
    assert "ann@test has held the fleet" in end["errors"][0]["message"]

    _, note, end = events("lock.release", "--reason=thaw")
    assert re.match(r"released: ann@test has held the fleet for \d+ s: freeze", note["text"])
    assert (end["outcome"], end["changed"]) == ("released", [])
    _, note, end = events("lock.release", "--reason=again")
    assert (note["text"], end["outcome"]) == ("the lock was free", "unchanged")


# If it cannot be written, or its host cannot be asked


@pytest.fixture
def small(bare: Fleet) -> Iterator[None]:
    """Keep /var/lib/aerodrome of db1 in a file system of 64 kB, empty at first."""
    bare.sh("db1", "mount -t tmpfs -o size=64k,mode=0700 tmpfs /var/lib/aerodrome")
    yield
    bare.sh("db1", "umount /var/lib/aerodrome")


FILL = "head -c 1M /dev/zero >/var/lib/aerodrome/fill 2>/dev/null; true"


@pytest.mark.usefixtures("small")
def test_where_a_run_cannot_be_written_down_nothing_is_changed(bare: Fleet, ann: Controller) -> None:
    bare.sh("db1", FILL)
    refused = ann.fab(TASK, code=1)
    assert (
        "db1: lock: cannot take the fleet's lock, nothing was changed: cannot write to /var/lib/aerodrome on db1"
        in (refused.err)
    )
    assert "No space left on device → make room there: fab -H db1 run 'df -h /var/lib/aerodrome'" in refused.err
    assert names_of(bare) == {""}
    bare.nothing_to_do(TASK)
    bare.sh("db1", "rm /var/lib/aerodrome/fill")
    ann.fab(TASK)
    assert names_of(bare) == {"of-ann"}


@pytest.mark.usefixtures("small")
def test_a_disk_that_is_full_at_the_end_is_reported_and_is_no_failure(
    bare: Fleet, ann: Controller, release: Callable[[], None]
) -> None:
    process = ann.start(TASK)
    told(process, "worker2  waiting for another run")
    bare.sh("db1", FILL)
    release()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "db1      note: this run is not recorded to its end: cannot write to /var/lib/aerodrome/history" in said
    assert names_of(bare) == {"of-ann"}
    bare.sh("db1", "rm /var/lib/aerodrome/fill")
    assert lock(ann) == {"state": "free"}
    assert history(ann, "--last=1")[0]["outcome"] == "killed"
    whole(bare)


def test_a_host_of_the_lock_that_is_down_is_named_with_what_to_do(bare: Fleet, ann: Controller) -> None:
    bare.sh("db1", "systemctl stop ssh.socket ssh 2>/dev/null; systemctl stop ssh")
    try:
        refused = ann.fab(TASK, code=1)
        bare.nothing_to_do(TASK)
    finally:
        bare.sh("db1", "systemctl start ssh")
    assert "db1: lock: cannot take the fleet's lock, nothing was changed: cannot connect to " in refused.err
    assert "db1 keeps the fleet's lock and history: nothing can be changed before it answers" in refused.err
    assert names_of(bare) == {""}
    ann.fab(TASK)
