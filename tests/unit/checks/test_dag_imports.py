"""The comparison of two versions' imports, for the report of an upgrade."""

from __future__ import annotations

import json

from aerodrome.checks.dag_imports import ComparedImports, DagsImported
from aerodrome.resources.dag_imports import DagImports, recorded

CHECK = ComparedImports("s1", "2.11.2", "3.3.2", "1f3a")


def answer(dags: int, left: int = 0, **errors: str) -> str:
    return json.dumps({"dags": dags, "files": 4, "left": left, "errors": errors})


def test_it_reads_what_the_run_has_found() -> None:
    assert CHECK.probe() == recorded("1f3a")


def test_everything_that_was_found() -> None:
    (found,) = CHECK.judge(f"done\n{answer(3, b='1')}\n{answer(1, 1, a='2', b='3')}\n")
    assert found == DagsImported(
        "dag imports",
        "failed",
        "3 DAGs with 2.11.2, 1 with 3.3.2; 1 file with new import errors; 1 file that neither imports here; "
        "1 file not tried",
        host="s1",
        before=DagImports(3, 4, 0, {"b": "1"}),
        after=DagImports(1, 4, 1, {"a": "2", "b": "3"}),
        new={"a": "2"},
        old={"b": "3"},
    )


def test_nothing_that_is_new_is_ok() -> None:
    (found,) = CHECK.judge(f"done\n{answer(3)}\n{answer(3)}\n")
    assert (found.verdict, found.detail) == ("ok", "3 DAGs with 2.11.2, 3 with 3.3.2; no new import errors")


def test_nothing_known_is_a_failure() -> None:
    unknown = [DagsImported("dag imports", "failed", "down", host="s1")]
    assert CHECK.unknown("down") == unknown
    assert [each.detail for each in CHECK.judge("")] == ["DAGs have not been imported"]
    (found,) = CHECK.judge("done\nx\n")
    assert found.verdict == "failed" and "cannot be read" in found.detail
