"""secrets.yaml: only its owner can read it, it is written whole, and it is never shown."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from aerodrome.controller.secrets_file import SecretsFile
from aerodrome.errors import InvalidInput
from aerodrome.secrets import Secret

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_secrets_are_kept_for_the_owner_only(folder: Path, open_umask: None) -> None:
    file = SecretsFile(folder / "secrets.yaml")
    assert file.get("fernet_key") is None
    assert not file.path.exists()
    for name, text in (("fernet_key", "abc="), ("odd", " 'ü\"\n: #\t"), ("number", "0123"), ("truth", "no")):
        file.put(name, Secret(text))
        assert SecretsFile(file.path).get(name) == Secret(text)
    file.put("number", Secret("4"))
    assert yaml.safe_load(file.path.read_text()) == {
        "fernet_key": "abc=", "odd": " 'ü\"\n: #\t", "number": "4", "truth": "no",
    }  # fmt: skip
    assert file.path.read_text().startswith("# Secrets of this fleet")
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert os.listdir(folder) == ["secrets.yaml"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_secrets_that_others_can_reach_are_refused(folder: Path, mode: int) -> None:
    file = SecretsFile(folder / "secrets.yaml")
    file.put("a", Secret("hunter2"))
    file.path.chmod(mode)
    uses: list[Callable[[], object]] = [lambda: file.get("a"), lambda: file.put("b", Secret("x"))]
    for use in uses:
        with pytest.raises(InvalidInput) as caught:
            use()
        assert caught.value.message == f"{file.path}: other users can read or write it (mode {mode:04o})"
        assert caught.value.hint.startswith(f"chmod 600 {file.path}; ")
    assert "b:" not in file.path.read_text()


@pytest.mark.parametrize(
    "text, problem",
    [("a: hunter2: b", ":1: invalid YAML"), ("- hunter2", ": not a mapping of names to texts"),
     ("a: 123", ": a: not text; quote it"), ("a: *hunter2", ":1: invalid YAML")],
)  # fmt: skip
def test_secrets_that_someone_broke_are_refused_without_showing_them(folder: Path, text: str, problem: str) -> None:
    path = folder / "secrets.yaml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(InvalidInput) as caught:
        SecretsFile(path).get("a")
    assert caught.value.message == f"{path}{problem}"


def test_a_failed_write_leaves_what_was_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = SecretsFile(folder / "secrets.yaml")
    file.put("a", Secret("x"))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InvalidInput, match="secrets.yaml: cannot be written: No space left on device$"):
        file.put("b", Secret("y"))
    assert os.listdir(folder) == ["secrets.yaml"]
    assert (file.get("a"), file.get("b")) == (Secret("x"), None)


def test_a_link_to_the_secrets_stays_a_link(folder: Path) -> None:
    (folder / "safe").mkdir()
    (folder / "secrets.yaml").symlink_to("safe/secrets.yaml")
    SecretsFile(folder / "secrets.yaml").put("a", Secret("x"))
    assert (folder / "secrets.yaml").is_symlink()
    assert "a: x" in (folder / "safe" / "secrets.yaml").read_text()


def test_a_secrets_file_that_is_no_file(folder: Path) -> None:
    (folder / "secrets.yaml").mkdir(mode=0o700)
    with pytest.raises(InvalidInput, match="secrets.yaml: not a file, but the fleet's secrets belong there$"):
        SecretsFile(folder / "secrets.yaml").get("a")


def test_a_secrets_file_that_leads_in_a_circle(folder: Path) -> None:
    (folder / "secrets.yaml").symlink_to("secrets.yaml")
    with pytest.raises(InvalidInput, match="secrets.yaml: cannot be read: Too many levels of symbolic links$"):
        SecretsFile(folder / "secrets.yaml").get("a")


@pytest.mark.parametrize("text", ["a: " + "9" * 5000, "a: 2020-99-99", "a: !!binary hunter2", "[" * 9000])
def test_a_secrets_file_that_yaml_cannot_make_values_of(folder: Path, text: str) -> None:
    path = folder / "secrets.yaml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(InvalidInput) as caught:
        SecretsFile(path).get("a")
    assert caught.value.message.startswith(str(path))
    assert len(caught.value.message) < len(str(path)) + 60
    assert "hunter2" not in caught.value.message


def test_what_a_killed_run_left_of_the_secrets_is_removed_by_the_next_that_writes(folder: Path) -> None:
    left, another = folder / ".secrets.yaml.abcd1234", folder / ".secrets.yaml.wxyz5678"
    for path in (left, another):
        path.write_text("a: old\n")
    os.utime(left, (0, 0))
    SecretsFile(folder / "secrets.yaml").put("a", Secret("x"))
    assert not left.exists()
    assert another.exists()  # so recent that another run may still be writing it
