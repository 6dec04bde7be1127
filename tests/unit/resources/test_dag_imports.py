"""DAGs imported by two versions: the script as a whole, and answers that a DAG may have forged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from aerodrome.core.resource import Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources import dag_imports
from aerodrome.resources.dag_imports import (
    LONGEST_ERROR,
    SHOWN,
    DagImports,
    ImportedDags,
    Importer,
    lines,
    new_errors,
    old_errors,
    read,
)
from tests.unit.make import Shell, only_change

RUN = "20261201T005031Z-1f3a"
BEFORE = Importer("2.11.2", "/opt/aerodrome/airflow/venv", "run 2 <<'END'\nmain(2)\nEND")
AFTER = Importer("3.3.2", "/opt/aerodrome/airflow/next", "run 3 <<'END'\nmain(3)\nEND")
IMPORTED = ImportedDags(BEFORE, AFTER, "/opt/aerodrome/airflow/venvs", RUN)
SCRIPT = f"""\
[ -d /run/aerodrome ] || mkdir -p -m 700 /run/aerodrome; rm -rf /run/aerodrome/dag-imports
mkdir -m 700 /run/aerodrome/dag-imports
venv=$(readlink /opt/aerodrome/airflow/venv) || :
case $venv in /opt/aerodrome/airflow/venvs/2.11.2-py*) ;; \
*) echo '/opt/aerodrome/airflow/venv is not an environment of Airflow 2.11.2'; exit 1 ;; esac
{{ run 2 <<'END'
main(2)
END
}} | head -c 4000000 | tr -d '\\n' >/run/aerodrome/dag-imports/before
[ -s /run/aerodrome/dag-imports/before ] || \
{{ echo 'Airflow 2.11.2 has not imported all DAGs: maybe the last one ended it'; exit 1; }}
venv=$(readlink /opt/aerodrome/airflow/next) || :
case $venv in /opt/aerodrome/airflow/venvs/3.3.2-py*) ;; \
*) echo '/opt/aerodrome/airflow/next is not an environment of Airflow 3.3.2'; exit 1 ;; esac
{{ run 3 <<'END'
main(3)
END
}} | head -c 4000000 | tr -d '\\n' >/run/aerodrome/dag-imports/after
[ -s /run/aerodrome/dag-imports/after ] || \
{{ echo 'Airflow 3.3.2 has not imported all DAGs: maybe the last one ended it'; exit 1; }}
dags() {{ sed -n 's/^{{"dags": \\([0-9]\\{{1,6\\}}\\),.*/\\1/p' /run/aerodrome/dag-imports/"$1"; }}
printf '%s\\n' '@note: '"Airflow 2.11.2 imports $(dags before) DAGs, Airflow 3.3.2 imports $(dags after)"
printf '%s\\n' {RUN} >/run/aerodrome/dag-imports/run"""


def answer(dags: int = 3, files: int = 3, left: int = 0, **errors: str) -> str:
    named = {name.replace("_py", ".py"): error for name, error in errors.items()}
    return json.dumps({"dags": dags, "files": files, "left": left, "errors": named})


def seen(before: str, after: str) -> Seen:
    return Seen(f"done\n{before}\n{after}\n")


def test_all_dags_are_imported_once_by_a_run() -> None:
    change = only_change(IMPORTED, "")
    assert change.summary == "import every DAG with Airflow 3.3.2, in a sandbox"
    assert change.script == SCRIPT
    assert change.undo is None
    assert IMPORTED.changes(seen(answer(), answer())) == []


def test_what_a_run_has_found_is_read_by_that_run_alone(
    sh: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dag_imports, "RECORD", str(tmp_path / "record"))
    monkeypatch.setattr(dag_imports, "RUNTIME", "")
    venvs = tmp_path / "venvs"
    forged = answer().replace(" ", "\n") + "\n\x1b[31m"
    programs = {"two": f"echo $1; printf '%s' '{answer(7)}'", "three": f"printf '%s\\n' '{forged}'"}
    links = []
    for name, version in (("venv", "2.11.2"), ("next", "3.3.2")):
        (tmp_path / name).symlink_to(venvs / f"{version}-py3.11-0f")
        links.append(str(tmp_path / name))
    before = Importer("2.11.2", links[0], "two >/dev/null; two 2>&1 | tail -n 1")
    imported = ImportedDags(before, Importer("3.3.2", links[1], "three"), str(venvs), RUN)
    assert sh(imported.probe()).stdout == b""

    done = sh(f"set -eu\n{only_change(imported, '').script}", programs=programs)

    assert (done.returncode, done.stdout) == (0, b"@note: Airflow 2.11.2 imports 7 DAGs, Airflow 3.3.2 imports \n"), (
        done
    )
    text = sh(imported.probe()).stdout.decode()
    assert len(text.splitlines()) == 3
    with pytest.raises(AerodromeError, match="3.3.2 imports cannot be read"):
        imported.changes(Seen(text))
    assert sh(replace(imported, run="another").probe()).stdout == b""


@pytest.mark.parametrize("target", ["", "/home/astro/3.3.2-py3.11", "venvs/2.11.2-py3.11"])
def test_only_an_environment_of_that_version_is_run(
    sh: Shell, tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dag_imports, "RECORD", str(tmp_path / "record"))
    monkeypatch.setattr(dag_imports, "RUNTIME", "")
    link = tmp_path / "next"
    if target:
        link.symlink_to(tmp_path / target)
    both = Importer("3.3.2", str(link), "echo ran")
    done = sh(f"set -eu\n{only_change(ImportedDags(both, both, f'{tmp_path}/venvs', RUN), '').script}")
    assert done.returncode == 1
    assert done.stdout.decode() == f"{link} is not an environment of Airflow 3.3.2\n"


def test_a_dag_that_ends_the_program_is_no_success(sh: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dag_imports, "RECORD", str(tmp_path / "record"))
    monkeypatch.setattr(dag_imports, "RUNTIME", "")
    (tmp_path / "next").symlink_to(tmp_path / "venvs" / "3.3.2-py3.11")
    both = Importer("3.3.2", f"{tmp_path}/next", "echo importing kills.py >&2; exit 137")
    imported = ImportedDags(both, both, f"{tmp_path}/venvs", RUN)
    done = sh(f"set -eu\n{only_change(imported, '').script}")
    assert (done.returncode, done.stderr) == (1, b"importing kills.py\n")
    assert done.stdout == b"Airflow 3.3.2 has not imported all DAGs: maybe the last one ended it\n"
    assert sh(imported.probe()).stdout == b""


def test_errors_that_are_new_stop_the_upgrade_unless_they_are_accepted() -> None:
    found = seen(answer(2, b_py="KeyError: 'X'"), answer(1, a_py="ImportError: gone", b_py="ImportError: gone"))
    with pytest.raises(AerodromeError) as caught:
        IMPORTED.changes(found)
    error = caught.value
    assert error.message == "1 of 3 DAG files can be imported by Airflow 2.11.2, but not by Airflow 3.3.2"
    assert error.detail == "a.py: ImportError: gone"
    assert error.hint == (
        "correct them so that both can import them, and run fab deploy-dags; or continue without their DAGs: "
        "--allow-import-errors"
    )
    assert replace(IMPORTED, allow=True).changes(found) == []


def test_files_that_were_not_tried_stop_it_too() -> None:
    found = seen(answer(), answer(left=2))
    with pytest.raises(AerodromeError, match="Airflow 3.3.2 had no time for 2 of 3 DAG files"):
        IMPORTED.changes(found)
    assert replace(IMPORTED, allow=True).changes(found) == []


def test_an_airflow_that_does_not_start_is_not_accepted() -> None:
    failed = json.dumps({"failed": "ImportError: no\x1b[31m airflow"})
    for resource in (IMPORTED, replace(IMPORTED, allow=True)):
        with pytest.raises(AerodromeError) as caught:
            resource.changes(seen(answer(), failed))
        assert caught.value.message == "Airflow 3.3.2 cannot import any DAG: ImportError: no\\x1b[31m airflow"


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "[]",
        "null",
        "{}",
        "{" * 100_000,
        answer(-1),
        answer(10**9),
        answer().replace("3", "3.5"),
        answer().replace("3", "true"),
        answer().replace("{}", "[]"),
        answer().replace("{}", '{"a.py": 7}'),
        answer() + answer(),
    ],
)
def test_a_forged_answer_is_refused(forged: str) -> None:
    with pytest.raises(AerodromeError, match="cannot be read"):
        read(f"done\n{answer()}\n{forged}\n", "2.11.2", "3.3.2")


def test_what_a_dag_says_is_one_short_line() -> None:
    _, after = read(f"done\n{answer()}\n{answer(a_py='E: ' + chr(10) + chr(0x9B) + 'x' * 999)}\n", "2.11.2", "3.3.2")
    (error,) = after.errors.values()
    assert error == "E: \\n\\x9b" + "x" * (LONGEST_ERROR - 6) + "…"


def test_errors_are_new_or_old_and_not_endless() -> None:
    before, after = DagImports(errors={"b": "1"}), DagImports(errors={"c": "3", "b": "2", "a": "4"})
    assert new_errors(before, after) == {"a": "4", "c": "3"}
    assert old_errors(before, after) == {"b": "2"}
    many = lines({str(number): "E" for number in range(SHOWN + 2)})
    assert (len(many), many[0], many[-1]) == (SHOWN + 1, "0: E", "… and 2 more")
