"""A Python that somebody else could replace is refused."""

from __future__ import annotations

import getpass
import shutil
from pathlib import Path

import pytest

from aerodrome.core.resource import Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.python import COMPONENT, VirtualEnvironment
from tests.unit.make import Shell
from tests.unit.resources.environments import PINNED, PLACE, READY, UNIT, installed, venv

PATH = "/srv/py/bin/python3.11"
LISTED = """\
f: /srv/py/bin/python3.11
drwxr-xr-x root root /
drwxr-xr-x root root srv
{} py
drwxr-xr-x root root bin
lrwxrwxrwx root root python3.11 -> python3
-rwxr-xr-x root root   python3
"""


@pytest.mark.parametrize(
    "component",
    [
        "drwxr-xr-x astro root",
        "lrwxrwxrwx astro astro",
        "drwxrwxr-x root  astro",
        "drwxrwxrwx root  root",
        "-rwxrwxrwx root  root",
    ],
)
def test_a_python_that_the_service_user_could_replace_is_refused(component: str) -> None:
    for resource in (venv(python=PATH), installed(python=PATH)):
        with pytest.raises(AerodromeError) as caught:
            resource.changes(Seen(READY + LISTED.format(component)))
        assert caught.value.message == "the service user astro could replace /srv/py/bin/python3.11"
        assert caught.value.hint == (
            "install Python where only root can write, such as /opt, and set airflow.python to it"
        )


@pytest.mark.parametrize(
    "component", ["drwxrwxr-x ada  ada", "drwxrwxrwt root root", "drwxr-xr-x root astro", "drwxrwxr-x root staff"]
)
def test_a_python_of_others_is_theirs_to_answer_for(component: str) -> None:
    assert venv(python=PATH).changes(Seen(READY + LISTED.format(component))) == []


def test_nobody_is_asked_for_the_version_and_root_lists_the_path() -> None:
    probe = venv(python="/srv/my py/python3").probe()
    assert probe.startswith(
        "version=$(setpriv --reuid 65534 --regid 65534 --clear-groups '/srv/my py/python3' -V 2>&1 3<&- 9<&- "
        "| head -c 100)\n"
    )
    assert probe.endswith("\nnamei -l '/srv/my py/python3'")
    assert "namei" not in venv().probe()


@pytest.mark.skipif(not shutil.which("namei"), reason="namei is util-linux's")
def test_namei_lists_what_is_read_of_it(sh: Shell, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o755)
    (tmp_path / "real" / "python3").touch(mode=0o755)
    (tmp_path / "link").symlink_to("real")
    listed = sh(f"namei -l {tmp_path}/link/python3").stdout.decode()
    owner = getpass.getuser()
    assert [COMPONENT.match(line).group(1, 3) for line in listed.splitlines()[-3:]] == [  # type: ignore[union-attr]
        ("l", owner),
        ("d", owner),
        ("-", owner),
    ]
    theirs = VirtualEnvironment(PLACE, f"{tmp_path}/link/python3", PINNED, owner, UNIT)
    with pytest.raises(AerodromeError, match="could replace"):
        theirs.changes(Seen(READY + listed))
