"""A copy of a backup on this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from aerodrome.controller.backup_file import BackupFile
from aerodrome.errors import AerodromeError, InvalidInput
from aerodrome.resources.backup import LONGEST_MANIFEST

NAME = "20261201T005031Z-1f3a"
DUMP = b"PGDMP\x00\xff\xfe\n\xc3" * 50 + b"\xe2\x82"  # ends in the middle of a character
SHA256 = hashlib.sha256(DUMP).hexdigest()


def text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def receive(folder: Path, data: bytes, piece: int = 7) -> None:
    with BackupFile(folder, NAME, len(DUMP), SHA256) as file:
        for start in range(0, len(data), piece):
            if file.take(text(data[start : start + piece])):
                break
        file.finish()


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_it_is_the_same_and_only_ours(tmp_path: Path, piece: int) -> None:
    receive(tmp_path / "copies", b'{"name": 1}\n' + DUMP, piece)
    made = tmp_path / "copies" / NAME
    assert (made / "dump").read_bytes() == DUMP
    assert (made / "manifest.json").read_text() == '{"name": 1}\n'
    modes = {file.relative_to(tmp_path).as_posix(): file.stat().st_mode & 0o777 for file in made.rglob("*")}
    assert (modes, made.stat().st_mode & 0o777) == (
        {f"copies/{NAME}/dump": 0o600, f"copies/{NAME}/manifest.json": 0o600},
        0o700,
    )
    assert [file.name for file in (tmp_path / "copies").iterdir()] == [NAME]


@pytest.mark.parametrize(
    "data, why",
    [
        (b"{}\n" + DUMP[:-1], "1 bytes are missing"),
        (b"{}\n" + DUMP[:-1] + b"x", "its SHA-256 is another one"),
        (b"", f"{len(DUMP)} bytes are missing"),
        (b"x" * (LONGEST_MANIFEST + 100), f"{len(DUMP)} bytes are missing"),
    ],
)
def test_what_is_cut_or_changed_leaves_nothing(tmp_path: Path, data: bytes, why: str) -> None:
    with pytest.raises(AerodromeError) as caught:
        receive(tmp_path, data, 1000)
    assert caught.value.message == f"what arrived is not backup {NAME}: {why}"
    assert list(tmp_path.iterdir()) == []


def test_a_host_that_sends_more_than_it_said_fills_no_disk(tmp_path: Path) -> None:
    with BackupFile(tmp_path, NAME, 10, SHA256) as file:
        assert file.take("{}\n" + "x" * 1000) is True
        assert (tmp_path / f".{NAME}.part" / "dump").stat().st_size <= 10


def test_what_is_already_there_stays(tmp_path: Path) -> None:
    receive(tmp_path, b"{}\n" + DUMP)
    with pytest.raises(InvalidInput, match="is already there"):
        receive(tmp_path, b"{}\n" + DUMP)
    assert (tmp_path / NAME / "dump").read_bytes() == DUMP


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="a backup cannot be written there: "):
        BackupFile(tmp_path / "file", NAME, 10, SHA256)


def test_a_backup_that_no_disk_could_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not enough space for a backup of "):
        BackupFile(tmp_path, NAME, 1 << 60, SHA256)
    assert list(tmp_path.iterdir()) == []
