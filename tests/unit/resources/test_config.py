"""An airflow.cfg of another version is set aside, and put back: in real shells."""

from __future__ import annotations

from pathlib import Path

from aerodrome.core.resource import Seen
from aerodrome.resources.config import ConfigPutBack, ConfigSetAside
from tests.unit.make import Shell, only_change

RUN = "20261201T040850Z-1c08"


def test_a_file_that_is_not_ours_is_set_aside_and_put_back(tmp_path: Path, sh: Shell) -> None:
    path = tmp_path / "airflow.cfg"
    aside = ConfigSetAside(str(path), RUN)
    back = ConfigPutBack(aside)
    assert sh(aside.probe()).stdout == b""  # there is none
    path.write_text("[core]\nexecutor = X\n")
    said = sh(only_change(aside, sh(aside.probe()).stdout.decode()).script)
    assert said.stdout.decode() == (
        f"@note: {path} is set aside as {path}.before-{RUN}: set what you need of it in hosts.yaml (airflow.config)\n"
    )
    assert not path.exists()
    path.write_text("# Written by Aerodrome, once\n")
    assert sh(aside.probe()).stdout == b""
    assert sh(only_change(back, sh(back.probe()).stdout.decode()).script).returncode == 0
    assert path.read_text() == "[core]\nexecutor = X\n"
    assert back.changes(Seen(sh(back.probe()).stdout.decode())) == []


def test_a_link_stays(tmp_path: Path, sh: Shell) -> None:
    (tmp_path / "other").write_text("[core]\n")
    (tmp_path / "airflow.cfg").symlink_to(tmp_path / "other")
    assert sh(ConfigSetAside(str(tmp_path / "airflow.cfg"), RUN).probe()).stdout == b""
