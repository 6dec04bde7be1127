"""What ruff says about the local DAG folder, without what it is wrong about."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from aerodrome.controller import dag_lint
from aerodrome.controller.dag_lint import MISSING, VERSION, DagNote, dag_notes, read

OLD = """\
from airflow import DAG
from airflow.operators.bash_operator import BashOperator

with DAG("old", schedule_interval="@daily"):
    BashOperator(task_id="a", bash_command="true")
"""
BOTH = """\
from airflow import DAG
try:
    from airflow.providers.standard.operators.bash import BashOperator
except (ImportError, AttributeError):
    from airflow.operators.bash_operator import BashOperator
try:
    import airflow.operators.python_operator as python
except ImportError as error:
    python = None

with DAG("both", schedule="@daily"):
    BashOperator(task_id="a", bash_command="true")
"""
UNGUARDED = """\
from airflow import DAG
try:
    from airflow.operators.bash_operator import BashOperator
except ValueError:
    pass
with DAG("unguarded"):
    BashOperator(task_id="a", bash_command="true")
"""
NOTES = [
    DagNote("old.py", 4, "AIR301", "`schedule_interval` is removed in Airflow 3.0: Use `schedule` instead"),
    DagNote(
        "old.py",
        5,
        "AIR302",
        "`airflow.operators.bash_operator.BashOperator` is moved into `standard` provider in Airflow 3.0: Install "
        "`apache-airflow-providers-standard>=0.0.1` and use `BashOperator` from "
        "`airflow.providers.standard.operators.bash` instead",
    ),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    dags = tmp_path / "-dags"
    (dags / "sub").mkdir(parents=True)
    for name, text in {"old.py": OLD, "both.py": BOTH, "sub/broken.py": "print 'x'\n", "plain.txt": "x"}.items():
        (dags / name).write_text(text)
    return dags


def test_what_ruff_itself_finds(folder: Path) -> None:
    assert dag_notes(str(folder), 2, 3) == (NOTES, "")
    assert str(NOTES[0]) == "old.py:4: AIR301 `schedule_interval` is removed in Airflow 3.0: Use `schedule` instead"
    (folder / "sub" / "unguarded.py").write_text(UNGUARDED)
    assert [str(note).partition(" ")[0] for note in dag_notes(str(folder), 1, 3)[0][2:]] == ["sub/unguarded.py:7:"]


@pytest.mark.parametrize("before, after", [(1, 2), (2, 2), (3, 3)])
def test_only_the_upgrade_to_3_has_rules(folder: Path, before: int, after: int) -> None:
    assert dag_notes(str(folder), before, after) == ([], "")


def test_without_ruff_one_line_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dag_lint.sys, "executable", str(folder / "python"))
    monkeypatch.setattr(dag_lint.shutil, "which", lambda name: None)
    assert dag_notes(str(folder), 2, 3) == ([], MISSING)
    monkeypatch.setattr(dag_lint.shutil, "which", lambda name: str(folder / "no-ruff"))
    assert dag_notes(str(folder), 2, 3)[1].startswith("ruff could not check the DAG folder: [Errno 2]")


def test_a_ruff_that_fails_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **given: Any) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, 2, b"", b"error: unknown rule\nmore")

    monkeypatch.setattr(dag_lint.subprocess, "run", run)
    assert dag_notes(str(folder), 2, 3) == ([], "ruff could not check the DAG folder: error: unknown rule")


@pytest.mark.parametrize("text", ["", "{}7", "[7]", '[{"filename": "a"}]', json.dumps([{"filename": 7}])])
def test_an_answer_of_another_ruff_is_no_crash(folder: Path, text: str) -> None:
    notes, why = read(text, folder)
    assert notes == [] and VERSION in why


def test_the_pinned_version_is_the_one_that_was_tried() -> None:
    pinned = (Path(__file__).parents[3] / "requirements-dev.txt").read_text()
    assert f"\nruff=={VERSION}\n" in pinned
