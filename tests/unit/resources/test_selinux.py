"""SELinux: new files get the types of the policy, if it is enabled."""

from __future__ import annotations

import pytest

from aerodrome.resources.selinux import relabel
from tests.unit.make import Shell


@pytest.mark.parametrize("on, said", [("exit 0", b"-RF /a b /c\n"), ("exit 1", b""), ("exit 127", b"")])
def test_types_are_given_only_where_selinux_is_on(sh: Shell, on: str, said: bytes) -> None:
    done = sh(f"set -eu\n{relabel('/a b', '/c')}", programs={"selinuxenabled": on, "restorecon": 'echo "$@"'})
    assert (done.returncode, done.stdout) == (0, said)


def test_what_belongs_to_a_user_is_relabelled_by_that_user(sh: Shell) -> None:
    programs = {"selinuxenabled": "exit 0", "restorecon": "exit 255", "runuser": 'echo "$@"'}
    done = sh(f"set -eu\n{relabel('/a b', user='aerodrome')}", programs=programs)
    assert (done.returncode, done.stdout) == (0, b"-u aerodrome -- restorecon -RF /a b\n")


def test_types_that_cannot_be_given_are_a_failure(sh: Shell) -> None:
    programs = {"selinuxenabled": "exit 0", "restorecon": "exit 255"}
    assert sh(f"set -eu\n{relabel('/a')}", programs=programs).returncode == 255
