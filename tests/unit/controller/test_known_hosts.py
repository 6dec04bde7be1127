"""The file known_hosts: read unchanged, and appended to."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.controller.known_hosts import KnownHosts
from aerodrome.errors import InvalidInput


def test_a_file_that_is_not_there_knows_nobody(tmp_path: Path) -> None:
    assert KnownHosts(str(tmp_path / "none")).read() == ""


@pytest.mark.parametrize("content", [b"caf\xe9 ssh-ed25519 x\n", None])
def test_a_file_that_cannot_be_read_is_no_empty_one(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "known_hosts"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        KnownHosts(str(path)).read()
    assert caught.value.message.startswith(f"ssh.known_hosts: {path}")
    assert caught.value.hint == "check ssh.known_hosts in hosts.yaml"


@pytest.mark.parametrize(
    "before, after",
    [(None, ""), ("", ""), ("# mine\n", "# mine\n"), ("# no newline", "# no newline\n")],
)
def test_a_line_is_added_below_the_others(tmp_path: Path, before: str | None, after: str) -> None:
    path = tmp_path / "new folder" / "known_hosts"
    if before is not None:
        path.parent.mkdir()
        path.write_text(before)
    known = KnownHosts(str(path))
    known.add("h ssh-ed25519 AAAA")
    assert path.read_text() == known.read() == f"{after}h ssh-ed25519 AAAA\n"


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "known_hosts").write_text("h\n")
    assert KnownHosts("~/known_hosts").read() == "h\n"
