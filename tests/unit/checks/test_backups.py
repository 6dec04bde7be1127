"""Which backups there are: manifests are read as text that anybody may have written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aerodrome.checks.backups import LONGEST, Backup, Drill, HeldBackups, KeptDatabases
from aerodrome.resources.backup import Place
from tests.unit.make import Shell

NAME, OTHER = "20261201T005031Z-1f3a", "20261130T005031Z-00ff"
CHECK = HeldBackups("db1", Place("/backups"))
MANIFEST: dict[str, Any] = {
    "name": NAME,
    "at": 1000,
    "seconds": 1,
    "bytes": 3,
    "sha256": "a" * 64,
    "server": "15.20",
    "size": 30,
    "heads": ["d2f4"],
    "provider_heads": ["02ca"],
    "rows": {"dag": 5, "xcom": 0},
    "airflow": "3.3.2",
    "fernet": ["b87b46fec19cb1e6"],
    "broker": "none",
}
DRILL = {"run": OTHER, "at": 1500, "ok": True}


def answer(manifest: object = MANIFEST, drill: object = "", size: str = "3", name: str = NAME) -> str:
    texts = [each if isinstance(each, str) else json.dumps(each) for each in (manifest, drill)]
    return f"2000\n{name} {size}\n{texts[0]}\n{texts[1]}\n"


def test_a_backup_and_its_drill() -> None:
    (found,) = CHECK.judge(answer(drill=DRILL))
    assert found == Backup(
        "backup",
        "ok",
        "whole",
        host="db1",
        name=NAME,
        at=1000,
        age=1000,
        bytes=3,
        sha256="a" * 64,
        airflow="3.3.2",
        server="15.20",
        size=30,
        heads=("d2f4",),
        provider_heads=("02ca",),
        rows={"dag": 5, "xcom": 0},
        fernet=("b87b46fec19cb1e6",),
        broker="none",
        drill=Drill(OTHER, 1500, True),
    )
    assert found.facts() == ["alembic_version|d2f4", "alembic_version_fab|02ca", "rows|dag|5", "rows|xcom|0"]


def test_there_may_be_none() -> None:
    assert CHECK.judge("2000\n") == []
    assert CHECK.judge("") == []


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "[" * 20_000,
        "null",
        "{}",
        MANIFEST | {"name": OTHER},
        MANIFEST | {"sha256": "A" * 64},
        MANIFEST | {"bytes": "3"},
        MANIFEST | {"bytes": True},
        MANIFEST | {"at": -1},
        MANIFEST | {"at": 1 << 70},
        MANIFEST | {"heads": "d2f4"},
        MANIFEST | {"heads": ["x\n"]},
        MANIFEST | {"rows": {"dag|rows": 1}},
        MANIFEST | {"rows": {"dag": 1.5}},
        MANIFEST | {"airflow": "3.3.2 \x1b[2J"},
        MANIFEST | {"fernet": ["x"] * 101},
        {name: value for name, value in MANIFEST.items() if name != "server"},
    ],
)
def test_a_manifest_that_makes_no_sense_is_a_backup_that_cannot_be_used(wrong: object) -> None:
    (found,) = CHECK.judge(answer(wrong))
    assert (found.verdict, found.detail, found.name) == ("failed", "its manifest cannot be read", NAME)


def test_a_dump_of_another_size() -> None:
    for size in ("2", ""):
        (found,) = CHECK.judge(answer(size=size))
        assert (found.verdict, found.detail) == ("failed", "its dump has another size")


@pytest.mark.parametrize("drill", ["", "x", "[]", DRILL | {"run": "x"}, DRILL | {"at": "x"}, {"ok": True}])
def test_a_record_of_a_drill_that_makes_no_sense_is_none(drill: object) -> None:
    (found,) = CHECK.judge(answer(drill=drill))
    assert (found.ok, found.drill) == (True, None)


def test_a_directory_that_others_can_change_holds_no_backup() -> None:
    (found,) = CHECK.judge("2000\nunsafe /backups\n")
    assert (found.verdict, found.name) == ("failed", "")
    assert found.detail == "backups cannot be kept in /backups: /backups is not a directory that only root can change"


def test_what_is_no_name_of_a_backup_is_no_answer() -> None:
    with pytest.raises(ValueError, match="not the name"):
        CHECK.judge(answer(name="../etc"))


def test_the_probe(sh: Shell, tmp_path: Path) -> None:
    for name in (NAME, OTHER, "other", f".new-{NAME}"):
        (tmp_path / name).mkdir()
    (tmp_path / NAME / "dump").write_text("abc")
    (tmp_path / NAME / "manifest.json").write_text('{"a":\n1}\n')
    (tmp_path / NAME / "drill.json").write_text("x" * 9000)
    (tmp_path / "20261101T005031Z-1f3a").symlink_to(tmp_path / NAME)
    done = sh(HeldBackups("db1", Place(str(tmp_path))).probe())
    lines = [line for line in done.stdout.decode().split("\n")[1:] if not line.startswith("unsafe ")]
    assert lines == [f"{NAME} 3", '{"a": 1} ', "x" * LONGEST[1], f"{OTHER} ", "", "", ""]
    assert done.stderr == b""


def test_databases_that_were_kept() -> None:
    check = KeptDatabases("airflow")
    lines = "asked\nairflow_before_20261201t010000z|100\nairflow_before_20261202t010000z|200\nother_before_1|3\n"
    assert [(each.subject, each.size, each.ok) for each in check.judge(lines)] == [
        ("airflow_before_20261202t010000z", 200, True),
        ("airflow_before_20261201t010000z", 100, True),
    ]
    assert check.judge("asked\n") == []
    assert [(each.verdict, each.detail) for each in check.judge("")] == [("failed", "PostgreSQL does not answer")]
    assert "datname LIKE '%\\_before\\_%'" in check.probe()
