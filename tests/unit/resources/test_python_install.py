"""The installation of a virtual environment in a real shell, with stand-ins for the installers."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.core.resource import Seen
from aerodrome.resources.python import Installed, Requirements, VirtualEnvironment
from aerodrome.secrets import Secret
from tests.unit.make import Shell
from tests.unit.resources.environments import LOCK, NAME, PINNED, UV

SETPRIV = 'while :; do case $1 in --clear-groups) shift;; --*) shift 2;; *) break;; esac; done; exec "$@"'


@pytest.mark.parametrize(
    ("python", "version"),
    [
        ("echo Python 3.11.2", "3.11"),
        ("echo Python 3.13.0rc1+", "3.13"),
        ("echo Python 3.7.17 :: Anaconda, Inc.", "3.7"),
        ("echo Python 2.7.18 >&2", "2.7"),
        ("echo no such thing >&2; exit 127", "none"),
    ],
)
def test_the_version_is_read_off_what_every_python_says(sh: Shell, python: str, version: str) -> None:
    probe = VirtualEnvironment("/nowhere", "python9", PINNED, "astro", "/nowhere/unit").probe()
    assert sh(probe, programs={"python9": python, "setpriv": SETPRIV}).stdout.decode().split("\n")[0] == version


@pytest.fixture
def node(sh: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A node whose installer has its own cache."""
    monkeypatch.setattr("aerodrome.resources.python.CACHE", str(tmp_path / "cache"))
    return Node(sh, tmp_path)


class Node:
    """A place for environments, with stand-ins for programs that change a node; each logs its arguments."""

    def __init__(self, sh: Shell, folder: Path) -> None:
        self.sh, self.place, self.log, self.unit = sh, folder / "opt", folder / "log", folder / "airflow@.service"
        (self.place / "venvs").mkdir(parents=True)
        self.log.touch()
        self.programs = {
            # runuser -u aerodrome -- env HOME=… command
            "runuser": 'shift 3; exec "$@"',
            "setpriv": SETPRIV,
            "install": 'while :; do case $1 in -d) shift;; -*) shift 2;; *) break;; esac; done; mkdir -p "$@"',
            "python9": f"""
case $* in
-V) echo Python 3.11.2;;
*ensurepip*) echo /wheels/pip.whl;;
"-m venv "*) for place; do :; done; mkdir -p "$place/bin"; cp "$0" "$place/bin/python"; echo "venv" >>{self.log};;
*"config list"*) ;;
*"--target "*) echo "uv from $PYTHONPATH by ${{PIP_INDEX_URL-pypi}}" >>{self.log}
  while [ "$1" != --target ]; do shift; done
  mkdir -p "$2/bin"
  printf '#!/bin/sh\\necho "uv $*" >>{self.log}\\nfor l; do :; done\\ncat "$l" >>{self.log}\\n' >"$2/bin/uv"
  chmod +x "$2/bin/uv";;
*"-m pip install"*) for listed; do :; done; echo "pip" >>{self.log}; cat "$listed" >>{self.log};;
*) echo "python9 $*" >&2; exit 9;;
esac""",
        }

    def ask(self, resource: VirtualEnvironment | Installed) -> Seen:
        return Seen(self.sh(resource.probe(), programs=self.programs).stdout.decode())

    def converge(self, *resources: VirtualEnvironment | Installed) -> int:
        """Make every change; return how many there were."""
        count = 0
        for resource in resources:
            for change in resource.changes(self.ask(resource)):
                done = self.sh(f"set -eu\n{change.script}", programs=self.programs)
                assert done.returncode == 0, done
                count += 1
        return count

    def both(self, requirements: Requirements) -> tuple[VirtualEnvironment, Installed]:
        where = (str(self.place), "python9", requirements, "astro", str(self.unit))
        return VirtualEnvironment(*where), Installed(*where)


def test_an_environment_is_made_once_and_filled_by_pip(node: Node) -> None:
    resources = node.both(PINNED)
    assert node.converge(*resources) == 3
    assert node.log.read_text().splitlines() == ["venv", "pip", *LOCK.splitlines()]
    assert (node.place / "venv").resolve().name == NAME
    assert (node.place / "requirements" / NAME / "requirements.txt").read_text() == LOCK
    assert sorted(path.name for path in (node.place / "venvs").iterdir()) == [NAME, f"{NAME}.complete"]
    assert node.converge(*resources) == 0


def test_uv_is_fetched_once_and_fills_the_environment(node: Node) -> None:
    requirements = Requirements("3.3.2", {"3.11": LOCK}, uv=UV, index_url=Secret("https://u:s3cret@index/simple/"))
    assert node.converge(*node.both(requirements)) == 3
    newer = Requirements("3.3.3", {"3.11": LOCK}, uv=UV)
    assert node.converge(*node.both(newer)) == 3
    log = node.log.read_text()
    assert log.count("uv from /wheels/pip.whl by https://u:s3cret@index/simple/\n") == 1
    assert log.count("uv from") == 1
    assert log.count("\nuv pip install ") == 2
    assert node.converge(*node.both(newer)) == 0


def test_a_lock_file_without_a_last_newline_is_installed_too(node: Node) -> None:
    assert node.converge(*node.both(Requirements("3.3.2", {"3.11": LOCK.rstrip("\n")}))) == 3
    assert node.log.read_text().splitlines() == ["venv", "pip", *LOCK.splitlines()]


def test_a_host_without_that_python_is_seen(node: Node) -> None:
    resource = VirtualEnvironment(str(node.place), "python-of-no-host", PINNED, "astro", str(node.unit))
    assert node.ask(resource).text == "none\nnone\n"


def test_a_directory_in_the_place_of_the_link_is_seen(node: Node) -> None:
    (node.place / "venv").mkdir()
    assert node.ask(node.both(PINNED)[0]).text == "3.11\ndirectory\n"


def test_the_environment_that_units_use_without_our_link_is_seen(node: Node) -> None:
    node.unit.write_text("[Service]\nExecStart=/home/astro/airflow-venv/bin/airflow %i\nRestart=always\n")
    assert node.ask(node.both(PINNED)[0]).text == "3.11\nnone\nbefore /home/astro/airflow-venv\n"


def test_an_environment_counts_as_complete_only_by_roots_word_beside_it(node: Node) -> None:
    resources = node.both(PINNED)
    node.converge(*resources)
    marker = node.place / "venvs" / f"{NAME}.complete"
    marker.unlink()
    (node.place / "venvs" / NAME / ".complete").touch()
    assert node.converge(*resources) == 1
    assert marker.exists()


def test_an_environment_without_its_python_is_made_anew_whatever_the_marker_says(node: Node) -> None:
    resources = node.both(PINNED)
    node.converge(*resources)
    (node.place / "venvs" / NAME / "bin" / "python").unlink()
    assert node.converge(*resources) == 2  # made, and installed
    assert node.converge(*resources) == 0
