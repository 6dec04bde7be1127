from pathlib import Path

import pytest

from lab import kernel


@pytest.fixture
def sysctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in (("net/ipv4/ip_forward", "0\n"), ("fs/inotify/max_user_instances", "128\n")):
        (tmp_path / "sys" / name).parent.mkdir(parents=True)
        (tmp_path / "sys" / name).write_text(value)
    (tmp_path / "state").mkdir()
    monkeypatch.setattr(kernel, "SYSCTL", tmp_path / "sys")
    monkeypatch.setattr(kernel, "STATE", tmp_path / "state")
    monkeypatch.setattr(kernel, "OWED", tmp_path / "state/sysctl")
    monkeypatch.setattr(kernel, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(kernel, "labs", list)
    return tmp_path / "sys"


def values(sysctl: Path) -> list[str]:
    return [(sysctl / name).read_text().strip() for name in kernel.NEEDS]


def test_settings_are_raised_and_given_back(sysctl: Path) -> None:
    kernel.prepare()
    kernel.prepare()
    assert values(sysctl) == ["1", "4096"]
    kernel.restore()
    assert values(sysctl) == ["0", "128"]
    assert not (sysctl.parent / "state").exists()


def test_what_was_set_already_stays(sysctl: Path) -> None:
    (sysctl / "net/ipv4/ip_forward").write_text("1\n")
    kernel.prepare()
    kernel.restore()
    assert values(sysctl) == ["1", "128"]


def test_nothing_is_given_back_while_a_lab_is_up(sysctl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel.prepare()
    monkeypatch.setattr(kernel, "labs", lambda: ["test"])
    kernel.restore()
    assert values(sysctl) == ["1", "4096"]
