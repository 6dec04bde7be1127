"""Ask and plan: the probe of a host, and what its answers lead to."""

from __future__ import annotations

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
from aerodrome.core.resource import Change
from aerodrome.core.step import Step
from aerodrome.errors import AerodromeError, HostError
from aerodrome.resources.files import File
from aerodrome.resources.systemd import Service
from tests.unit.core.things import LOCKED, PRELUDE, Asked, Thing, local, planned
from tests.unit.make import Shell

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
