"""The system user that installs, and root's directories: probes and changes."""

from __future__ import annotations

import pytest

from aerodrome.core.resource import Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.installer import Installer, as_installer
from tests.unit.make import Shell, only_change

PLACES = ("/opt/aerodrome", "/opt/aerodrome/airflow", "/opt/aerodrome/airflow/venvs")
INSTALLER = Installer(PLACES)
CACHE = "aerodrome 755 '/var/cache/aerodrome'\n"
READY = CACHE + "".join(f"root 755 '{path}'\n" for path in PLACES)
ENTRY = "aerodrome:x:997:996::{}:/usr/sbin/nologin\n"

ADD = """\
getent group aerodrome >/dev/null || groupadd --system aerodrome
getent passwd aerodrome >/dev/null || useradd --system --gid aerodrome --home-dir /var/cache/aerodrome \
--no-create-home --shell /usr/sbin/nologin aerodrome
install -d -o aerodrome -g aerodrome -m 0755 /var/cache/aerodrome"""


def test_where_all_is_there_nothing_is_done() -> None:
    assert INSTALLER.changes(Seen(READY)) == []


def test_a_bare_host_gets_the_user_its_cache_and_roots_directories() -> None:
    user, directories = INSTALLER.changes(Seen("\n"))
    assert user.summary == "add system user aerodrome, which installs Airflow, with /var/cache/aerodrome"
    assert user.script == ADD
    assert directories.summary == f"make root's {', '.join(PLACES)}"
    assert directories.script == f"install -d -o root -g root -m 0755 {' '.join(PLACES)}"


@pytest.mark.parametrize(
    "cache",
    [
        ENTRY.format("/var/cache/aerodrome"),  # its home was deleted
        ENTRY.format("/var/cache/aerodrome") + "root 755 '/var/cache/aerodrome'\n",
        "aerodrome 775 '/var/cache/aerodrome'\n",
    ],
)
def test_a_cache_that_is_not_its_own_alone_is_made_so(cache: str) -> None:
    assert only_change(INSTALLER, READY.replace(CACHE, cache)).script == ADD


@pytest.mark.parametrize("entry", ["astro 755", "root 775", "root 757", "root 700", "root 1777"])
def test_a_directory_that_others_can_write_or_not_enter_is_put_right(entry: str) -> None:
    change = only_change(INSTALLER, READY.replace(f"root 755 '{PLACES[2]}'", f"{entry} '{PLACES[2]}'"))
    assert change.script == f"install -d -o root -g root -m 0755 {PLACES[2]}"


def test_a_link_of_roots_to_a_larger_disk_stays() -> None:
    elsewhere = READY.replace("root 755 '/opt/aerodrome'", "root 777 '/opt/aerodrome' -> '/data/aerodrome'")
    assert INSTALLER.changes(Seen(elsewhere)) == []
    assert len(INSTALLER.changes(Seen(elsewhere.replace("root 777", "astro 777")))) == 1


def test_a_setgid_directory_is_as_good() -> None:
    assert INSTALLER.changes(Seen(READY.replace("755 '/opt", "2755 '/opt"))) == []


def test_an_account_of_somebody_elses_is_refused() -> None:
    with pytest.raises(AerodromeError, match="already has a user aerodrome, with the home /home/aerodrome"):
        INSTALLER.changes(Seen(ENTRY.format("/home/aerodrome")))


def test_the_account_is_looked_up_only_where_its_cache_does_not_prove_it(sh: Shell) -> None:
    programs = {"getent": "echo looked up", "stat": f"cat <<'END'\n{READY}END"}
    assert sh(INSTALLER.probe(), programs=programs).stdout.decode() == READY
    programs["stat"] = f"cat <<'END'\n{READY.removeprefix(CACHE)}END"
    assert sh(INSTALLER.probe(), programs=programs).stdout.decode() == "looked up\n" + READY.removeprefix(CACHE)


def test_what_stat_really_prints_is_read(sh: Shell, tmp_path: object) -> None:
    done = sh(f"cd '{tmp_path}'; mkdir -m 755 a; ln -s a b; stat -c 'root %a %N' $PWD/a $PWD/b")
    found = Installer((f"{tmp_path}/a", f"{tmp_path}/b"))
    assert found.changes(Seen(CACHE + done.stdout.decode())) == []


def test_what_the_installer_runs_has_neither_the_payload_nor_the_lock() -> None:
    assert as_installer("uv pip") == "runuser -u aerodrome -- env HOME=/var/cache/aerodrome uv pip 3<&- 9<&-"
