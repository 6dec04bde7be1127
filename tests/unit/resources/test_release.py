"""Releases: which ones are kept, and how old ones are removed, in a real shell with real processes."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import pytest

from aerodrome.core.resource import Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.python import environment_releases
from aerodrome.resources.release import Held, Pruned, Releases, Switched
from aerodrome.resources.tree import Tree, tree_releases
from tests.unit.make import Shell

ME = getpass.getuser()


class Node:
    """A folder that stands for a host: releases, processes and units."""

    def __init__(self, folder: Path, sh: Shell) -> None:
        self.folder, self.sh = folder, sh
        self.proc, self.units = folder / "proc", folder / "units"
        self.proc.mkdir()
        self.units.mkdir()
        self.releases = Releases("release", f"{folder}/dags", f"{folder}/dags-releases", 3, ME)
        self.path.mkdir()

    @property
    def path(self) -> Path:
        return self.folder / "dags-releases"

    def make(self, *names: str) -> None:
        """Put releases in use, one after the other."""
        for number, name in enumerate(names):
            (self.path / name).mkdir()
            (self.path / name / "dag.py").touch()
            os.utime(self.path / name, (1000 + number, 1000 + number))
            self.link(name)

    def link(self, name: str) -> None:
        (self.folder / "dags").unlink(missing_ok=True)
        (self.folder / "dags").symlink_to(self.path / name)

    def process(self, number: int, **links: str) -> Path:
        folder = self.proc / str(number)
        (folder / "fd").mkdir(parents=True)
        for name, target in links.items():
            (folder / name.replace("fd", "fd/")).symlink_to(target)
        (folder / "maps").touch()
        (folder / "cmdline").touch()
        return folder

    def run(self, script: str) -> str:
        script = script.replace("/proc", str(self.proc)).replace("/etc/systemd/system", str(self.units))
        done = self.sh(f"set -eu\n{script}")
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode()

    def ask(self, wanted: str) -> str:
        return self.sh(
            self.releases.probe([wanted])
            .replace("/proc", str(self.proc))
            .replace("/etc/systemd/system", str(self.units))
        ).stdout.decode()

    def prune(self, wanted: str = "") -> list[str]:
        """Plan the removal of old releases, with `wanted` about to be in use."""
        target = os.readlink(self.folder / "dags")
        name = wanted or target.rpartition("/")[2]
        return [each.script for each in self.releases.prune(self.ask(name), target, name)]

    @property
    def there(self) -> list[str]:
        return sorted(os.listdir(self.path))


@pytest.fixture
def node(tmp_path: Path, sh: Shell) -> Node:
    return Node(tmp_path, sh)


def test_as_many_as_are_kept_are_not_even_looked_at(node: Node) -> None:
    node.make("a", "b", "c")
    (node.path / "by-hand-1").mkdir()
    assert node.ask("c") == ""
    assert node.prune() == []


def test_the_oldest_goes_also_before_there_is_one_too_many(node: Node) -> None:
    node.make("a", "b", "c")
    (script,) = node.prune("d")
    node.run(script)
    assert node.there == ["b", "c"]


def test_what_is_in_use_and_the_one_before_count_first(node: Node) -> None:
    node.make("a", "b", "c", "d")
    node.link("a")  # as after going back
    (script,) = node.prune()
    node.run(script)
    assert node.there == ["a", "c", "d"]


def test_the_way_back_of_a_release_that_is_about_to_be_is_kept(node: Node) -> None:
    node.make("a", "b", "c", "d")
    node.link("a")
    for script in node.prune("e"):
        node.run(script)
    assert node.there == ["a", "d"]


@pytest.mark.parametrize("what", ["cwd", "exe", "root", "fd7"])
@pytest.mark.parametrize("place", ["", "/lib/x.so", "/dag.py (deleted)"])
def test_what_a_process_has_open_is_kept(node: Node, what: str, place: str) -> None:
    node.make("a", "b", "c", "d", "ab")
    node.process(1, cwd="/", exe="/usr/bin/python3.11")
    node.process(23, **{what: f"{node.path}/a{place}"})
    (script,) = node.prune()
    node.run(script)
    assert node.there == ["a", "ab", "c", "d"]
    assert node.prune() == []  # it needs nothing more


@pytest.mark.parametrize("file", ["maps", "cmdline"])
def test_what_is_mapped_or_started_is_kept(node: Node, file: str) -> None:
    node.make("a", "b", "c", "d")
    (node.process(9) / file).write_text(f"7f00-7f01 r-xp 00000000 00:1b 42    {node.path}/a/lib/x.so\n\0-c\0")
    assert node.prune() == []


def test_what_a_unit_names_is_kept(node: Node) -> None:
    node.make("a", "b", "c", "d")
    (node.units / "x.service.d").mkdir()
    (node.units / "x.service.d/y.conf").write_text(f"[Service]\nExecStart={node.path}/a/bin/airflow scheduler\n")
    assert node.prune() == []


def test_a_process_knows_the_folder_by_its_real_path(node: Node) -> None:
    node.make("a", "b", "c", "d")
    alias = node.folder / "alias"
    alias.symlink_to(node.folder)
    node.process(1, cwd=f"{node.path}/a")
    node.releases = Releases("release", f"{alias}/dags", f"{alias}/dags-releases", 3, ME)
    node.folder.joinpath("dags").unlink()
    node.folder.joinpath("dags").symlink_to(f"{alias}/dags-releases/d")
    assert node.prune() == []


def test_what_comes_into_use_after_it_was_asked_stays(node: Node) -> None:
    node.make("a", "b", "c", "d")
    (script,) = node.prune()
    node.process(1, cwd=f"{node.path}/a")
    assert node.run(script) == "@note: the old release a stays: something uses it\n"
    assert node.there == ["a", "b", "c", "d"]
    node.proc.joinpath("1/cwd").unlink()
    node.link("a")
    assert node.run(script) == ""
    assert node.there == ["a", "b", "c", "d"]


def test_a_look_that_takes_too_long_removes_nothing(node: Node) -> None:
    node.make("a", "b", "c", "d")
    (script,) = node.prune()
    slow = script.replace("for name in $names", "sleep 9\nfor name in $names").replace("-s KILL 10", "-s KILL 0.2")
    assert node.run(slow) == "@note: the old release a stays: something uses it\n"
    assert node.there == ["a", "b", "c", "d"]


def test_what_a_killed_run_has_moved_aside_goes_or_comes_back(node: Node) -> None:
    node.make("a", "b", "c")
    (node.path / "a").rename(node.path / ".old-a")
    user = node.process(1, cwd=f"{node.path}/.old-a")
    (script,) = node.prune()
    assert node.run(script) == "@note: the old release a stays: something uses it\n"
    assert node.there == ["a", "b", "c"]
    (node.path / "a").rename(node.path / ".old-a")
    (user / "cwd").unlink()
    (script,) = node.prune()
    node.run(script)
    assert node.there == ["b", "c"]


def test_what_was_made_again_meanwhile_outlives_its_rest(node: Node) -> None:
    node.make("a", "b", "c")
    (node.path / ".old-c").mkdir()
    (script,) = node.prune()
    node.run(script)
    assert node.there == ["a", "b", "c"]


def test_a_folder_of_somebody_else_is_not_looked_into(node: Node) -> None:
    node.make("a", "b", "c", "d")
    node.path.rename(node.folder / "elsewhere")
    node.path.symlink_to(node.folder / "elsewhere")
    assert node.ask("d") == ""
    node.path.unlink()
    node.folder.joinpath("elsewhere").rename(node.path)
    (script,) = node.prune()
    node.path.rename(node.folder / "elsewhere")
    node.path.symlink_to(node.folder / "elsewhere")
    assert node.run(script) == ""
    assert sorted(os.listdir(node.folder / "elsewhere")) == ["a", "b", "c", "d"]


def test_odd_names_and_what_belongs_to_others_are_left_alone() -> None:
    entries = [
        "entry 5|root|directory|/s/d-releases/new",
        "entry 4|astro|directory|/s/d-releases/theirs",
        "entry 3|root|symbolic link|/s/d-releases/link",
        "entry 2|root|directory|/s/d-releases/$(id)",
        "entry x|root|directory|/s/d-releases/odd",
        "entry 1|root|directory|/s/d-releases/old",
        "entry 1|astro|directory|/s/d-releases/by-hand-1",
        "unused old",
        "unused theirs",
    ]
    assert tree_releases("/s/d").read("\n".join(entries)) == [
        Held("new", 5, False, False),
        Held("by-hand-1", 1, False, False),
        Held("old", 1, True, False),
    ]


def test_an_environment_has_the_time_of_its_marker_and_goes_with_all_that_belongs_to_it() -> None:
    of = environment_releases("/o", 2)
    text = "".join(
        f"entry {at}|{owner}|{kind}|/o/venvs/{name}\n"
        for at, owner, kind, name in (
            (9, "aerodrome", "directory", "broken"),
            (1, "aerodrome", "directory", "a"),
            (2, "aerodrome", "directory", "b"),
            (7, "root", "regular empty file", "a.complete"),
            (6, "root", "regular empty file", "b.complete"),
            (5, "aerodrome", "directory", "c"),
            (5, "root", "regular empty file", "c.complete"),
        )
    )
    assert [(each.name, each.put) for each in of.read(text)] == [("a", 7), ("b", 6), ("c", 5), ("broken", 0)]
    (change,) = of.prune(text + "unused broken\nunused b\nunused c\n", "/o/venvs/a", "a")
    assert change.summary == "remove the old environments broken, c"
    assert '[ -e /o/venvs/"$1" ] || rm -rf /o/venvs/"$1".complete /o/requirements/"$1"\n' in change.script
    assert "runuser -u aerodrome -- timeout 60 find" in change.script


def test_old_releases_are_asked_for_by_what_puts_a_new_one_in_use() -> None:
    tree = Tree("/s/dags", "new", 1, bytes, "astro")
    pruned = Pruned(tree)
    assert pruned.probe() == tree.probe()
    entries = "".join(f"entry {at}|root|directory|/s/dags-releases/{at}\nunused {at}\n" for at in (1, 2, 3))
    (change,) = pruned.changes(Seen(f"/s/dags-releases/3\nroot\n{entries}"))
    assert change.summary == "remove the old release 1"
    assert pruned.changes(Seen("/s/dags-releases/new\nroot\n")) == []


# Going back


def test_a_link_leads_back_in_one_rename(node: Node) -> None:
    node.make("a", "b")
    back = Switched(node.releases, "a")
    (change,) = back.changes(Seen(node.run(back.probe())))
    assert change.summary == f"switch {node.folder}/dags to a"
    assert change.diff == f"-{node.folder}/dags -> {node.path}/b\n+{node.folder}/dags -> {node.path}/a"
    (node.folder / "dags.new").symlink_to("/nowhere")  # a run that was killed
    node.run(change.script)
    assert os.readlink(node.folder / "dags") == f"{node.path}/a"
    assert back.changes(Seen(node.run(back.probe()))) == []


def test_a_release_that_is_not_there_is_refused(node: Node) -> None:
    node.make("a")
    for of in (Switched(node.releases, "b"), Switched(Releases("x", "/l", f"{node.path}", owner=ME, marker=".m"), "a")):
        with pytest.raises(AerodromeError, match=f"there is no {of.releases.what} {of.name} of "):
            of.changes(Seen(node.run(of.probe())))


# Ways back


def test_a_link_leads_back_to_the_release_before(sh: Shell, tmp_path: Path) -> None:
    releases = Releases("release", f"{tmp_path}/it's", f"{tmp_path}/it's-releases")
    old, new = (tmp_path / "it's-releases" / name for name in ("a", "b"))
    for path in (old, new):
        path.mkdir(parents=True)
    link = tmp_path / "it's"
    for target in ("none", str(old)):
        if target != "none":
            link.symlink_to(target)
        undo = releases.back("b", target, "echo then")
        assert undo
        assert sh(undo.state).stdout.decode().strip() == undo.before == target
        assert sh(f"set -eu\n{releases.switch('b')}").returncode == 0
        assert sh(undo.state).stdout.decode().strip() == undo.left == str(new)
        done = sh(f"set -eu\n{undo.script}")
        assert (done.returncode, done.stdout) == (0, b"" if target == "none" else b"then\n")
        assert sh(undo.state).stdout.decode().strip() == target
    old.rmdir()
    gone = releases.back("b", str(old))
    assert gone
    done = sh(f"set -eu\n{gone.script}")
    assert (done.returncode, done.stdout.decode()) == (1, f"{old} has been removed since\n")


def test_what_was_no_release_has_no_way_back() -> None:
    for target in ("directory", "/elsewhere/a", ""):
        assert tree_releases("/s/d").back("b", target) is None
