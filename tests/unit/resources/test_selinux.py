"""SELinux: what is asked, and what is said where systemd could not execute an environment."""

from __future__ import annotations

import pytest

from aerodrome.errors import AerodromeError
from aerodrome.resources.base import Change, Seen
from aerodrome.resources.selinux import Executable, relabel
from tests.unit.make import Shell, only_change

LINK = "/home/astro/airflow-venv"
LINKED = frozenset({f"link {LINK}"})
EXECUTABLE = Executable(LINK)


def seen(found: list[str], rules: list[str]) -> str:
    """Return what stat (coreutils 9.1) and matchpathcon (libselinux 3.4) print for these types."""
    lines = [f"is unconfined_u:object_r:{kind}:s0\n" for kind in found]
    return "".join([*lines, *(f"becomes system_u:object_r:{kind}:s0\n" for kind in rules)])


HOME, BIN = ["user_home_t"], ["bin_t"]


def test_the_probe_as_a_whole() -> None:
    assert EXECUTABLE.probe() == (
        'if [ "$(getenforce)" = Enforcing ]; then\n'
        "stat --printf 'is %C\\n' /home/astro/airflow-venv "
        "/home/astro/airflow-venv/bin/python /home/astro/airflow-venv/bin/airflow\n"
        "matchpathcon -n /home/astro/airflow-venv /home/astro/airflow-venvs/any/bin/airflow | sed 's/^/becomes /'\n"
        "fi"
    )


@pytest.mark.parametrize(
    "found, changing",
    [
        ("", frozenset()),  # no SELinux, or one that only warns
        (seen(BIN * 3, BIN * 2), frozenset()),
        (seen(BIN * 3, HOME * 2), frozenset()),  # chcon, by hand: it holds until the next environment
        (seen(["usr_t", "bin_t", "bin_t"], HOME * 2), frozenset()),  # a link to elsewhere
        ("is ?\n", frozenset()),  # a file system without labels
        ("is unconfined_u:object_r:bin_t:s0-s0:c0.c1023\n", frozenset()),
        (seen([], BIN * 2), LINKED),
        (seen(HOME * 3, BIN * 2), LINKED),  # what is in use is replaced
        (seen(HOME * 3, []), LINKED),  # without matchpathcon, it shows once it is there
    ],
)
def test_where_systemd_may_execute_nothing_is_done(found: str, changing: frozenset[str]) -> None:
    assert EXECUTABLE.changes(Seen(found, changing)) == []


@pytest.mark.parametrize(
    "found, changing, kind",
    [
        (seen(HOME * 3, HOME * 2), frozenset(), "user_home_t"),
        (seen(HOME * 3, []), frozenset(), "user_home_t"),
        (seen(["bin_t", "data_home_t", "bin_t"], ["bin_t", "data_home_t"]), frozenset(), "data_home_t"),
        (seen(["user_home_t", "bin_t", "bin_t"], ["user_home_t", "bin_t"]), frozenset(), "user_home_t"),
        (seen([], HOME * 2), LINKED, "user_home_t"),  # before anything is there
        (seen(BIN * 3, ["bin_t", "user_home_t"]), LINKED, "user_home_t"),
    ],
)
def test_where_systemd_may_not_execute_the_commands_are_told(found: str, changing: frozenset[str], kind: str) -> None:
    with pytest.raises(AerodromeError) as caught:
        EXECUTABLE.changes(Seen(found, changing))
    assert caught.value.message == (
        f"SELinux does not let systemd execute /home/astro/airflow-venv, which is of type {kind}"
    )
    assert caught.value.hint == (
        "as root on the host: semanage fcontext -a -t bin_t /home/astro/airflow-venv; "
        "semanage fcontext -a -t bin_t '/home/astro/airflow-venvs/[^/]+/bin(/.*)?' "
        "(semanage: dnf install policycoreutils-python-utils), then the same again"
    )


@pytest.mark.parametrize("found", [HOME * 3, ["bin_t", "bin_t", "user_home_t"]])
def test_where_the_rules_are_right_and_the_types_are_not_yet_they_are_given(found: list[str]) -> None:
    assert only_change(EXECUTABLE, seen(found, BIN * 2)) == Change(
        "give the environment the types of SELinux's rules",
        "! selinuxenabled 2>/dev/null || restorecon -RF /home/astro/airflow-venv /home/astro/airflow-venvs",
    )


@pytest.mark.parametrize("mode, asked", [("Enforcing", True), ("Permissive", False), ("Disabled", False)])
def test_types_are_asked_only_where_selinux_is_enforced(sh: Shell, mode: str, asked: bool) -> None:
    programs = {
        "getenforce": f"echo {mode}",
        "stat": "echo is unconfined_u:object_r:user_home_t:s0",
        "matchpathcon": "echo system_u:object_r:bin_t:s0; echo system_u:object_r:bin_t:s0",
    }
    done = sh(EXECUTABLE.probe(), programs=programs)
    assert done.stdout.decode() == (seen(HOME, BIN * 2) if asked else "")


def test_without_selinux_nothing_is_asked(sh: Shell) -> None:
    assert sh(EXECUTABLE.probe(), programs={"getenforce": "exit 127"}).stdout == b""


@pytest.mark.parametrize("on, said", [("exit 0", b"-RF /a b /c\n"), ("exit 1", b""), ("exit 127", b"")])
def test_types_are_given_only_where_selinux_is_on(sh: Shell, on: str, said: bytes) -> None:
    done = sh(f"set -eu\n{relabel('/a b', '/c')}", programs={"selinuxenabled": on, "restorecon": 'echo "$@"'})
    assert (done.returncode, done.stdout) == (0, said)


def test_types_that_cannot_be_given_are_a_failure(sh: Shell) -> None:
    programs = {"selinuxenabled": "exit 0", "restorecon": "exit 255"}
    assert sh(f"set -eu\n{relabel('/a')}", programs=programs).returncode == 255
