"""Each DAG file is imported in a process of its own, whatever it does; with stand-ins for Airflow's own modules."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from aerodrome.program import program
from probes import dag_imports
from probes.dag_imports import Limits, accepted, first_module, import_all, import_file, last_line, stand_in

LIMITS = Limits(seconds=5, megabytes=4000, longest=60)
# Stand-ins for what the program uses of Airflow 2 and 3, and of 1.10.
AIRFLOW = {
    "airflow/__init__.py": "import warnings; print('noise')\n",
    "airflow/utils/__init__.py": "",
    "airflow/utils/file.py": (
        "import glob\n"
        "def list_py_file_paths(directory, safe_mode=True, include_examples=True):\n"
        "    assert not include_examples\n"
        "    return glob.glob(directory + '/**/*.py', recursive=True)\n"
    ),
    "airflow/models/__init__.py": "",
    "airflow/models/dagbag.py": (
        "import runpy, traceback\n"
        "class DagBag:\n"
        "    def __init__(self, dag_folder, include_examples=True, read_dags_from_db=True):\n"
        "        assert not include_examples and not read_dags_from_db\n"
        "        self.dags, self.import_errors = {}, {}\n"
        "        try:\n"
        "            self.dags.update(runpy.run_path(dag_folder).get('dags', {}))\n"
        "        except Exception:\n"
        "            self.import_errors[dag_folder] = traceback.format_exc()\n"
    ),
    "airflow/serialization/__init__.py": "",
    "airflow/serialization/serialized_objects.py": (
        "class SerializedDAG:\n    @staticmethod\n    def to_dict(dag):\n"
        "        assert dag != 'odd', 'not serializable'\n"
    ),
}
FILES = {
    "fine.py": "dags = {'a': 1, 'b': 2}\n",
    "sub/odd.py": "dags = {'odd': 'odd'}\n",
    "sub/gone.py": "import no_such_module_at_all\n",
    "exits.py": "raise SystemExit('bye')\n",
    "dies.py": "import os; os._exit(0)\n",
    "prints.py": "import sys\nprint('x' * 100000)\nsys.stderr.write('y')\ndags = {'p': 1}\n",
    "asks.py": (
        "import os\n"
        "if 'AIRFLOW_VAR_MY_VAR' not in os.environ: raise KeyError('Variable my_var does not exist')\n"
        "if 'AIRFLOW_CONN_PG' not in os.environ: raise LookupError(\"The conn_id `pg` isn't defined\")\n"
        "if 'AIRFLOW_VAR_OF_3' not in os.environ: raise KeyError({'message': 'Variable of_3 not found'})\n"
        "dags = {'asked': 1}\n"
    ),
    "team.py": "import os, shared\nassert os.environ['TEAM'] == 'data' == shared.TEAM\n",
}


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def ran(tmp_path: Path, files: dict[str, str], airflow: dict[str, str], **given: Any) -> tuple[Any, list[str]]:
    """Return what the program says about files, and what it prints meanwhile."""
    home = written(tmp_path / "home", {"config/x.py": "", "airflow.cfg": "[core]\nsecret = 1\n", "logs/a": ""})
    (home / "dags").mkdir()
    written(home / "dags", files)
    own = tmp_path / "own"
    parameters: dict[str, Any] = {
        "folder": f"{home}/dags",
        "home": str(home),
        "environment": {
            "AIRFLOW_HOME": str(own),
            "TEAM": "data",
            "PYTHONPATH": str(written(tmp_path / "theirs", {"shared.py": "TEAM = 'data'\n", "json.py": "1/0\n"})),
        },
        "seconds": 3,
        "total": 60,
        "megabytes": 4000,
        "longest": 60,
        "classic": False,
        **given,
    }
    text = program("dag_imports", **parameters)
    path = written(tmp_path / "airflow", airflow)
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(path)!r})\n{text}"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    if own.is_dir():
        assert sorted(os.listdir(own)) == ["config", "dags"]
    return json.loads(line), done.stderr.splitlines()


def test_all_files_and_whatever_they_do(tmp_path: Path) -> None:
    found, printed = ran(tmp_path, FILES, AIRFLOW)
    assert found == {
        "dags": 5,
        "files": 8,
        "left": 0,
        "errors": {
            "dies.py": "ends the process that imports it, or needs more than 4000 MB"[:60],
            "exits.py": "SystemExit: bye",
            "sub/gone.py": "ModuleNotFoundError: No module named 'no_such_module_at_all'"[:60],
            "sub/odd.py": "AssertionError: not serializable",
        },
    }
    assert printed == [f"importing {name!r}" for name in sorted(FILES)]


def test_a_file_that_never_ends_costs_its_time_and_no_more(tmp_path: Path) -> None:
    loops = "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nos.fork()\nwhile True: print('x')\n"
    found, _ = ran(tmp_path, {"a.py": loops, "b.py": "dags = {'b': 1}\n"}, AIRFLOW, seconds=1)
    assert found == {"dags": 1, "files": 2, "left": 0, "errors": {"a.py": "does not finish within 1 s"}}


def test_files_that_the_time_does_not_suffice_for_are_counted(tmp_path: Path) -> None:
    found, printed = ran(tmp_path, {"a.py": "", "b.py": ""}, AIRFLOW, total=-1)
    assert (found, printed) == ({"dags": 0, "files": 2, "left": 2, "errors": {}}, [])


def test_memory_is_limited(tmp_path: Path) -> None:
    found, _ = ran(tmp_path, {"a.py": "x = b'x' * (1 << 30)\n"}, AIRFLOW, megabytes=400)
    assert found["errors"] == {"a.py": "MemoryError"}


def test_an_airflow_that_does_not_start_is_reported(tmp_path: Path) -> None:
    found, _ = ran(tmp_path, {}, {"airflow/__init__.py": "raise ImportError('no celery\\nhere')\n"})
    assert found == {"failed": "ImportError: no celery"}


def test_classic_airflow_has_tables_and_its_own_modules(tmp_path: Path) -> None:
    old = {
        "airflow/__init__.py": "",
        "airflow/settings.py": "engine = 'engine'\n",
        "airflow/utils/__init__.py": "",
        "airflow/utils/dag_processing.py": AIRFLOW["airflow/utils/file.py"],
        "airflow/models/__init__.py": "",
        "airflow/models/base.py": (
            "class Base:\n    class metadata:\n        made = []\n        create_all = staticmethod(made.append)\n"
        ),
        "airflow/models/dagbag.py": AIRFLOW["airflow/models/dagbag.py"].replace("read_dags_from_db=True", "more=None")
        .replace("and not read_dags_from_db", ""),
    }  # fmt: skip
    asks = "from airflow.models.base import Base\ndags = dict.fromkeys(Base.metadata.made, 'odd')\n"
    found, _ = ran(tmp_path, {"a.py": asks}, old, classic=True)
    assert found == {"dags": 1, "files": 1, "left": 0, "errors": {}}


def test_stand_ins_end(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, str]] = []

    def load(path: str, given: dict[str, str]) -> str:
        asked.append(dict(given))
        return json.dumps([[], f"KeyError: 'Variable v{len(given)} does not exist'"])

    monkeypatch.setattr(dag_imports, "in_process", lambda work, limits: work())
    loader: Any = load
    assert import_file(loader, "a.py", LIMITS) == ([], "KeyError: 'Variable v20 does not exist'")
    assert len(asked) == dag_imports.MOST_STAND_INS + 1
    assert stand_in("my.Var", None) == ("AIRFLOW_VAR_MY.VAR", "0")
    assert stand_in(None, "pg") == ("AIRFLOW_CONN_PG", "generic://")


@pytest.mark.parametrize("text", ["", "x", "[]", "[1, 2, 3]", "7", '{"a": 1}', "[7, null]"])
def test_a_forged_answer_of_a_file_is_its_error(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(dag_imports, "in_process", lambda work, limits: text)
    loader: Any = object()
    dags, error = import_file(loader, "a.py", LIMITS)
    assert dags == [] and error == "ends the process that imports it, or needs more than 4000 MB"


def test_errors_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dag_imports, "import_file", lambda *_: (["a"], "x" * 999))
    loader: Any = ModuleType("loader")
    loader.folder = "/dags"
    progress = io.StringIO()
    found = import_all(loader, ["/dags/a\x1b.py"], 1e18, progress, LIMITS)
    assert found == {"dags": 1, "files": 1, "left": 0, "errors": {"a\x1b.py": "x" * 60}}
    assert progress.getvalue() == "importing 'a\\x1b.py'\n"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", ""),
        ("No module named 'x'\n", "No module named 'x'"),
        ('Traceback (…):\n  File "a.py", line 1, in <module>\n    import x\nImportError: x\n', "ImportError: x"),
        ('  File "a.py", line 1\n    print "x"\n    ^^\nSyntaxError: x\n', "SyntaxError: x"),
        ('Traceback (…):\n  File "a.py", line 1\nValueError: one\n  two\nthree\n', "ValueError: one"),
        ('  File "a.py", line 1\nKeyError: 1\n\nDuring …:\n\n  File "b.py", line 2\nOSError: 2\n', "OSError: 2"),
        ('  File "a.py", line 1', 'File "a.py", line 1'),
    ],
)
def test_the_line_that_names_the_error(text: str, expected: str) -> None:
    assert last_line(text) == expected


def test_modules_and_arguments_differ_between_versions() -> None:
    assert first_module("json", "no.such", has="dumps") is json
    assert first_module("no.such", "io", "json", has="dumps") is json
    with pytest.raises(ImportError):
        first_module("json", "no.such", has="nothing")
    assert accepted(Limits.__init__, seconds=1, more=2) == {"seconds": 1}
