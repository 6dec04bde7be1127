"""System users: what `getent` and the shell of Debian 12 printed."""

from __future__ import annotations

import pytest

from aerodrome.core.resource import Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.users import User
from tests.unit.make import Shell, only_change

USER = User("astro", "/home/astro")
ENTRY = "astro:x:999:999::/home/astro:/bin/false\n"


def test_the_probe_as_a_whole() -> None:
    assert USER.probe() == "getent passwd astro; [ ! -d /home/astro ] || echo home"


def test_a_user_that_is_there_needs_nothing() -> None:
    assert USER.changes(Seen(ENTRY + "home\n")) == []


@pytest.mark.parametrize("shell", ["/usr/sbin/nologin", "/sbin/nologin"])
def test_another_way_of_no_login_is_as_good(shell: str) -> None:
    assert USER.changes(Seen(f"astro:x:999:999::/home/astro:{shell}\nhome\n")) == []


@pytest.mark.parametrize("seen", ["", "home\n"])
def test_a_user_that_is_missing_is_added(seen: str) -> None:
    change = only_change(USER, seen)
    assert change.summary == "add system user astro"
    assert change.script == (
        "getent group astro >/dev/null || groupadd --system astro\n"
        "useradd --system --gid astro --home-dir /home/astro --create-home --shell /bin/false astro\n"
        "chmod 0755 /home/astro"
    )


def test_a_new_user_has_a_profile_and_what_the_distribution_gives() -> None:
    change = only_change(User("astro", "/home/astro", profile="export AIRFLOW_HOME='/my home'"), "")
    assert change.script == (
        "getent group astro >/dev/null || groupadd --system astro\n"
        "skeleton=$(mktemp -d)\n"
        '[ ! -d /etc/skel ] || cp -a /etc/skel/. "$skeleton"\n'
        "printf '%s\\n' 'export AIRFLOW_HOME='\"'\"'/my home'\"'\"'' >>\"$skeleton/.bashrc\"\n"
        'useradd --system --gid astro --home-dir /home/astro --create-home --skel "$skeleton" '
        "--shell /bin/false astro\n"
        "chmod 0755 /home/astro\n"
        'rm -rf "$skeleton"'
    )


def test_the_profile_of_a_user_that_is_there_is_the_users_own() -> None:
    assert User("astro", "/home/astro", profile="export A=b").changes(Seen(ENTRY + "home\n")) == []


def test_a_login_shell_is_taken_away() -> None:
    change = only_change(USER, "astro:x:999:999:A, B:/home/astro:/bin/bash\nhome\n")
    assert (change.summary, change.script) == (
        "take the login shell /bin/bash from astro",
        "usermod --shell /bin/false astro",
    )


def test_a_home_that_is_missing_is_made() -> None:
    change = only_change(USER, ENTRY)
    assert (change.summary, change.script) == (
        "make home /home/astro",
        "install -d -o astro -g astro -m 0755 /home/astro",
    )


def test_a_user_of_somebody_else_is_left_alone() -> None:
    with pytest.raises(AerodromeError) as caught:
        USER.changes(Seen("astro:x:1000:1000:Astrid:/srv/astro:/bin/zsh\n"))
    assert caught.value.message == "user astro has the home /srv/astro, and /home/astro is expected"
    assert caught.value.hint == (
        "set another user in hosts.yaml (airflow.user), or run: usermod --home /home/astro astro"
    )


def test_the_probe_sees_a_real_user(sh: Shell) -> None:
    assert sh(User("root", "/").probe()).stdout == sh("getent passwd root").stdout + b"home\n"
    assert sh(User("nobody-of-this-name", "/no/such/home").probe()).stdout == b""
