"""A change of Airflow's version: the question to the metadata database, and the wait for tasks."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from aerodrome.components.inputs import Inputs
from aerodrome.components.version import version
from tests.unit.make import HOSTS, Shell, fleet, inputs

NEW, OLD = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__SQL_ALCHEMY_CONN"
URL = "postgresql+psycopg2://u:p@h/d"

# Stands in for psycopg2: the database is at the revisions of the file `revisions`, its tasks are those of `tasks`.
PSYCOPG2 = """\
import pathlib
HERE = pathlib.Path(__file__).parent
class Error(Exception): pass
class Connection:
    def __init__(self, url): assert url == "postgresql://u:p@h/d", url
    def cursor(self): return self
    def execute(self, query): self.query = query
    def rollback(self): pass
    def fetchone(self):
        wanted = "tasks" if "task_instance" in self.query else "revisions"
        return ["a table" if (HERE / wanted).exists() else None]
    def fetchall(self):
        if "task_instance" not in self.query:
            return [[line] for line in (HERE / "revisions").read_text().split()]
        lines = (HERE / "tasks").read_text().splitlines()
        now, _, rest = (lines or [""])[0].partition(";")
        if len(lines) > 1:
            (HERE / "tasks").write_text("\\n".join(lines[1:]))
        return [tuple(task.split()) for task in now.split(",") if task]
def connect(url, connect_timeout): return Connection(url)
"""
# As Airflow 1.10, 2 and 3 write them.
MIGRATIONS = {
    "1_a.py": "revision = 'aaa'\ndown_revision = None\n",
    "2_b.py": 'revision = "bbb"\ndown_revision = "aaa"\n',
    "3_m.py": 'revision: str = "mmm"\ndown_revision: tuple[str, str] = ("bbb", "ccc")\n',
    "2_c.py": "revision = 'ccc'\ndown_revision = 'aaa'\n",
}


def run(sh: Shell, folder: Path, script: str, variables: str = f"{NEW}={URL}") -> tuple[int, str]:
    """Run a program of `script` with this machine's Python in place of an environment's; return how it ended."""
    (folder / "psycopg2.py").write_text(PSYCOPG2)
    packages = folder / "airflow/migrations/versions"
    packages.mkdir(parents=True, exist_ok=True)
    for name, text in MIGRATIONS.items():
        (packages / name).write_text(text)
    program = script.partition("<<'END_OF_FILE'\n")[2].partition("END_OF_FILE")[0]
    ast.parse(program, feature_version=(3, 6))
    program = program.replace('sysconfig.get_path("purelib")', f'"{folder}"')
    (folder / "program.py").write_text(program)
    done = sh(f"cd {folder}; env -u {NEW} -u {OLD} AIRFLOW_HOME={folder} {variables} python3 program.py")
    return done.returncode, done.stdout.decode()


def asked(sh: Shell, folder: Path, variables: str = f"{NEW}={URL}", given: Inputs | None = None) -> str:
    code, text = run(sh, folder, version(given or inputs(), HOSTS["s1"]).ask, variables)
    assert code == 0
    return text.strip()


@pytest.mark.parametrize(
    "revisions, answer",
    [(None, "empty"), ("", "empty"), ("mmm", "here"), ("bbb", "elsewhere"), ("zzz", "elsewhere")],
)
def test_the_database_is_compared_with_the_environment_in_use(
    sh: Shell, tmp_path: Path, revisions: str | None, answer: str
) -> None:
    if revisions is not None:
        (tmp_path / "revisions").write_text(revisions)
    assert asked(sh, tmp_path) == answer


@pytest.mark.parametrize(
    "variables, config, answer",
    [
        (f"{OLD}={URL}", "", "here"),
        (f"{OLD}_CMD='printf %s {URL}'", "", "here"),
        ("A=b", f"[core]\nsql_alchemy_conn = {URL}\n", "here"),
        ("A=b", "[core]\nsql_alchemy_conn = sqlite:////x\n", "unknown"),
        ("A=b", "", "unknown"),
    ],
)
def test_another_version_names_the_connection_otherwise(
    sh: Shell, tmp_path: Path, variables: str, config: str, answer: str
) -> None:
    (tmp_path / "revisions").write_text("mmm")
    (tmp_path / "airflow.cfg").write_text(config)
    assert asked(sh, tmp_path, variables) == answer
    if not config:
        given = inputs(fleet(version="1.10.10"))
        assert asked(sh, tmp_path, variables.replace(OLD, NEW), given) == answer


def test_where_nothing_has_run_the_database_is_not_asked(sh: Shell) -> None:
    ask = version(inputs(fleet(service="no-such-service")), HOSTS["s1"]).ask
    assert sh(ask).stdout == b"empty\n"


def test_a_host_that_does_not_know_the_database_leaves_it_to_others(sh: Shell) -> None:
    assert sh(version(inputs(whole=True), HOSTS["w1"]).ask).stdout == b"empty\n"


def test_a_host_that_does_not_know_the_database_changes_its_version_with_the_others_only(sh: Shell) -> None:
    check = version(inputs(), HOSTS["w1"])
    told = sh(check.ask).stdout.decode()
    (finding,) = check.judge(f"found 3.2.0\n{told}")
    assert finding.verdict == "refused"
    assert finding.detail.endswith(
        "would fail running tasks): only other hosts know it: run fab deploy without -H and --role"
    )
    assert check.judge("") == []  # nothing is installed yet, or it is the wanted version


def test_places_and_version() -> None:
    found = version(inputs(fleet(version="1.10.10.*")), HOSTS["s1"]).installation
    assert (found.places[-1], found.wanted) == ("/home/astro/airflow-venv", "1.10.10")
