"""A file and its folder, probed with one process."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.core.resource import Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.module import Module
from tests.unit.make import ME, MY_GROUP, Shell

TEXT = 'def name():\n    return "w1"\n'


def summaries(sh: Shell, module: Module) -> list[str]:
    """Ask this machine, and return its changes; the test's user stands for root."""
    text = sh(module.probe()).stdout.decode().replace(f"|{ME}|{MY_GROUP}|", "|root|root|")
    return [change.summary for change in module.changes(Seen(text))]


def test_what_is_there_needs_nothing_and_what_is_not_is_made(sh: Shell, tmp_path: Path) -> None:
    folder, path = tmp_path / "config", tmp_path / "config/m.py"
    module = Module(str(path), TEXT, ME)
    assert module.key == f"file {path}"
    assert summaries(sh, module) == [f"make directory {folder}", f"write {path}"]
    folder.mkdir(mode=0o700)
    assert summaries(sh, module) == [f"own {folder} root:root 0755", f"write {path}"]
    folder.chmod(0o755)
    for content in (TEXT + "#\n", TEXT.rstrip()):
        path.write_text(content)
        path.chmod(0o644)
        assert summaries(sh, module) == [f"write {path}"]
    path.write_text(TEXT)
    assert summaries(sh, module) == []
    path.chmod(0o600)
    assert summaries(sh, module) == [f"own {path} root:root 0644"]


def test_a_link_in_place_of_its_folder_is_refused(sh: Shell, tmp_path: Path) -> None:
    (tmp_path / "config").symlink_to(tmp_path)
    with pytest.raises(AerodromeError, match="is a symbolic link"):
        summaries(sh, Module(f"{tmp_path}/config/m.py", TEXT, ME))


def test_in_a_folder_of_the_service_user_s_it_is_read_by_that_user(sh: Shell, tmp_path: Path) -> None:
    folder, path = tmp_path / "config", tmp_path / "config/m.py"
    folder.mkdir(mode=0o755)
    path.write_text(TEXT)
    path.chmod(0o644)
    module = Module(str(path), TEXT, "astro")
    probe = module.probe().replace(f"-O {folder} ", "-O /nobody ")
    reads = 'echo "$*" >&2; shift 3; exec "$@"'
    done = sh(probe, programs={"runuser": reads})
    assert module.changes(Seen(done.stdout.decode().replace(f"|{ME}|{MY_GROUP}|", "|root|root|"))) == []
    assert done.stderr.decode().startswith(f"-u astro -- dd if={path} iflag=nofollow,nonblock")
    own = module.changes(Seen(done.stdout.decode().replace(f"|{ME}|{MY_GROUP}|", "|astro|astro|")))
    assert [(change.summary, change.attributes) for change in own] == [
        (f"own {folder} root:root 0755", True),
        (f"own {path} root:root 0644", True),
    ]


def test_the_probe_makes_one_process(sh: Shell, tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(TEXT)
    done = sh(Module(f"{tmp_path}/m.py", TEXT, ME).probe(), programs={"cat": "echo called", "stat": "echo stat"})
    assert done.stdout.decode() == f"stat\n\n{TEXT}"
