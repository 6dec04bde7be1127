"""Virtual environments: the wanted one, and its installation in a real shell with stand-ins for the installers."""

from __future__ import annotations

import getpass
import shutil
from pathlib import Path

import pytest

from aerodrome.core.resource import Seen
from aerodrome.errors import AerodromeError
from aerodrome.lockfile import digest
from aerodrome.resources.python import COMPONENT, Installed, Requirements, VirtualEnvironment
from aerodrome.secrets import Secret
from tests.unit.make import Shell, only_change

LOCK = "apache-airflow==3.3.2 \\\n    --hash=sha256:aa\n"
UV = "uv==0.13.9 \\\n    --hash=sha256:bb\n"
PINNED = Requirements("3.3.2", {"3.11": LOCK})
PLACE = "/opt/aerodrome/airflow"
VENVS, LINK, UNIT = f"{PLACE}/venvs", f"{PLACE}/venv", "/etc/systemd/system/airflow@.service"
NAME = f"3.3.2-py3.11-{digest(LOCK)}"
VENV, GIVEN = f"{VENVS}/{NAME}", f"{PLACE}/requirements/{NAME}"
INSTALLER = "runuser -u aerodrome -- env HOME=/var/cache/aerodrome"
READY = f"3.11\n{VENV}\nmade {VENV}\ncomplete {VENV}\n"


def venv(requirements: Requirements = PINNED, python: str = "python3") -> VirtualEnvironment:
    return VirtualEnvironment(PLACE, python, requirements, "astro", UNIT)


def installed(requirements: Requirements = PINNED, python: str = "python3") -> Installed:
    return Installed(PLACE, python, requirements, "astro", UNIT)


def places(requirements: Requirements, python: str) -> tuple[str, str]:
    """Return the directory of an environment, and that of the installers' input."""
    environment = installed(requirements)
    return environment.directory(python), f"{PLACE}/requirements/{environment.name(python)}"


# Requirements


def test_a_lock_file_belongs_to_a_python() -> None:
    assert PINNED.text("3.11") == LOCK


def test_a_python_without_a_lock_file_says_how_to_make_one() -> None:
    with pytest.raises(AerodromeError) as caught:
        PINNED.text("3.12")
    assert caught.value.message == "there is no lock file for Airflow 3.3.2 on Python 3.12"
    assert caught.value.hint == (
        "make one: fab pin --version=3.3.2 --python=3.12; or name a constraints file: airflow.constraints;"
        " or take what fits today: airflow.pinned: false"
    )


def test_another_distribution_is_named_as_it_is() -> None:
    with pytest.raises(AerodromeError) as caught:
        Requirements("1.10.10.*", {}, distribution="astronomer-certified").text("3.7")
    assert caught.value.message == "there is no lock file for astronomer-certified 1.10.10.* on Python 3.7"
    assert "fab pin --version='1.10.10.*' --python=3.7 --distribution=astronomer-certified;" in caught.value.hint


def test_a_python_that_airflow_does_not_run_on_is_refused() -> None:
    with pytest.raises(AerodromeError) as caught:
        Requirements("2.11.2", {"3.13": LOCK}, supported=("3.10", "3.11")).text("3.13")
    assert caught.value.message == "Airflow 2.11.2 does not run on Python 3.13"
    assert "3.10, 3.11" in caught.value.hint


def test_unpinned_only_when_asked_for() -> None:
    assert Requirements("3.3.2", {}, unpinned="apache-airflow==3.3.2").text("3.11") == "apache-airflow==3.3.2\n"


# Environment and packages


def test_an_environment_that_is_ready_needs_nothing() -> None:
    assert venv().changes(Seen(READY)) == []
    assert installed().changes(Seen(READY)) == []


def test_an_environment_is_made_by_the_installer_in_a_directory_of_roots() -> None:
    change = only_change(venv(python="/opt/my python/bin/python3"), "3.11\nnone\n")
    assert change.summary == f"make virtual environment {VENV}"
    assert change.script == (
        f"rm -f {VENV}.complete\n"
        f"install -d -o aerodrome -g aerodrome -m 0755 {VENV}\n"
        f"{INSTALLER} '/opt/my python/bin/python3' -m venv --clear {VENV} 3<&- 9<&-"
    )


def test_with_uv_the_environment_needs_no_pip() -> None:
    script = only_change(venv(Requirements("3.3.2", {"3.11": LOCK}, uv=UV)), "3.11\nnone\n").script
    assert script.endswith(f"python3 -m venv --without-pip --clear {VENV} 3<&- 9<&-")


@pytest.mark.parametrize("resource", [venv(), installed()])
def test_a_python_that_packages_bring_leaves_the_rest_for_later(resource: VirtualEnvironment | Installed) -> None:
    assert only_change(resource, "none\nnone\n", ["packages python3"]).script == ""


@pytest.mark.parametrize("resource", [venv(python="/opt/python3.7/bin/python3.7"), installed()])
def test_a_python_that_nothing_brings_is_refused(resource: VirtualEnvironment | Installed) -> None:
    with pytest.raises(AerodromeError, match=f"there is no {resource.python} on the host") as caught:
        resource.changes(Seen("none\nnone\n"))
    assert caught.value.hint.startswith("install it where every user can run it (fab node.packages")


def test_packages_are_installed_with_their_hashes_and_then_put_in_use() -> None:
    install, link = installed().changes(Seen(f"3.11\nnone\nmade {VENV}\n"))
    assert install.summary == f"install Airflow 3.3.2 into {VENV}"
    assert install.script == (
        f"install -d -g aerodrome -m 0750 {PLACE}/requirements {GIVEN}\n"
        f"cat >{GIVEN}/requirements.txt <<'END_OF_FILE'\n{LOCK}END_OF_FILE\n"
        f"{INSTALLER} {VENV}/bin/python -m pip install -q --no-input "
        f"--disable-pip-version-check --require-hashes -r {GIVEN}/requirements.txt 3<&- 9<&-\n"
        f"{INSTALLER} chmod -R go-w,a+rX {VENV} 3<&- 9<&-\n"
        f"! selinuxenabled 2>/dev/null || runuser -u aerodrome -- restorecon -RF {VENV} 3<&- 9<&-\n"
        f": >{VENV}.complete"
    )
    assert (link.summary, link.diff) == (f"link {LINK} to it", f"+{LINK} -> {VENV}")
    assert link.script == (
        f"rm -f {LINK}.new\nln -s {VENV} {LINK}.new\nmv -fT {LINK}.new {LINK}\n"
        f"! selinuxenabled 2>/dev/null || restorecon -RF {LINK}\ntouch {VENV}.complete"
    )


def test_an_install_that_broke_off_is_done_again() -> None:
    assert only_change(installed(), f"3.11\n{VENV}\nmade {VENV}\n").summary.startswith("install Airflow")


def test_an_upgrade_leaves_the_environment_before_in_place() -> None:
    old = f"{VENVS}/3.3.1-py3.11-aaaaaaaa"
    change = only_change(installed(), f"3.11\n{old}\nmade {old}\ncomplete {old}\nmade {VENV}\ncomplete {VENV}\n")
    assert change.diff == f"-{LINK} -> {old}\n+{LINK} -> {VENV}"
    assert "rm -r" not in change.script


@pytest.mark.parametrize(
    "before, says",
    [
        (
            "before /home/astro/airflow-venv\n",
            " (units leave /home/astro/airflow-venv, which stays until you remove it)",
        ),
        (f"before {LINK}\n", ""),  # the link alone was lost
        ("", ""),
    ],
)
def test_the_environment_of_an_earlier_version_or_of_the_guide_stays(before: str, says: str) -> None:
    change = only_change(installed(), f"3.11\nnone\n{before}made {VENV}\ncomplete {VENV}\n")
    assert change.summary == f"link {LINK} to it{says}"
    assert "/home" not in change.script


def test_what_is_no_link_is_left_alone() -> None:
    with pytest.raises(AerodromeError, match=f"{LINK} is not a link to a virtual environment"):
        installed().changes(Seen(f"3.11\ndirectory\nmade {VENV}\ncomplete {VENV}\n"))


def test_unpinned_packages_have_no_hashes() -> None:
    requirements = Requirements("3.3.2", {}, unpinned="apache-airflow[celery]==3.3.2")
    script = installed(requirements).changes(Seen("3.11\nnone\n"))[0].script
    assert "--require-hashes" not in script
    assert "\napache-airflow[celery]==3.3.2\n" in script


def test_a_constraints_file_is_installed_within() -> None:
    requirements = Requirements("3.3.2", {}, unpinned="apache-airflow==3.3.2", uv=UV, constraints="six==1.17.0\n")
    script = installed(requirements).changes(Seen("3.11\nnone\n"))[0].script
    place, given = places(requirements, "3.11")
    assert f"cat >{given}/constraints.txt <<'END_OF_FILE'\nsix==1.17.0\nEND_OF_FILE\n" in script
    assert (
        f'"$uv" pip install -q --system-certs --compile-bytecode --python {place}/bin/python'
        f" -c {given}/constraints.txt -r {given}/requirements.txt 3<&- 9<&-\n"
    ) in script


def test_pip_installs_within_constraints_too() -> None:
    requirements = Requirements("3.3.2", {}, unpinned="apache-airflow==3.3.2", constraints="six==1.17.0\n")
    _, given = places(requirements, "3.11")
    script = installed(requirements).changes(Seen("3.11\nnone\n"))[0].script
    assert f"--disable-pip-version-check -c {given}/constraints.txt -r {given}/requirements.txt 3<&- 9<&-\n" in script


def test_other_constraints_have_an_environment_of_their_own() -> None:
    found = {
        installed(Requirements("3.3.2", {}, unpinned="apache-airflow==3.3.2", constraints=text)).directory("3.11")
        for text in ("", "six==1.16.0\n", "six==1.17.0\n")
    }
    assert len(found) == 3


OLD = Requirements(
    "1.10.10.*", {"3.7": LOCK}, uv=UV, build="wheel==0.34.2 --hash=sha256:cc\n", metadata="[[dependency-metadata]]\n"
)


def test_source_distributions_are_built_by_pinned_tools_and_read_by_what_ships() -> None:
    place, given = places(OLD, "3.7")
    assert place == f"{VENVS}/1.10.10.x-py3.7-{digest(LOCK)}"
    script = installed(OLD).changes(Seen("3.7\nnone\n"))[0].script
    assert script.startswith(
        f"install -d -g aerodrome -m 0750 {PLACE}/requirements {given}\n"
        f"cat >{given}/requirements.txt <<'END_OF_FILE'\n{LOCK}END_OF_FILE\n"
        f"cat >{given}/build.txt <<'END_OF_FILE'\n{OLD.build}END_OF_FILE\n"
        f"cat >{given}/uv.toml <<'END_OF_FILE'\n{OLD.metadata}END_OF_FILE\n"
    )
    assert (
        f'"$uv" --directory {given} pip install -q --system-certs --compile-bytecode --python {place}/bin/python'
        f" --build-constraints {given}/build.txt --require-hashes -r {given}/requirements.txt 3<&- 9<&-\n"
    ) in script


def test_what_fits_today_is_built_by_the_tools_of_today() -> None:
    today = Requirements("1.10.10", {}, unpinned="apache-airflow==1.10.10", build=OLD.build, metadata=OLD.metadata)
    assert list(today.files("3.7")) == ["requirements.txt", "uv.toml"]


def test_uv_comes_to_a_python_too_old_for_it() -> None:
    script = installed(OLD).changes(Seen("3.7\nnone\n"))[0].script
    assert " --ignore-requires-python --target " in script


def test_other_packages_have_an_environment_of_their_own() -> None:
    names = {
        installed(Requirements("3.3.2", {"3.11": text, "3.12": text})).directory(python)
        for text in (LOCK, LOCK.replace("aa", "cc"))
        for python in ("3.11", "3.12")
    }
    assert len(names) == 4


# In a real shell

SETPRIV = 'while :; do case $1 in --clear-groups) shift;; --*) shift 2;; *) break;; esac; done; exec "$@"'


@pytest.mark.parametrize(
    ("python", "version"),
    [
        ("echo Python 3.11.2", "3.11"),
        ("echo Python 3.13.0rc1+", "3.13"),
        ("echo Python 3.7.17 :: Anaconda, Inc.", "3.7"),
        ("echo Python 2.7.18 >&2", "2.7"),
        ("echo no such thing >&2; exit 127", "none"),
    ],
)
def test_the_version_is_read_off_what_every_python_says(sh: Shell, python: str, version: str) -> None:
    probe = VirtualEnvironment("/nowhere", "python9", PINNED, "astro", "/nowhere/unit").probe()
    assert sh(probe, programs={"python9": python, "setpriv": SETPRIV}).stdout.decode().split("\n")[0] == version


@pytest.fixture
def node(sh: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A node whose installer has its own cache."""
    monkeypatch.setattr("aerodrome.resources.python.CACHE", str(tmp_path / "cache"))
    return Node(sh, tmp_path)


class Node:
    """A place for environments, with stand-ins for programs that change a node; each logs its arguments."""

    def __init__(self, sh: Shell, folder: Path) -> None:
        self.sh, self.place, self.log, self.unit = sh, folder / "opt", folder / "log", folder / "airflow@.service"
        (self.place / "venvs").mkdir(parents=True)
        self.log.touch()
        self.programs = {
            # runuser -u aerodrome -- env HOME=… command
            "runuser": 'shift 3; exec "$@"',
            "setpriv": SETPRIV,
            "install": 'while :; do case $1 in -d) shift;; -*) shift 2;; *) break;; esac; done; mkdir -p "$@"',
            "python9": f"""
case $* in
-V) echo Python 3.11.2;;
*ensurepip*) echo /wheels/pip.whl;;
"-m venv "*) for place; do :; done; mkdir -p "$place/bin"; cp "$0" "$place/bin/python"; echo "venv" >>{self.log};;
*"config list"*) ;;
*"--target "*) echo "uv from $PYTHONPATH by ${{PIP_INDEX_URL-pypi}}" >>{self.log}
  while [ "$1" != --target ]; do shift; done
  mkdir -p "$2/bin"
  printf '#!/bin/sh\\necho "uv $*" >>{self.log}\\nfor l; do :; done\\ncat "$l" >>{self.log}\\n' >"$2/bin/uv"
  chmod +x "$2/bin/uv";;
*"-m pip install"*) for listed; do :; done; echo "pip" >>{self.log}; cat "$listed" >>{self.log};;
*) echo "python9 $*" >&2; exit 9;;
esac""",
        }

    def ask(self, resource: VirtualEnvironment | Installed) -> Seen:
        return Seen(self.sh(resource.probe(), programs=self.programs).stdout.decode())

    def converge(self, *resources: VirtualEnvironment | Installed) -> int:
        """Make every change; return how many there were."""
        count = 0
        for resource in resources:
            for change in resource.changes(self.ask(resource)):
                done = self.sh(f"set -eu\n{change.script}", programs=self.programs)
                assert done.returncode == 0, done
                count += 1
        return count

    def both(self, requirements: Requirements) -> tuple[VirtualEnvironment, Installed]:
        where = (str(self.place), "python9", requirements, "astro", str(self.unit))
        return VirtualEnvironment(*where), Installed(*where)


def test_an_environment_is_made_once_and_filled_by_pip(node: Node) -> None:
    resources = node.both(PINNED)
    assert node.converge(*resources) == 3
    assert node.log.read_text().splitlines() == ["venv", "pip", *LOCK.splitlines()]
    assert (node.place / "venv").resolve().name == NAME
    assert (node.place / "requirements" / NAME / "requirements.txt").read_text() == LOCK
    assert sorted(path.name for path in (node.place / "venvs").iterdir()) == [NAME, f"{NAME}.complete"]
    assert node.converge(*resources) == 0


def test_uv_is_fetched_once_and_fills_the_environment(node: Node) -> None:
    requirements = Requirements("3.3.2", {"3.11": LOCK}, uv=UV, index_url=Secret("https://u:s3cret@index/simple/"))
    assert node.converge(*node.both(requirements)) == 3
    newer = Requirements("3.3.3", {"3.11": LOCK}, uv=UV)
    assert node.converge(*node.both(newer)) == 3
    log = node.log.read_text()
    assert log.count("uv from /wheels/pip.whl by https://u:s3cret@index/simple/\n") == 1
    assert log.count("uv from") == 1
    assert log.count("\nuv pip install ") == 2
    assert node.converge(*node.both(newer)) == 0


def test_the_indexes_are_in_no_argv() -> None:
    requirements = Requirements(
        "3.3.2", {"3.11": LOCK}, index_url=Secret("https://u:a@b"), extra_index_url=Secret("https://c")
    )
    lines = installed(requirements).changes(Seen(f"3.11\nnone\nmade {VENV}\n"))[0].script.splitlines()
    named = [line for line in lines if "https:" in line]
    assert named == [
        "export UV_DEFAULT_INDEX=https://u:a@b PIP_INDEX_URL=https://u:a@b",
        "export UV_INDEX=https://c PIP_EXTRA_INDEX_URL=https://c",
    ]


def test_a_lock_file_without_a_last_newline_is_installed_too(node: Node) -> None:
    assert node.converge(*node.both(Requirements("3.3.2", {"3.11": LOCK.rstrip("\n")}))) == 3
    assert node.log.read_text().splitlines() == ["venv", "pip", *LOCK.splitlines()]


def test_a_host_without_that_python_is_seen(node: Node) -> None:
    resource = VirtualEnvironment(str(node.place), "python-of-no-host", PINNED, "astro", str(node.unit))
    assert node.ask(resource).text == "none\nnone\n"


def test_a_directory_in_the_place_of_the_link_is_seen(node: Node) -> None:
    (node.place / "venv").mkdir()
    assert node.ask(node.both(PINNED)[0]).text == "3.11\ndirectory\n"


def test_the_environment_that_units_use_without_our_link_is_seen(node: Node) -> None:
    node.unit.write_text("[Service]\nExecStart=/home/astro/airflow-venv/bin/airflow %i\nRestart=always\n")
    assert node.ask(node.both(PINNED)[0]).text == "3.11\nnone\nbefore /home/astro/airflow-venv\n"


def test_an_environment_counts_as_complete_only_by_roots_word_beside_it(node: Node) -> None:
    resources = node.both(PINNED)
    node.converge(*resources)
    marker = node.place / "venvs" / f"{NAME}.complete"
    marker.unlink()
    (node.place / "venvs" / NAME / ".complete").touch()
    assert node.converge(*resources) == 1
    assert marker.exists()


def test_an_environment_without_its_python_is_made_anew_whatever_the_marker_says(node: Node) -> None:
    resources = node.both(PINNED)
    node.converge(*resources)
    (node.place / "venvs" / NAME / "bin" / "python").unlink()
    assert node.converge(*resources) == 2  # made, and installed
    assert node.converge(*resources) == 0


# Whose Python it is

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
