"""Logins that pg_hba.conf still allows and hosts.yaml no longer has."""

from __future__ import annotations

from aerodrome.checks.access import AccessLeft
from tests.unit.resources.database import LINES, LOGIN, OLD, THEIRS, WITH_OLD, answer, hba


def said(check: AccessLeft, text: str) -> list[str]:
    findings = check.judge(answer(file=hba(text)))
    assert {finding.verdict for finding in findings} <= {"warning"}
    return [finding.detail for finding in findings]


def test_a_part_of_a_fleet_says_what_it_leaves_open() -> None:
    part, whole = AccessLeft((LOGIN,)), AccessLeft((LOGIN,), whole=True)
    assert said(part, WITH_OLD + THEIRS) == [
        f"pg_hba.conf still allows logins that hosts.yaml no longer has ({OLD}). They may be in use; only fab deploy "
        "for the whole fleet, without -H and --role, removes them"
    ]
    assert said(whole, WITH_OLD) == said(part, LINES + THEIRS) == []


def test_a_line_outside_the_block_is_reported_and_one_inside_is_not() -> None:
    check = AccessLeft((LOGIN,), (OLD,), whole=True)
    outside = (
        f"outside the lines that are managed here, pg_hba.conf has {OLD}: the fleet no longer needs this; "
        "remove it by hand if nothing else does"
    )
    assert said(check, f"{LINES}{OLD}\n{THEIRS}") == [outside]
    assert said(check, f"{OLD}\n{WITH_OLD}") == [outside]
    assert said(check, WITH_OLD + THEIRS) == []


def test_many_lines_are_counted_and_a_server_that_does_not_answer_says_nothing() -> None:
    many = "".join(f"host a b 10.1.0.{number}/32 scram-sha-256\n" for number in range(8))
    (note,) = said(AccessLeft((LOGIN,)), LINES.replace("# END", f"{many}# END"))
    assert "10.1.0.4/32 scram-sha-256; and 3 more)" in note
    assert AccessLeft((LOGIN,)).judge("") == []
