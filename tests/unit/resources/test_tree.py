"""A folder that is switched whole: in a real shell."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from aerodrome.core.resource import Seen
from aerodrome.resources.tree import Tree
from tests.unit.make import ME, Shell, only_change

# `install -o` and chown want a group of the user's name; not every machine that runs tests has one.
STAND_INS = {} if os.getuid() == 0 else {"chown": ":", "install": 'mkdir -p "$7"'}


def packed(**files: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name.replace("__", "/") + ".py")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def tree(path: Path | str, digest: str, **files: str) -> Tree:
    return Tree(str(path), digest, len(files), lambda: packed(**files), ME)


def put(sh: Shell, of: Tree, **programs: str) -> None:
    (change,) = of.changes(Seen(sh(of.probe()).stdout.decode()))
    # Bytes behind the archive are the next change's.
    done = sh(f"set -eu\n{change.script}\ncat <&3", change.payload + b"next", programs={**STAND_INS, **programs})
    assert (done.returncode, done.stdout, done.stderr) == (0, b"next", b"")


def content(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_a_tree_that_is_there_is_not_even_packed() -> None:
    def never() -> bytes:
        raise AssertionError("packed")

    assert Tree("/srv/dags", "new", 1, never, "astro").changes(Seen("/srv/dags-releases/new\nroot\n")) == []


def test_a_tree_that_is_sent_as_a_whole() -> None:
    change = only_change(Tree("/srv/my dags", "new", 2, lambda: b"archive", "astro"), "/srv/my dags-releases/old\n")
    assert change.summary == "put 2 files into /srv/my dags"
    assert change.payload == b"archive"
    assert change.diff == ("-/srv/my dags -> /srv/my dags-releases/old\n+/srv/my dags -> /srv/my dags-releases/new")
    assert change.script == (
        "[ -O /srv ] || "
        "{ echo '/srv does not belong to root: its owner could replace files that root writes'; exit 1; }\n"
        "[ ! -h '/srv/my dags-releases' ] || rm -f '/srv/my dags-releases'\n"
        "mkdir -p '/srv/my dags-releases'\n"
        "chown -h root:root '/srv/my dags-releases'\n"
        "chmod 0755 '/srv/my dags-releases'\n"
        "remove() {\n"
        'if [ ! -d "$1" ] || [ -h "$1" ] || [ -O "$1" ]; then rm -rf "$1"; return; fi\n'
        'runuser -u astro -- timeout 60 find "$1" -mindepth 1 -delete 3<&- 9<&- || :\n'
        'rmdir "$1"\n'
        "}\n"
        "for old in '/srv/my dags-releases'/.new-*; do remove \"$old\"; done\n"
        "new=$(mktemp -d '/srv/my dags-releases'/.new-XXXXXX)\n"
        'head -c 7 <&3 | tar -xzf - -C "$new" --no-same-owner --no-same-permissions || { rm -rf "$new"; exit 1; }\n'
        'chmod -R u=rwX,go=rX "$new"\n'
        "remove '/srv/my dags-releases/new'\n"
        "mv -T \"$new\" '/srv/my dags-releases/new'\n"
        "rm -f '/srv/my dags.new'\n"
        "ln -s '/srv/my dags-releases/new' '/srv/my dags.new'\n"
        "mv -fT '/srv/my dags.new' '/srv/my dags'\n"
        "for old in '/srv/my dags-releases'/*; do case ${old##*/} in "
        "new|old|by-hand*) continue;; *.new) ;; "
        '*) [ -h "$old" ] || [ ! -O "$old" ] || continue;; esac; remove "$old" || :; done'
    )


def test_a_tree_is_unpacked_and_then_needs_nothing(sh: Shell, tmp_path: Path) -> None:
    dags = tmp_path / "my dags"
    first = tree(dags, "1", a="one", sub__b="two")
    put(sh, first)
    assert content(dags) == {"a.py": "one", "sub/b.py": "two"}
    assert first.changes(Seen(sh(first.probe()).stdout.decode())) == []


def test_releases_of_roots_stay_and_what_else_there_is_goes(sh: Shell, tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    for number in "123":
        put(sh, tree(dags, number, a=number))
    (tmp_path / "dags-releases" / "link").symlink_to("/nowhere")
    put(sh, tree(dags, "4", a="4"))
    assert content(dags) == {"a.py": "4"}
    # Older ones are for Pruned.
    assert sorted(path.name for path in (tmp_path / "dags-releases").iterdir()) == ["1", "2", "3", "4"]


def test_a_folder_that_was_filled_by_hand_is_kept_beside(sh: Shell, tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "mine.py").write_text("mine")
    put(sh, tree(dags, "1", a="one"))
    put(sh, tree(dags, "2", a="two"))
    assert content(dags) == {"a.py": "two"}
    (kept,) = (tmp_path / "dags-releases").glob("by-hand-*")
    assert (kept / "mine.py").read_text() == "mine"


def test_a_folder_that_was_filled_by_hand_again_is_kept_beside_the_first(sh: Shell, tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    for second in "12":
        dags.unlink(missing_ok=True)
        dags.mkdir()
        (dags / "mine.py").write_text(f"mine {second}")
        put(sh, tree(dags, second, a=second), date=f"echo {second}")
    put(sh, tree(dags, "3", a="3"))
    releases = content(tmp_path / "dags-releases")
    assert {name: text for name, text in releases.items() if name.startswith("by-hand")} == {
        "by-hand-1/mine.py": "mine 1",
        "by-hand-2/mine.py": "mine 2",
    }


def test_what_a_killed_run_left_is_no_hindrance(sh: Shell, tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    half = tmp_path / "dags-releases" / "1.new"
    half.mkdir(parents=True)
    (half / "half.py").write_text("")
    (tmp_path / "dags.new").symlink_to("/nowhere")
    put(sh, tree(dags, "1", a="one"))
    assert content(dags) == {"a.py": "one"}
    assert not half.exists()


def test_a_folder_without_files_can_be_deployed(sh: Shell, tmp_path: Path) -> None:
    put(sh, tree(tmp_path / "dags", "1"))
    assert content(tmp_path / "dags") == {}


def test_an_archive_that_breaks_off_switches_nothing(sh: Shell, tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    put(sh, tree(dags, "1", a="one"))
    broken = tree(dags, "2", a="two")
    (change,) = broken.changes(Seen(sh(broken.probe()).stdout.decode()))
    done = sh(f"set -eu\n{change.script}", change.payload[:40], programs=STAND_INS)
    assert done.returncode != 0
    assert content(dags) == {"a.py": "one"}


def test_a_release_that_is_gone_is_put_again(sh: Shell, tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    first = tree(dags, "1", a="one")
    put(sh, first)
    (dags / "a.py").unlink()
    (tmp_path / "dags-releases" / "1").rmdir()
    assert first.changes(Seen(sh(first.probe()).stdout.decode())) != []


@pytest.mark.parametrize("there, seen", [(False, "none\n"), (True, "directory\nroot\n")])
def test_the_probe_tells_a_folder_from_nothing(sh: Shell, tmp_path: Path, there: bool, seen: str) -> None:
    if there:
        (tmp_path / "dags").mkdir()
    assert sh(tree(tmp_path / "dags", "1").probe()).stdout.decode() == seen


def test_the_link_of_a_folder_has_a_way_back_and_a_directory_that_was_put_aside_has_none(tmp_path: Path) -> None:
    wanted = tree("/s/dags", "new", a="1")
    assert only_change(wanted, "/s/dags-releases/old\nroot\n").undo == wanted.releases.back(
        "new", "/s/dags-releases/old"
    )
    assert only_change(wanted, "none\n").undo == wanted.releases.back("new", "none")
    assert only_change(wanted, "directory\n").undo is None
