"""Virtual environments: what is required, and the scripts that make and fill them."""

from __future__ import annotations

import pytest

from aerodrome.core.resource import Seen
from aerodrome.errors import AerodromeError
from aerodrome.lockfile import digest
from aerodrome.resources.python import Installed, Requirements, VirtualEnvironment
from aerodrome.secrets import Secret
from tests.unit.make import only_change
from tests.unit.resources.environments import (
    GIVEN,
    INSTALLER,
    LINK,
    LOCK,
    PINNED,
    PLACE,
    READY,
    UV,
    VENV,
    VENVS,
    installed,
    venv,
)


def places(requirements: Requirements, python: str) -> tuple[str, str]:
    """Return the directory of an environment, and that of the installers' input."""
    environment = installed(requirements)
    return environment.directory(python), f"{PLACE}/requirements/{environment.name(python)}"


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
