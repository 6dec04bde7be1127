"""Packages by apt and dnf."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from aerodrome.core.resource import Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources import packages
from aerodrome.resources.packages import Packages
from tests.unit.make import Shell, only_change

PACKAGES = Packages(apt=("sudo", "gcc", "python3-venv"), dnf=("sudo", "gcc"))


def test_the_probe_as_a_whole() -> None:
    assert PACKAGES.probe() == (
        "if command -v apt-get >/dev/null; then echo apt; "
        "dpkg-query -W -f '${Package} ${db:Status-Status}\\n' sudo gcc python3-venv 2>/dev/null; "
        "elif command -v dnf >/dev/null; then echo dnf; "
        "for name in sudo gcc; do "
        'rpm -q --whatprovides "$name" >/dev/null 2>&1 && echo "$name installed"; done; fi'
    )


@pytest.mark.parametrize(
    "seen",
    [
        "apt\ngcc installed\nsudo installed\npython3-venv installed\n",
        "dnf\nsudo installed\ngcc installed\n",
    ],
)
def test_packages_that_are_installed_need_nothing(seen: str) -> None:
    assert PACKAGES.changes(Seen(seen)) == []


def test_what_is_missing_is_installed_by_apt() -> None:
    # gcc was removed, but not purged: dpkg still knows it.
    change = only_change(PACKAGES, "apt\ngcc config-files\nsudo installed\n")
    install = (
        "apt-get -q -y -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold -o APT::Cmd::Pattern-Only=true "
        "install --no-install-recommends gcc python3-venv </dev/null"
    )
    assert change.summary == "install gcc, python3-venv"
    assert change.script == (
        "export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1\n"
        f"{packages._APT_FREE}\n"
        "apt_free\ndpkg --configure -a </dev/null || { apt_free; dpkg --configure -a </dev/null; }\napt_free\n"
        f"{install} || {{\napt_free\n"
        "troubles=$(apt-get -q -y -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold "
        "-o APT::Cmd::Pattern-Only=true update </dev/null 2>&1 | grep '^[EW]: ' | tail -n 4 | head -c 2000)\n"
        f"{install} || {{ status=$?; "
        '[ -z "$troubles" ] || printf \'apt-get update could not fetch all lists:\\n%s\\n\' "$troubles" >&2; '
        "exit $status; }; }"
    )


def test_what_is_missing_is_installed_by_dnf() -> None:
    # The output of Fedora's rpm for a package that is not installed.
    change = only_change(PACKAGES, "dnf\nsudo installed\nno package provides gcc\n")
    assert (change.summary, change.script) == (
        "install gcc",
        "dnf -y --setopt=install_weak_deps=False install gcc </dev/null || "
        "dnf -y --setopt=install_weak_deps=False --refresh install gcc </dev/null",
    )


def test_a_host_without_either_is_told_what_to_install() -> None:
    with pytest.raises(AerodromeError) as caught:
        PACKAGES.changes(Seen(""))
    assert caught.value.hint == "install these packages by hand, then run again: sudo gcc python3-venv"


def test_a_package_that_goes_by_another_name_counts_as_installed(sh: Shell, tmp_path: Path) -> None:
    # Fedora 41: the package postgresql16-server provides postgresql-server.
    rpm = (
        'for name; do case $name in postgresql-server) case "$*" in '
        '*%{NAME}*) echo "postgresql16-server installed";; *) echo postgresql16-server-16.3;; esac; exit 0;; esac; done'
    )
    wanted = Packages(apt=(), dnf=("postgresql-server",))
    probe = wanted.probe().replace("command -v apt-get", "false")
    done = sh(probe, programs={"rpm": rpm, "dnf": ":"})
    assert wanted.changes(Seen(done.stdout.decode())) == []


def test_lists_are_fetched_only_where_a_package_is_not_found(sh: Shell, tmp_path: Path) -> None:
    log = tmp_path / "log"
    apt_get = (
        f"for word; do case $word in update|install) echo $word >>{log};; esac; done\n"
        f'case "$*" in *update*) touch {tmp_path}/lists;; *) [ -e {tmp_path}/lists ];; esac'
    )
    change = only_change(PACKAGES, "apt\n")
    for _ in range(2):
        assert sh(f"set -eu\n{change.script}", programs={"apt-get": apt_get, "dpkg": ":"}).returncode == 0
    assert log.read_text().split() == ["install", "update", "install", "install"]


def test_a_package_that_no_source_has_is_a_failure(sh: Shell) -> None:
    change = only_change(PACKAGES, "apt\n")
    apt_get = 'case "$*" in *update*) ;; *) echo "E: Unable to locate package gcc" >&2; exit 100;; esac'
    done = sh(f"set -eu\n{change.script}", programs={"apt-get": apt_get, "dpkg": ":"})
    assert (done.returncode, done.stderr) == (100, b"E: Unable to locate package gcc\n" * 2)


@pytest.mark.parametrize("status", [0, 100])
def test_why_the_lists_could_not_be_fetched_is_said_beside_what_was_not_found(sh: Shell, status: int) -> None:
    change = only_change(PACKAGES, "apt\n")
    apt_get = (
        f'case "$*" in *update*) echo Get:1; echo "W: Failed to fetch http://x/" >&2; exit {status};; '
        '*) echo "E: Unable to locate package gcc" >&2; exit 100;; esac'
    )
    done = sh(f"set -eu\n{change.script}", programs={"apt-get": apt_get, "dpkg": ":"})
    lines = done.stderr.decode().splitlines()
    assert (done.returncode, lines[0], lines[1]) == (100, *["E: Unable to locate package gcc"] * 2)
    assert lines[2:] == ["apt-get update could not fetch all lists:", "W: Failed to fetch http://x/"]


def test_a_source_that_is_broken_does_not_matter_where_another_has_the_package(sh: Shell, tmp_path: Path) -> None:
    change = only_change(PACKAGES, "apt\n")
    apt_get = f'case "$*" in *update*) touch {tmp_path}/lists; exit 100;; *) [ -e {tmp_path}/lists ];; esac'
    done = sh(f"set -eu\n{change.script}", programs={"apt-get": apt_get, "dpkg": ":"})
    assert (done.returncode, done.stderr) == (0, b"")


HOLD = (
    "import fcntl, sys, time; opened = open(sys.argv[1], 'w'); fcntl.lockf(opened, fcntl.LOCK_EX); "
    "print(flush=True); time.sleep(60)"
)


@pytest.fixture
def locks(tmp_path: Path) -> str:
    """Return the functions that check apt's locks, with two of the test's own files."""
    paths = f"{tmp_path}/lock-frontend {tmp_path}/lock"
    for path in paths.split():
        Path(path).touch()
    return packages._APT_FREE.replace(packages.APT_LOCKS, paths)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the second of them."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, f"{tmp_path}/lock"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()


def test_who_holds_a_lock_is_named_and_waited_for(
    sh: Shell, tmp_path: Path, locks: str, held: subprocess.Popen[bytes]
) -> None:
    threading.Timer(2.5, held.kill).start()
    threading.Timer(2.6, held.wait).start()
    done = sh(
        f"set -eu\n{locks}\napt_free; apt_free; echo free", programs={"sleep": f"exec {shutil.which('sleep')} 0.2"}
    )
    name = Path(f"/proc/{held.pid}/comm").read_text().strip() if held.poll() is None else "python"
    line, free = done.stdout.decode().splitlines()
    assert line.startswith(f"@waiting for {name[:6]}") and line.endswith(
        f" (pid {held.pid}) to release {tmp_path}/lock"
    )
    assert (free, done.returncode) == ("free", 0)


def test_a_lock_that_is_never_released_is_an_error(
    sh: Shell, tmp_path: Path, locks: str, held: subprocess.Popen[bytes]
) -> None:
    script = locks.replace("-lt 600", "-lt 2")
    done = sh(f"set -eu\n{script}\napt_free; echo free", programs={"sleep": ":"})
    assert (done.returncode, done.stdout.count(b"@waiting for"), b"free\n" in done.stdout) == (1, 1, False)
    assert done.stderr.decode().startswith("waited 10 minutes for python")


def test_where_nobody_holds_a_lock_nothing_is_said(sh: Shell, locks: str) -> None:
    assert sh(f"set -eu\n{locks}\napt_free; echo free").stdout == b"free\n"
