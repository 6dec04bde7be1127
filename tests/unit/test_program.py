"""The programs that run on nodes: the text that is sent, and the syntax and imports that they may use."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aerodrome import program as programs
from aerodrome.program import PROBES, program
from tests.unit.make import parameters

MODULES = sorted(path.stem for path in PROBES.glob("*.py") if path.stem != "__init__")
PROGRAMS = [name for name in MODULES if "def main(" in (PROBES / f"{name}.py").read_text()]
AWKWARD = ["it's", 'a "b"', "back\\slash", "\\n", "line\nbreak", "é €", "END_OF_FILE", "{{ x }}", "%s", "$HOME"]


def parsed(name: str) -> ast.Module:
    return ast.parse((PROBES / f"{name}.py").read_text())


def test_there_are_some() -> None:
    assert {"health", "census", "drained", "find_pip"} <= set(PROGRAMS)
    assert set(MODULES) - set(PROGRAMS) == {"connection", "failure", "found_connection"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_old_pythons_read_it(name: str) -> None:
    for version in (6, 7):  # Airflow 1.10 runs on 3.7; a host set up by hand may still have 3.6
        ast.parse(program(name, x=1), feature_version=(3, version))


@pytest.mark.parametrize("name", PROGRAMS)
def test_nothing_but_words_is_lost_on_the_way(name: str) -> None:
    """Assert that the text is the module and those that it imports, without docstrings, comments and typing."""

    def code(module: str, seen: set[str]) -> Iterator[str]:
        for node in parsed(module).body:
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("probes."):
                other = str(node.module).removeprefix("probes.")
                if other not in seen:
                    seen.add(other)
                    yield from code(other, seen)
            elif not (isinstance(node, ast.ImportFrom) and node.module == "typing"):
                yield wordless(node)

    sent = [wordless(node) for node in ast.parse(program(name)).body]
    assert [each for each in sent if each] == [*filter(None, code(name, {name})), "import json", "main()"]


def wordless(node: ast.stmt) -> str:
    """Return a statement without docstrings."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return ""
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(each) is not None:
            del each.body[0]
    return ast.unparse(node)


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_name_of_one_module_hides_that_of_another(name: str) -> None:
    named = [node.name for node in ast.parse(program(name)).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert len(named) == len(set(named))


@pytest.mark.parametrize("name", MODULES)
def test_a_node_needs_nothing_but_python_to_begin_it(name: str) -> None:
    """Packages of Airflow's environment are imported where they are used, so that their absence can be reported."""
    for node in parsed(name).body:
        if isinstance(node, ast.Import):
            assert {each.name.partition(".")[0] for each in node.names} <= sys.stdlib_module_names
        elif isinstance(node, ast.ImportFrom):
            assert node.module in ("typing", "probes.connection", "probes.failure", "probes.found_connection")


def test_the_text_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shared.py").write_text('import os\n\n\ndef here() -> str:\n    """Tell."""\n    return os.sep\n')
    (tmp_path / "one.py").write_text(
        '"""A program.\n\nOf two lines.\n"""\n\nfrom typing import Any\n\nfrom probes.shared import here\n\n\n'
        'def main(x: "Any") -> None:\n    """Print."""\n    # Why.\n    print(here(), x)  # how\n'
    )
    monkeypatch.setattr(programs, "PROBES", tmp_path)
    assert program("one", x=[1, "two"]) == (
        "# Aerodrome's probes/one.py\n"
        "import os\n\ndef here() -> str:\n    return os.sep\n\n"
        'def main(x: "Any") -> None:\n    print(here(), x)  # how\n\n'
        'import json\nmain(**json.loads(\'{"x": [1, "two"]}\'))\n'
    )


def test_parameters_arrive_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "echo.py").write_text('def main(name: "object") -> None:\n    print(json.dumps(name))\n')
    monkeypatch.setattr(programs, "PROBES", tmp_path)
    text = program("echo", name=AWKWARD)
    done = subprocess.run([sys.executable, "-I", "-"], input=text, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == AWKWARD
    assert parameters(text) == {"name": AWKWARD}


def test_a_parameter_that_nobody_gave_is_an_error() -> None:
    text = program("commands")
    done = subprocess.run([sys.executable, "-I", "-"], input=text, capture_output=True, text=True)
    assert done.returncode == 1
    assert "main() missing 1 required positional argument: 'names'" in done.stderr


def test_a_file_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    program("census", name="w1")
    monkeypatch.setattr(programs, "PROBES", Path("/nowhere"))
    assert parameters(program("census", name="w2")) == {"name": "w2"}
