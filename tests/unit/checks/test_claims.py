"""Things that already exist on a host under Airflow's names."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from aerodrome.checks.claims import OwnEnvironment, OwnHome, OwnUnits
from aerodrome.core.check import Check
from tests.unit.make import Shell

# Stand-ins for every command that a probe may run, to detect one that runs any.
FORBIDDEN = dict.fromkeys(("stat", "ls", "head", "grep", "systemctl", "cat", "sed"), "echo A PROCESS")
ENVIRONMENT = '# Written by Aerodrome from hosts.yaml\nPATH=/bin\nAIRFLOW_HOME={}\nPASSWORD="a\nb \\$c"\n'


def asked(sh: Shell, check: Check, programs: dict[str, str] | None = None) -> str:
    done = sh(check.probe(), programs=programs)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def refused(check: Check, text: str) -> str:
    (finding,) = check.judge(text)
    assert (finding.subject, finding.verdict) == (check.key, "refused")
    return finding.detail


@pytest.mark.parametrize("folder", ["home", "my home", 'ho"me$x'])
def test_a_home_that_was_deployed_before_costs_no_process(sh: Shell, tmp_path: Path, folder: str) -> None:
    home, environment = tmp_path / folder, tmp_path / "environment"
    home.mkdir()
    from aerodrome.resources.environment import escape

    environment.write_text(ENVIRONMENT.format(escape(str(home))))
    check = OwnHome(str(home), "astro", str(environment))
    assert asked(sh, check, FORBIDDEN) == ""
    environment.write_text(ENVIRONMENT.format("/another"))
    assert "A PROCESS" in asked(sh, check, FORBIDDEN)
    environment.write_text(f"AIRFLOW_HOME={home}\n# Written by hand\n")
    assert "A PROCESS" in asked(sh, check, FORBIDDEN)
    environment.unlink()
    home.rmdir()
    assert asked(sh, check, FORBIDDEN) == ""


@pytest.mark.parametrize(
    "files, fits",
    [
        ([], True),
        (["lost+found"], True),
        (["airflow.cfg", "who-ran-me"], True),
        (["dags", "x"], True),
        (["logs"], True),
        (["logs", "index.html"], False),
        ([".hidden"], False),
        (["a\nairflow.cfg"], True),  # a misleading name does no harm: existing files stay
    ],
)
def test_a_home_is_airflow_s_by_what_is_in_it(sh: Shell, tmp_path: Path, files: list[str], fits: bool) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for name in files:
        (home / name).touch()
    check = OwnHome(str(home), getpass.getuser(), str(tmp_path / "none"))
    text = asked(sh, check)
    if fits:
        assert check.judge(text) == []
    else:
        assert refused(check, text).startswith(f"{home} is in use by something other than Airflow: it contains ")


def test_a_home_of_somebody_else_or_no_folder(sh: Shell, tmp_path: Path) -> None:
    check = OwnHome(str(tmp_path), "astro", str(tmp_path / "none"))
    assert check.judge("directory|astro\ndags\n") == []
    assert refused(check, "directory|bob\ndags\n") == f"{tmp_path} belongs to bob, not to root or astro"
    file = tmp_path / "file"
    file.write_text("x")
    check = OwnHome(str(file), "astro", str(tmp_path / "none"))
    assert refused(check, asked(sh, check)) == f"{file} is a regular file, but AIRFLOW_HOME must be a directory"
    assert check.judge("") == []


def test_a_home_with_countless_files_is_looked_at_in_part(sh: Shell, tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"file{number}").touch()
    text = asked(sh, OwnHome(str(tmp_path), "astro", "/none"))
    assert len(text.splitlines()) == 65


@pytest.mark.parametrize(
    "text, fits",
    [
        (None, True),
        ("", True),
        ("# Written by Aerodrome\nA=1\n", True),
        ("AIRFLOW_HOME=/x\n", True),
        ("export AIRFLOW__CORE__EXECUTOR=x\n", True),
        ("# options of airflow\nA=1\n", False),
        ("A=1\n", False),
    ],
)
def test_an_environment_file_is_airflow_s_by_what_it_says(
    sh: Shell, tmp_path: Path, text: str | None, fits: bool
) -> None:
    path = tmp_path / "the file"
    if text is not None:
        path.write_text(text)
    check = OwnEnvironment(str(path))
    said = asked(sh, check)
    if fits:
        assert check.judge(said) == []
    else:
        assert refused(check, said) == f"{path} already exists and does not mention Airflow"
    if text is None or "Aerodrome" in text:
        assert asked(sh, check, FORBIDDEN) == ""


def test_units_are_asked_for_by_both_names(sh: Shell, tmp_path: Path) -> None:
    ours, other = tmp_path / "ours", tmp_path / "other"
    ours.write_text("[Service]\nExecStart=/home/astro/airflow-venv/bin/airflow %i\n")
    other.write_text("# not airflow\n[Service]\nExecStart=/bin/true\n")
    check = OwnUnits("no-such-service")
    for paths, said in (((ours, other), f"{other}\n"), ((other, ours), f"{other}\n"), ((ours, ours), "")):
        answer = f"case $5 in *@*) echo {paths[0]} ;; *) echo {paths[1]} ;; esac"
        assert asked(sh, check, {"systemctl": answer}) == said
    assert asked(sh, check, {"systemctl": "echo"}) == ""
    assert (
        refused(check, f"{other}\n")
        == f"the host already has a unit of that name that does not belong to Airflow: {other}"
    )
    assert check.judge("") == []
