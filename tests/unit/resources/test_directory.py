"""Directories: the scripts, and what they do in a real shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.core.resource import Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.directory import Directory
from tests.unit.make import ME, MY_GROUP, Shell, apply, only_change, seen


def test_a_directory_as_it_should_be_needs_nothing() -> None:
    assert Directory("/srv/a", "astro", "astro").changes(Seen("directory|astro|astro|755\n")) == []


def test_a_directory_is_made() -> None:
    change = only_change(Directory("/srv/a b", "astro", "users", 0o750), "")
    assert (change.summary, change.script) == (
        "make directory /srv/a b",
        "mkdir -p /srv\n[ -O /srv ] || "
        "{ echo '/srv does not belong to root: its owner could replace files that root writes'; exit 1; }\n"
        "install -d -o astro -g users -m 0750 '/srv/a b'",
    )


def test_a_directory_in_one_of_its_owners_is_made_by_its_owner() -> None:
    directory = Directory("/var/lib/redis/my air", "redis", "redis", 0o750, owner_makes=True)
    assert [only_change(directory, seen).script for seen in ("", "directory|redis|redis|755\n")] == [
        "runuser -u redis -- mkdir -m 0750 '/var/lib/redis/my air' 3<&- 9<&-",
        "runuser -u redis -- chmod 0750 '/var/lib/redis/my air' 3<&- 9<&-",
    ]
    with pytest.raises(AerodromeError, match="^/var/lib/redis/my air belongs to root:root$"):
        directory.changes(Seen("directory|root|root|750\n"))


def test_a_directory_of_somebody_else_is_taken_over() -> None:
    change = only_change(Directory("/srv/a", "astro", "astro"), "directory|root|root|755\n")
    assert (change.summary, change.script) == (
        "own /srv/a astro:astro 0755",
        "[ -O /srv ] || "
        "{ echo '/srv does not belong to root: its owner could replace files that root writes'; exit 1; }\n"
        "chown -h astro:astro /srv/a\nchmod 0755 /srv/a",
    )


def test_a_file_in_the_place_of_a_directory_is_left_alone() -> None:
    with pytest.raises(AerodromeError, match="/srv/a is a regular file, but should be a directory"):
        Directory("/srv/a", "astro", "astro").changes(Seen("regular file|root|root|644\n"))


def test_a_directory_is_made_and_then_needs_nothing(sh: Shell, tmp_path: Path) -> None:
    directory = Directory(str(tmp_path / "a" / "b c"), ME, MY_GROUP, 0o750)
    apply(sh, directory.changes(seen(sh, directory)))
    assert (tmp_path / "a" / "b c").stat().st_mode & 0o777 == 0o750
    assert directory.changes(seen(sh, directory)) == []
