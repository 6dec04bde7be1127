"""Virtual environments: which one is wanted, and what is done in a real shell with stand-ins for the installers."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.errors import AerodromeError
from aerodrome.lockfile import digest
from aerodrome.resources.base import Seen
from aerodrome.resources.python import Installed, Requirements, VirtualEnvironment
from aerodrome.secrets import Secret
from tests.unit.make import Shell, only_change

LOCK = "apache-airflow==3.3.2 \\\n    --hash=sha256:aa\n"
UV = "uv==0.13.9 \\\n    --hash=sha256:bb\n"
PINNED = Requirements("3.3.2", {"3.11": LOCK})
VENVS = "/home/astro/airflow-venvs"
PLACE = f"{VENVS}/3.3.2-py3.11-{digest(LOCK)}"
LINK = "/home/astro/airflow-venv"
READY = f"3.11\n{PLACE}\nmade {PLACE}\ncomplete {PLACE}\n"


def venv(requirements: Requirements = PINNED, python: str = "python3") -> VirtualEnvironment:
    return VirtualEnvironment("astro", "/home/astro", python, requirements)


def installed(requirements: Requirements = PINNED, python: str = "python3") -> Installed:
    return Installed("astro", "/home/astro", python, requirements)


# Requirements


def test_a_lock_file_belongs_to_a_python() -> None:
    assert PINNED.text("3.11") == LOCK


def test_a_python_without_a_lock_file_says_how_to_make_one() -> None:
    with pytest.raises(AerodromeError) as caught:
        PINNED.text("3.12")
    assert caught.value.message == "there is no lock file for Airflow 3.3.2 on Python 3.12"
    assert caught.value.hint == (
        "make one: fab lock --version=3.3.2 --python=3.12; or name a constraints file: airflow.constraints;"
        " or take what fits today: airflow.pinned: false"
    )


def test_another_distribution_is_named_as_it_is() -> None:
    with pytest.raises(AerodromeError) as caught:
        Requirements("1.10.10.*", {}, distribution="astronomer-certified").text("3.7")
    assert caught.value.message == "there is no lock file for astronomer-certified 1.10.10.* on Python 3.7"
    assert "fab lock --version='1.10.10.*' --python=3.7 --distribution=astronomer-certified;" in caught.value.hint


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


def test_an_environment_is_made_by_the_service_user() -> None:
    change = only_change(venv(python="/opt/my python/bin/python3"), "3.11\nnone\n")
    assert change.summary == f"make virtual environment {PLACE}"
    assert change.script == (
        f"install -d -o astro -g astro -m 0755 {VENVS}\n"
        "runuser -u astro -- env HOME=/home/astro '/opt/my python/bin/python3' -m venv --clear " + PLACE
    )


def test_with_uv_the_environment_needs_no_pip() -> None:
    script = only_change(venv(Requirements("3.3.2", {"3.11": LOCK}, uv=UV)), "3.11\nnone\n").script
    assert script.endswith(f"python3 -m venv --without-pip --clear {PLACE}")


@pytest.mark.parametrize("resource", [venv(), installed()])
def test_a_python_that_packages_bring_leaves_the_rest_for_later(resource: VirtualEnvironment | Installed) -> None:
    assert only_change(resource, "none\nnone\n", ["packages python3"]).script == ""


@pytest.mark.parametrize("resource", [venv(python="/opt/python3.7/bin/python3.7"), installed()])
def test_a_python_that_nothing_brings_is_refused(resource: VirtualEnvironment | Installed) -> None:
    with pytest.raises(AerodromeError, match=f"there is no {resource.python} on the host") as caught:
        resource.changes(Seen("none\nnone\n"))
    assert caught.value.hint.startswith("install it (fab node.packages")


def test_packages_are_installed_with_their_hashes_and_then_put_in_use() -> None:
    install, link = installed().changes(Seen(f"3.11\nnone\nmade {PLACE}\n"))
    assert install.summary == f"install Airflow 3.3.2 into {PLACE}"
    assert install.script == (
        f"cat >{PLACE}/requirements.txt <<'END_OF_FILE'\n{LOCK}END_OF_FILE\n"
        f"runuser -u astro -- env HOME=/home/astro {PLACE}/bin/python -m pip install -q --no-input "
        f"--disable-pip-version-check --require-hashes -r {PLACE}/requirements.txt\n"
        f"! selinuxenabled 2>/dev/null || restorecon -RF {PLACE}\n"
        f"runuser -u astro -- env HOME=/home/astro touch {PLACE}/.complete"
    )
    assert (link.summary, link.diff) == (f"link {LINK} to it", f"+{LINK} -> {PLACE}")
    assert link.script == (
        f"ln -sfn {PLACE} {LINK}.new\nchown -h astro: {LINK}.new\nmv -fT {LINK}.new {LINK}\n"
        f"! selinuxenabled 2>/dev/null || restorecon -RF {LINK}"
    )


def test_an_install_that_broke_off_is_done_again() -> None:
    assert only_change(installed(), f"3.11\n{PLACE}\nmade {PLACE}\n").summary.startswith("install Airflow")


def test_an_upgrade_leaves_the_environment_before_in_place() -> None:
    old = f"{VENVS}/3.3.1-py3.11-aaaaaaaa"
    change = only_change(installed(), f"3.11\n{old}\nmade {old}\ncomplete {old}\nmade {PLACE}\ncomplete {PLACE}\n")
    assert change.diff == f"-{LINK} -> {old}\n+{LINK} -> {PLACE}"
    assert "rm " not in change.script


def test_an_environment_made_by_hand_is_kept() -> None:
    change = only_change(installed(), f"3.11\ndirectory\nmade {PLACE}\ncomplete {PLACE}\n")
    assert change.script.startswith(f"mv -T {LINK} {VENVS}/by-hand-$(date +%s)\nln -sfn ")


def test_unpinned_packages_have_no_hashes() -> None:
    requirements = Requirements("3.3.2", {}, unpinned="apache-airflow[celery]==3.3.2")
    script = installed(requirements).changes(Seen("3.11\nnone\n"))[0].script
    assert "--require-hashes" not in script
    assert "\napache-airflow[celery]==3.3.2\n" in script


def test_a_constraints_file_is_installed_within() -> None:
    requirements = Requirements("3.3.2", {}, unpinned="apache-airflow==3.3.2", uv=UV, constraints="six==1.17.0\n")
    script = installed(requirements).changes(Seen("3.11\nnone\n"))[0].script
    place = installed(requirements).directory("3.11")
    assert f"cat >{place}/constraints.txt <<'END_OF_FILE'\nsix==1.17.0\nEND_OF_FILE\n" in script
    assert (
        f'"$uv" pip install -q --system-certs --python {place}/bin/python'
        f" -c {place}/constraints.txt -r {place}/requirements.txt\n"
    ) in script


def test_pip_installs_within_constraints_too() -> None:
    requirements = Requirements("3.3.2", {}, unpinned="apache-airflow==3.3.2", constraints="six==1.17.0\n")
    place = installed(requirements).directory("3.11")
    script = installed(requirements).changes(Seen("3.11\nnone\n"))[0].script
    assert f"--disable-pip-version-check -c {place}/constraints.txt -r {place}/requirements.txt\n" in script


def test_other_constraints_have_an_environment_of_their_own() -> None:
    places = {
        installed(Requirements("3.3.2", {}, unpinned="apache-airflow==3.3.2", constraints=text)).directory("3.11")
        for text in ("", "six==1.16.0\n", "six==1.17.0\n")
    }
    assert len(places) == 3


OLD = Requirements(
    "1.10.10.*", {"3.7": LOCK}, uv=UV, build="wheel==0.34.2 --hash=sha256:cc\n", metadata="[[dependency-metadata]]\n"
)


def test_source_distributions_are_built_by_pinned_tools_and_read_by_what_ships() -> None:
    place = f"{VENVS}/1.10.10.x-py3.7-{digest(LOCK)}"
    script = installed(OLD).changes(Seen("3.7\nnone\n"))[0].script
    assert script.startswith(
        f"cat >{place}/requirements.txt <<'END_OF_FILE'\n{LOCK}END_OF_FILE\n"
        f"cat >{place}/build.txt <<'END_OF_FILE'\n{OLD.build}END_OF_FILE\n"
        f"cat >{place}/uv.toml <<'END_OF_FILE'\n{OLD.metadata}END_OF_FILE\n"
    )
    assert (
        f'"$uv" --directory {place} pip install -q --system-certs --python {place}/bin/python'
        f" --build-constraints {place}/build.txt --require-hashes -r {place}/requirements.txt\n"
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
    probe = VirtualEnvironment("astro", "/nowhere", "python9", PINNED).probe()
    assert sh(probe, programs={"python9": python}).stdout.decode().split("\n")[0] == version


class Node:
    """A home folder, with stand-ins for what changes a node; each notes its arguments."""

    def __init__(self, sh: Shell, folder: Path) -> None:
        self.sh, self.home, self.log = sh, folder / "home", folder / "log"
        self.home.mkdir()
        self.log.touch()
        self.programs = {
            # runuser -u astro -- env HOME=… command
            "runuser": 'shift 3; exec "$@"',
            "chown": ":",
            "install": f'shift 7; mkdir -p "$@"; echo "install $@" >>{self.log}',
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
        where = ("astro", str(self.home), "python9", requirements)
        return VirtualEnvironment(*where), Installed(*where)


def test_an_environment_is_made_once_and_filled_by_pip(sh: Shell, tmp_path: Path) -> None:
    node = Node(sh, tmp_path)
    resources = node.both(PINNED)
    assert node.converge(*resources) == 3
    assert node.log.read_text().splitlines()[1:] == ["venv", "pip", *LOCK.splitlines()]
    assert (node.home / "airflow-venv").resolve().name == f"3.3.2-py3.11-{digest(LOCK)}"
    assert node.converge(*resources) == 0


def test_uv_is_fetched_once_and_fills_the_environment(sh: Shell, tmp_path: Path) -> None:
    node = Node(sh, tmp_path)
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
    lines = installed(requirements).changes(Seen(f"3.11\nnone\nmade {PLACE}\n"))[0].script.splitlines()
    named = [line for line in lines if "https:" in line]
    assert named == [
        "export UV_DEFAULT_INDEX=https://u:a@b PIP_INDEX_URL=https://u:a@b",
        "export UV_INDEX=https://c PIP_EXTRA_INDEX_URL=https://c",
    ]


def test_a_lock_file_without_a_last_newline_is_installed_too(sh: Shell, tmp_path: Path) -> None:
    node = Node(sh, tmp_path)
    assert node.converge(*node.both(Requirements("3.3.2", {"3.11": LOCK.rstrip("\n")}))) == 3
    assert node.log.read_text().splitlines()[1:] == ["venv", "pip", *LOCK.splitlines()]


def test_a_host_without_that_python_is_seen(sh: Shell, tmp_path: Path) -> None:
    node = Node(sh, tmp_path)
    resource = VirtualEnvironment("astro", str(node.home), "python-of-no-host", PINNED)
    assert node.ask(resource).text == "none\nnone\n"


def test_a_directory_in_the_place_of_the_link_is_seen(sh: Shell, tmp_path: Path) -> None:
    node = Node(sh, tmp_path)
    (node.home / "airflow-venv").mkdir()
    assert node.ask(node.both(PINNED)[0]).text == "3.11\ndirectory\n"
