"""Apply: the scripts as a whole, and in real shells."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from aerodrome.core.check import Finding
from aerodrome.core.plan import (
    HostPlan,
    PlannedChange,
    apply_script,
    plan_host,
    probe_script,
    read_probe,
    readable_script,
)
from aerodrome.core.resource import Change
from aerodrome.core.step import Step
from aerodrome.resources.postgres import PostgresAccount, scram_verifier
from aerodrome.secrets import MASK, Secret
from tests.unit.core.things import LOCKED, PRELUDE, Asked, Thing, local, planned
from tests.unit.make import Shell


def test_the_script_of_an_apply_as_a_whole() -> None:
    changes = planned("echo one", "", "echo three", payload=b"bytes")
    steps = [Step("a", (Thing("one", "echo asked"),))]
    apply = apply_script(changes, steps, "n0nce")
    assert apply.script == (
        f"set -eu\n{PRELUDE}{LOCKED.format('-x')}"
        "printf '\\n@%s %s\\n' n0nce 0 # step.0: do 0\n{\necho one\n} 9<&-\n"
        "printf '\\n@%s %s\\n' n0nce 2 # step.2: do 2\n{\necho three\n} 9<&-\n"
        f"printf '\\n@%s done\\n' n0nce\nset +eu\n{probe_script(steps, 'n0nce')}"
    )
    assert apply.payload == b"bytesbytes"


def test_nothing_that_a_script_starts_inherits_the_lock_or_the_payload(sh: Shell, tmp_path: Path) -> None:
    # A process that is left behind would hold the lock forever, and could read the secrets of later changes.
    started = "until grep -q sleep /proc/$!/comm; do :; done"  # before, it is a shell, which has both
    left = f"(exec sleep 30) & {started}; ls -l /proc/$!/fd /proc/self/fd >>'{tmp_path}/seen'"
    left += f"; echo $! >>'{tmp_path}/pids'"
    changes = [
        PlannedChange("a", "x", Change("one", left)),
        PlannedChange("a", "x", Change("two", f"{left}; head -c 6 <&3", payload=b"secret")),
    ]
    steps = [
        Step(
            "b",
            (Thing("one", f"ls -l /proc/self/fd >>'{tmp_path}/seen'; $(readlink -f /proc/$$/exe) -c 'echo asked'"),),
        )
    ]
    script = local(apply_script(changes, steps, "n0nce").script, tmp_path)
    try:
        done = sh(f"({script}) >'{tmp_path}/out' 2>&1", b"secret")
        assert (tmp_path / "out").read_text().count("secret") == 1, done
        seen = [line.split(" -> ")[1] for line in (tmp_path / "seen").read_text().splitlines() if " -> " in line]
        assert seen
        assert not [path for path in seen if path.endswith("/lock")]
        assert len([path for path in seen if path.endswith("payload")]) <= 2, "only a change that reads it has it"
        subprocess.run(["flock", "-n", "-x", f"{tmp_path}/run aerodrome/lock", "true"], check=True)
    finally:
        subprocess.run(["kill", *(tmp_path / "pids").read_text().split()], check=False)


def test_the_lock_is_held_while_a_change_is_made(sh: Shell, tmp_path: Path) -> None:
    free = f"flock -n -x '{tmp_path}/run aerodrome/lock' true && echo free || echo held"
    steps = [Step("b", (Thing("one", free),))]
    done = sh(local(apply_script(planned(free), steps, "n0nce").script, tmp_path))
    assert done.stdout.split().count(b"held") == 2, done


def test_changes_are_made_in_order_and_read_their_own_bytes(sh: Shell, tmp_path: Path) -> None:
    changes = [
        PlannedChange("a", "x", Change("one", "head -c 3 <&3", payload=b"abc")),
        PlannedChange("b", "y", Change("two", "head -c 2 <&3; echo", payload=b"de")),
    ]
    apply = apply_script(changes, [], "n0nce")
    done = sh(local(apply.script, tmp_path), apply.payload)
    assert done.stdout == b"\n@n0nce 0\nabc\n@n0nce 1\nde\n\n@n0nce done\n\n@n0nce end\n"
    assert done.returncode == 0


def test_after_the_changes_the_host_is_asked_again_whatever_they_left_behind(sh: Shell, tmp_path: Path) -> None:
    steps = [Step("a", (Thing("one", "false; pwd; umask; head -c 1 <&3; cat"), Thing("two", 'echo "$unset"')))]
    apply = apply_script(planned("cd /tmp; umask 077; export PATH=/nowhere"), steps, "n0nce")
    output = sh(local(apply.script, tmp_path), b"").stdout.decode()
    assert read_probe(output.partition("@n0nce done\n")[2], steps, "n0nce") == ["/\n0022\n", "\n"]


def test_another_run_can_come_between_a_change_and_the_question(sh: Shell, tmp_path: Path) -> None:
    # The write lock is released before the read lock is taken, so nobody waits for themselves.
    script = local(apply_script(planned("echo one"), [], "n0nce").script, tmp_path)
    assert b"waiting" not in sh(script).stdout


@pytest.mark.parametrize("failing", ["false", "exit 3", "no-such-command", 'echo "$unset"', "false | true; (exit 4)"])
def test_the_first_change_that_fails_is_the_last(sh: Shell, tmp_path: Path, failing: str) -> None:
    apply = apply_script(planned("echo one", failing, "echo three"), [], "n0nce")
    done = sh(local(apply.script, tmp_path))
    assert done.returncode != 0
    assert done.stdout == b"\n@n0nce 0\none\n\n@n0nce 1\n"


def test_a_change_starts_at_the_root_with_a_known_path_and_mask(sh: Shell, tmp_path: Path) -> None:
    apply = apply_script(planned('pwd; umask; echo "$PATH"'), [], "n0nce")
    assert sh(local(apply.script, tmp_path)).stdout.decode().splitlines()[2:5] == [
        "/",
        "0022",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]


# One run at a time


@pytest.fixture
def held(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Another run that takes a moment."""
    script = apply_script(
        planned(f"touch '{tmp_path}/begun'; sleep 1; echo over >'{tmp_path}/over'"), [], "other"
    ).script
    process = subprocess.Popen(["sh", "-c", local(script, tmp_path)], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    yield
    process.wait(10)


def test_a_probe_waits_for_a_run_that_is_at_work_and_says_so(sh: Shell, tmp_path: Path, held: None) -> None:
    steps = [Step("a", (Thing("one", f"cat '{tmp_path}/over'"),))]
    output = sh(local(probe_script(steps, "n0nce"), tmp_path)).stdout.decode()
    assert output.startswith("@waiting for another run that is at work on this host\n")
    assert read_probe(output, steps, "n0nce") == ["over\n"]


def test_after_too_long_the_wait_is_given_up(sh: Shell, tmp_path: Path, held: None) -> None:
    script = apply_script(planned("echo never"), [], "n0nce").script.replace("-w 900", "-w 0.1")
    done = sh(local(script, tmp_path))
    assert (done.returncode, done.stdout.decode()) == (
        75,
        "@waiting for another run that is at work on this host\n"
        "another run has been at work on this host for 15 minutes\n",
    )


def test_two_probes_do_not_wait_for_each_other(sh: Shell, tmp_path: Path) -> None:
    inner = local(probe_script([], "inner"), tmp_path)
    steps = [Step("a", (Thing("one", f"sh -c '{inner.replace(chr(39), chr(39) + chr(92) + chr(39) * 2)}'"),))]
    assert "waiting" not in sh(local(probe_script(steps, "n0nce"), tmp_path)).stdout.decode()


# For people


def test_the_script_for_people() -> None:
    plan = HostPlan("h", tuple(planned("echo one", "")))
    assert readable_script(plan) == (
        "# step.0: do 0\necho one\n\n# step.1: do 1\n# worked out once what comes before it has been applied"
    )


@pytest.mark.parametrize("role", ["", "role|t|md55756bbe94391d42445c815edbd751a20\n"])
def test_the_script_for_people_does_not_show_what_a_password_can_be_guessed_against(role: str) -> None:
    # Salts until there is a + and a / in each part.
    for number in range(40):
        salt = bytes([number]) + bytes(range(239, 254))
        verifier = scram_verifier(Secret("plain"), salt)
        account = PostgresAccount("air", Secret("plain"), "air", salt)
        plan = plan_host("h", [Step("a", (account,))], [f"server|5432|*|f\n{role}database|air\nhba|/x|1\n"])
        assert verifier in apply_script(plan.changes, [], "n0nce").script
        shown = readable_script(plan)
        assert f"ROLE \"air\" LOGIN PASSWORD '{MASK}';\n" in shown
        assert "SCRAM" not in shown


def test_what_is_left_is_a_note_and_no_change() -> None:
    warning = Finding("Redis", "warning", "Redis still runs here")
    plan = plan_host("w1", [Step("retire.services", (), (Asked((warning,)),))], ["Redis\n"])
    assert (plan.changes, plan.notes) == ((), ("Redis still runs here",))
