"""Ask, plan, apply: the scripts as a whole, and in real shells."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from aerodrome.core.check import Finding, Verdict
from aerodrome.core.plan import (
    HostPlan,
    PlannedChange,
    apply_script,
    plan_host,
    probe_script,
    read_probe,
    readable_script,
)
from aerodrome.core.resource import Change, Seen
from aerodrome.core.step import Step
from aerodrome.errors import AerodromeError, HostError
from aerodrome.resources.files import File
from aerodrome.resources.postgres import PostgresAccount, scram_verifier
from aerodrome.resources.systemd import Service
from aerodrome.secrets import MASK, Secret
from tests.unit.make import Shell

PRELUDE = "export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\numask 022\ncd /\n"
LOCKED = (
    "[ -d /run/aerodrome ] || mkdir -p -m 700 /run/aerodrome; umask 077; exec 9>>/run/aerodrome/lock; umask 022; "
    "flock {0} -n 9 || {{ echo '@waiting for another run that is at work on this host'; flock {0} -w 900 9; }} || "
    "{{ echo 'another run has been at work on this host for 15 minutes'; exit 75; }}\n"
)


@dataclass(frozen=True)
class Thing:
    """A resource with any probe and any changes."""

    name: str
    asks: str = "true"
    wants: tuple[Change, ...] = ()
    refuses: str = ""

    @property
    def key(self) -> str:
        return f"thing {self.name}"

    def probe(self) -> str:
        return self.asks

    def changes(self, seen: Seen) -> list[Change]:
        if self.refuses:
            raise AerodromeError(self.refuses, "do this")
        return list(self.wants)


def planned(*scripts: str, payload: bytes = b"") -> list[PlannedChange]:
    return [
        PlannedChange(f"step.{number}", "thing", Change(f"do {number}", script, payload=payload))
        for number, script in enumerate(scripts)
    ]


def local(script: str, folder: Path) -> str:
    """Return the script with a separate lock: it must not wait for this machine's."""
    return script.replace("/run/aerodrome", f"'{folder}/run aerodrome'")


# Asking


def test_what_comes_after_a_gate_waits_for_the_next_round() -> None:
    gate = PlannedChange("b", "login", Change("log in", "", gate=True))
    changes = [*planned("echo before"), gate, *planned("echo after")]
    script = apply_script(changes, [], "n0nce").script
    assert "echo before" in script and "echo after" not in script


def test_what_two_steps_of_a_host_have_is_planned_once() -> None:
    told = Thing("drain", wants=(Change("take note", "echo noted"),))
    restart = Thing("unit", wants=(Change("restart", "restart"),))
    steps = [Step("halt", (told,)), Step("role", (told, restart)), Step("other", (Thing("other", wants=told.wants),))]
    plan = plan_host("w1", steps, [""] * 4)
    assert [(each.step, each.change.summary) for each in plan.changes] == [
        ("halt", "take note"),
        ("role", "restart"),
        ("other", "take note"),  # about another thing
    ]


def test_the_probe_of_a_host_as_a_whole() -> None:
    steps = [Step("a", (Thing("one", "echo 1"), Thing("two", "echo 2"))), Step("b", (Thing("three", "echo 3"),))]
    assert probe_script(steps, "n0nce") == (
        f"{PRELUDE}{LOCKED.format('-s')}"
        "exec 2>/dev/null\n{\n"
        "printf '\\n@%s %s\\n' n0nce 0\necho 1\n"
        "printf '\\n@%s %s\\n' n0nce 1\necho 2\n"
        "printf '\\n@%s %s\\n' n0nce 2\necho 3\n"
        "printf '\\n@%s end\\n' n0nce\n} 3<&- 9<&-\n"
    )


CONTENTS = [
    b"",
    b"\n",
    b"plain\n",
    b"no newline at the end",
    b"\n\nblank lines\n\n\n",
    b"\n@other 0\n\n@n0nce\n@other end\n@",
    b"END_OF_FILE\n",
    b"caf\xe9 \xff\xfe\n",
    "é☃\u2028\x85\x0c\n".encode(),
    b"a\r\nb\r\n",
]


@pytest.mark.parametrize("content", CONTENTS, ids=ascii)
def test_a_file_comes_back_as_it_is(sh: Shell, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    steps = [
        Step("a", (Thing("one", f"cat '{tmp_path}/file'"),)),
        Step("b", (Thing("two", f"cat '{tmp_path}/file'"), Thing("three", "echo 3"))),
    ]
    done = sh(local(probe_script(steps, "n0nce"), tmp_path))
    text = done.stdout.decode("utf-8", "surrogateescape")
    whole = content.decode("utf-8", "surrogateescape")
    assert read_probe(text, steps, "n0nce") == [whole, whole, "3\n"]


def test_a_probe_that_fails_leaves_the_others_their_answers(sh: Shell, tmp_path: Path) -> None:
    steps = [Step("a", (Thing("one", "no-such-command; false"), Thing("two", "echo 2")))]
    done = sh(local(probe_script(steps, "n0nce"), tmp_path))
    assert read_probe(done.stdout.decode(), steps, "n0nce") == ["", "2\n"]
    assert done.stderr == b""


def test_words_before_the_first_answer_are_no_answer() -> None:
    steps = [Step("a", (Thing("one"),))]
    assert read_probe(
        "@waiting for another run that is at work on this host\n\n@n0nce 0\nyes\n\n@n0nce end\n", steps, "n0nce"
    ) == ["yes\n"]


@pytest.mark.parametrize("output", ["", "\n@n0nce 0\nyes\n", "sudo: a password is required\n", "\n@other end\n"])
def test_an_answer_that_breaks_off_is_no_answer(output: str) -> None:
    with pytest.raises(AerodromeError, match="^the probe broke off: "):
        read_probe(output, [Step("a", (Thing("one"),))], "n0nce")


def test_an_answer_to_something_else_is_refused() -> None:
    things = (Thing("one", "ask one"), Thing("two", "ask two"))
    with pytest.raises(AerodromeError, match="the probe broke off"):
        read_probe("\n@n0nce 0\nyes\n\n@n0nce end\n", [Step("a", things)], "n0nce")


def test_what_two_resources_ask_alike_is_asked_once() -> None:
    one, two, three = Thing("one", "echo same"), Thing("two", "echo other"), Thing("three", "echo same")
    steps = [Step("a", (one, two)), Step("b", (three,))]
    assert probe_script(steps, "n0nce").count("echo same") == 1
    assert read_probe("\n@n0nce 0\nS\n\n@n0nce 1\nO\n\n@n0nce end\n", steps, "n0nce") == ["S\n", "O\n", "S\n"]


def test_what_postgresql_keeps_of_a_password_is_not_in_a_script_for_people() -> None:
    script = "ALTER ROLE a PASSWORD 'SCRAM-SHA-256$4096:L5xay6A6pHnzxGmnwzeTtg==$LZ0pGMPg/k=:0Ve+lk='"
    plan = HostPlan("h", tuple(planned(script)))
    assert readable_script(plan).endswith("ALTER ROLE a PASSWORD '********'")


# Planning


def test_nothing_to_do_is_an_empty_plan() -> None:
    assert plan_host("h", [Step("a", (Thing("one"),)), Step("b", ())], [""]) == HostPlan("h")


def test_a_change_is_named_by_step_and_resource() -> None:
    change = Change("do it", "true")
    plan = plan_host("h", [Step("a", (Thing("one"),)), Step("b", (Thing("two", wants=(change,)),))], ["", ""])
    assert plan == HostPlan("h", (PlannedChange("b", "thing two", change),))


def test_a_unit_is_restarted_when_a_file_before_it_changes() -> None:
    service = Service("x.service", ("/etc/x",))
    steps = [Step("a", (File("/etc/x", "new\n"),)), Step("b", (service,))]
    runs = "UnitFileState=enabled\nActiveState=active\n"
    plan = plan_host("h", steps, ["regular file|root|root|644\nold\n", runs])
    assert [change.change.summary for change in plan.changes] == [
        "write /etc/x",
        "restart x.service (/etc/x changes)",
    ]
    assert plan.interrupts
    assert plan.restarts == ["x.service"]


def test_a_unit_is_not_restarted_for_the_owner_or_mode_of_a_file() -> None:
    steps = [Step("a", (File("/etc/x", "same\n"),)), Step("b", (Service("x.service", ("/etc/x",)),))]
    runs = "UnitFileState=enabled\nActiveState=active\n"
    plan = plan_host("h", steps, ["regular file|root|root|600\nsame\n", runs])
    assert [change.change.summary for change in plan.changes] == ["own /etc/x root:root 0644"]
    assert plan.restarts == []


def test_a_start_interrupts_nothing() -> None:
    plan = plan_host("h", [Step("a", (Service("x.service"),))], [""])
    assert plan.restarts == ["x.service"]
    assert not plan.interrupts


def test_a_unit_that_died_before_is_looked_at_though_nothing_changes() -> None:
    runs = "UnitFileState=enabled\nActiveState=active\nNRestarts=2\n"
    plan = plan_host("h", [Step("roles.worker", (Service("x.service"),))], [runs])
    assert plan == HostPlan("h", (), ("roles.worker",))


def test_a_unit_that_was_started_just_now_is_looked_at_though_nothing_changes() -> None:
    runs = "UnitFileState=enabled\nActiveState=active\nExecMainStartTimestamp=Thu 1970-01-01 01:00:00 UTC\nNow={}\n"
    steps = [Step("roles.worker", (Service("x.service", ("/etc/x",)),))]
    assert plan_host("h", steps, [runs.format(3659)]) == HostPlan("h", (), ("roles.worker",))
    assert plan_host("h", steps, [runs.format(3660)]) == HostPlan("h")


def test_what_a_resource_refuses_is_said_with_host_and_step() -> None:
    with pytest.raises(HostError) as caught:
        plan_host("h", [Step("a", (Thing("one", refuses="no"),))], [""])
    error = caught.value
    assert (error.host, error.step, error.message, error.hint) == ("h", "a", "no", "do this")


@dataclass(frozen=True)
class Asked:
    """A check that returns the given findings."""

    finds: tuple[Finding, ...]
    key = "check"

    def probe(self) -> str:
        return "true"

    def judge(self, answer: str) -> tuple[Finding, ...]:
        return self.finds


LOGIN = Finding("check", "refused", "no login", "do this", "GRANT", waits_for="thing venv", waits_to="log in")


def test_what_a_check_refuses_is_said_with_its_evidence() -> None:
    with pytest.raises(HostError) as caught:
        plan_host("h", [Step("a", (), (Asked((LOGIN,)),))], [""])
    error = caught.value
    assert (error.host, error.step, error.message, error.hint, error.detail) == (
        "h",
        "a",
        "no login",
        "do this",
        "GRANT",
    )
    assert error.refusal is LOGIN


def test_a_check_is_put_off_while_what_it_waits_for_is_going_to_change() -> None:
    venv, after = Thing("venv", wants=(Change("make it", "true"),)), Thing("after", wants=(Change("use it", "true"),))
    plan = plan_host("h", [Step("a", (venv,)), Step("b", (after,), (Asked((LOGIN,)),))], ["", "", ""])
    assert [(each.step, each.change) for each in plan.changes] == [
        ("a", Change("make it", "true")),
        ("b", Change("log in", "", gate=True)),
        ("b", Change("use it", "true")),
    ]


@pytest.mark.parametrize("verdict", ["ok", "waiting", "failed"])
def test_only_a_refusal_keeps_a_host_from_being_touched(verdict: Verdict) -> None:
    finding = Finding("check", verdict, "seen")
    assert plan_host("h", [Step("a", (), (Asked((finding,)),))], [""]) == HostPlan("h")


def test_a_part_of_a_plan() -> None:
    changes = tuple(planned("one", "two"))
    plan = HostPlan("h", changes, ("step.0", "step.1"))
    assert plan.only([Step("step.1", ())]) == HostPlan("h", changes[1:], ("step.1",))


# Applying


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
