"""The record of an upgrade is read as text that anybody may have written."""

from __future__ import annotations

import pytest

from aerodrome.checks.upgrade import (
    CopyCounted,
    Counts,
    DatabaseAnswers,
    Migrated,
    RecordedUpgrade,
    Unfinished,
    Upgrade,
)
from aerodrome.resources.upgrade import RECORD
from tests.unit.make import Shell

RUN = "20261201T040850Z-1c08"
LINE = f"{RUN} 2.11.2 3.3.2 begun"


def test_an_upgrade_that_is_recorded() -> None:
    assert RecordedUpgrade().judge(f"asked\n{LINE}\n") == [
        Upgrade("upgrade", "ok", "begun", run=RUN, before="2.11.2", after="3.3.2")
    ]
    (done,) = RecordedUpgrade().judge(f"asked\n{RUN} 2.11.2 3.3.2 done\n")
    assert isinstance(done, Upgrade) and done.done and not done.rolling
    for state, over in (("rolling", False), ("rolled", True)):
        (rolling,) = RecordedUpgrade().judge(f"asked\n{RUN} 3.3.1 3.3.2 {state}\n")
        assert isinstance(rolling, Upgrade) and rolling.rolling and rolling.done == over
    assert RecordedUpgrade().judge("asked\n") == []


@pytest.mark.parametrize("line", ["x", f"{RUN} 2.11.2 3.3.2 perhaps", f"{RUN} $(x) 3.3.2 done", "../x 1 2 done"])
def test_a_record_that_makes_no_sense(line: str) -> None:
    (found,) = RecordedUpgrade().judge(f"asked\n{line}\n")
    assert (found.verdict, found.detail) == ("failed", f"{RECORD} cannot be read")


def test_a_host_that_does_not_answer() -> None:
    (found,) = RecordedUpgrade().judge("")
    assert (found.verdict, found.detail) == ("failed", "the host does not answer")


def test_nothing_else_changes_the_fleet_in_the_middle_of_one(sh: Shell) -> None:
    (found,) = Unfinished().judge(f"{LINE}\n")
    assert (found.verdict, found.detail) == (
        "refused",
        "an upgrade from Airflow 2.11.2 to 3.3.2 was begun, and has not been finished",
    )
    assert found.hint == "continue it: fab upgrade --to=3.3.2; or go back: fab upgrade --back"
    assert [each.verdict for each in Unfinished().judge(f"{RUN} 3.3.1 3.3.2 rolling\n")] == ["refused"]
    for record in (f"{RUN} 2.11.2 3.3.2 done\n", f"{RUN} 3.3.1 3.3.2 rolled\n", ""):
        assert Unfinished().judge(record) == []


def test_a_server_that_does_not_answer_is_not_taken_for_nothing_to_do() -> None:
    assert DatabaseAnswers().judge("answers\n") == []
    assert [each.verdict for each in DatabaseAnswers().judge("")] == ["refused"]


def test_a_migration_counts_for_its_own_run_only() -> None:
    check = Migrated("/run/aerodrome/rehearsed", RUN)
    assert [(each.verdict, each.detail) for each in check.judge(f"{RUN} 12\n")] == [("ok", "12")]
    for answer in ("", "20261101T040850Z-1c08 12\n", f"{RUN} long\n"):
        assert [each.verdict for each in check.judge(answer)] == ["failed"]


def test_the_rows_of_a_copy() -> None:
    heads = "alembic_version|d2f4e1b3c5a7\nalembic_version_fab|02ca36b0235b\n"
    answer = f"{RUN}\n{heads}rows|dag_run|5003\nrows|x y|1\nrows|xcom|many\n"
    (counts,) = CopyCounted(RUN).judge(answer)
    assert counts == Counts(
        "rows of the copy",
        "ok",
        "counted",
        heads=("d2f4e1b3c5a7",),
        provider_heads=("02ca36b0235b",),
        rows={"dag_run": 5003},
    )
    assert [each.verdict for each in CopyCounted(RUN).judge("")] == ["failed"]
