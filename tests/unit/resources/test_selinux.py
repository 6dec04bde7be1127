"""SELinux: what is asked, and what is said where systemd could not execute an environment."""

from __future__ import annotations

import pytest

from aerodrome.errors import AerodromeError
from aerodrome.resources.base import Seen
from aerodrome.resources.selinux import Executable, relabel
from tests.unit.make import Shell

LINK = "/home/astro/airflow-venv"
EXECUTABLE = Executable(LINK)


def seen(link: str, python: str, airflow: str) -> str:
    """Return what stat of coreutils prints, with contexts as Fedora gives them."""
    parts = {"": link, "/bin/python": python, "/bin/airflow": airflow}
    return "".join(f"unconfined_u:object_r:{kind}:s0 {LINK}{part}\n" for part, kind in parts.items())


def test_the_probe_as_a_whole() -> None:
    assert EXECUTABLE.probe() == (
        '[ "$(getenforce)" != Enforcing ] || stat -c "%C %n" /home/astro/airflow-venv '
        "/home/astro/airflow-venv/bin/python /home/astro/airflow-venv/bin/airflow"
    )


@pytest.mark.parametrize(
    "found",
    [
        "",  # no SELinux, one that only warns, or nothing installed yet
        seen("bin_t", "bin_t", "bin_t"),
        seen("usr_t", "bin_t", "bin_t"),  # an environment that was moved out of the home directory
        f"unconfined_u:object_r:bin_t:s0-s0:c0.c1023 {LINK}\n",
    ],
)
def test_where_systemd_may_execute_nothing_is_said(found: str) -> None:
    assert EXECUTABLE.changes(Seen(found)) == []


@pytest.mark.parametrize(
    "found, path, kind",
    [
        (seen("user_home_t", "user_home_t", "user_home_t"), LINK, "user_home_t"),
        (seen("user_home_t", "bin_t", "bin_t"), LINK, "user_home_t"),
        (seen("bin_t", "data_home_t", "bin_t"), f"{LINK}/bin/python", "data_home_t"),
        (seen("bin_t", "bin_t", "user_home_t"), f"{LINK}/bin/airflow", "user_home_t"),
        (f"system_u:object_r:user_home_t:s0 {LINK}\n", LINK, "user_home_t"),  # and bin/ is not there
    ],
)
def test_where_systemd_may_not_execute_the_commands_are_told(found: str, path: str, kind: str) -> None:
    with pytest.raises(AerodromeError) as caught:
        EXECUTABLE.changes(Seen(found))
    assert caught.value.message == f"SELinux does not let systemd execute {path}, which is {kind}"
    assert caught.value.hint == (
        "run as root on the host, then run the same again: semanage fcontext -a -t bin_t /home/astro/airflow-venv; "
        "semanage fcontext -a -t bin_t '/home/astro/airflow-venvs/[^/]+/bin(/.*)?'; "
        "restorecon -RF /home/astro/airflow-venv /home/astro/airflow-venvs "
        "(semanage: dnf install policycoreutils-python-utils)"
    )


def test_an_environment_that_is_about_to_be_replaced_is_not_judged() -> None:
    found = seen("user_home_t", "user_home_t", "user_home_t")
    assert EXECUTABLE.changes(Seen(found, frozenset({f"link {LINK}"}))) == []


@pytest.mark.parametrize("mode, asked", [("Enforcing", True), ("Permissive", False), ("Disabled", False)])
def test_contexts_are_asked_only_where_selinux_is_enforced(sh: Shell, mode: str, asked: bool) -> None:
    stat = 'for path; do :; done; echo "system_u:object_r:user_home_t:s0 $path"'
    done = sh(EXECUTABLE.probe(), programs={"getenforce": f"echo {mode}", "stat": stat})
    last = f"system_u:object_r:user_home_t:s0 {LINK}/bin/airflow\n"
    assert done.stdout.decode() == (last if asked else "")


def test_without_selinux_nothing_is_asked(sh: Shell) -> None:
    assert sh(EXECUTABLE.probe(), programs={"getenforce": "exit 127"}).stdout == b""


@pytest.mark.parametrize("on, said", [("exit 0", b"-RF /a b\n"), ("exit 1", b""), ("exit 127", b"")])
def test_types_are_given_only_where_selinux_is_on(sh: Shell, on: str, said: bytes) -> None:
    done = sh(f"set -eu\n{relabel('/a b')}", programs={"selinuxenabled": on, "restorecon": 'echo "$@"'})
    assert (done.returncode, done.stdout) == (0, said)


def test_types_that_cannot_be_given_are_a_failure(sh: Shell) -> None:
    programs = {"selinuxenabled": "exit 0", "restorecon": "exit 255"}
    assert sh(f"set -eu\n{relabel('/a')}", programs=programs).returncode == 255
