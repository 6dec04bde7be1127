"""Who may import whom: fabfile → tasks → remote, report → plan → blueprint → resources → the rest → errors."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
LAYERS = (
    {"errors", "dataclass"},
    {
        "fleet",
        "airflow",
        "render",
        "secrets",
        "schema",
        "inventory",
        "lockfile",
        "settings",
        "ports",
        "reserved",
        "known_settings",
        "localfiles",
    },
    {"resources"},
    {"dags", "blueprint"},
    {"plan"},
    {"fleet_lock"},
    {"remote", "report"},
    {"controller"},  # beside them: it looks things up for tasks, and knows hosts.yaml only
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
PURE = {
    "dataclass",
    "errors",
    "ports",
    "reserved",
    "known_settings",
    "fleet",
    "airflow",
    "settings",
    "render",
    "secrets",
    "schema",
    "inventory",
    "lockfile",
} | {
    "resources",
    "dags",
    "blueprint",
    "plan",
    "fleet_lock",
}
NOT_PURE = {"fabric", "invoke", "paramiko", "subprocess", "socket", "getpass"}
HEAVY = {"fabric", "paramiko", "jinja2", "rich", "yaml", "cryptography", "aerodrome", "lab"}
MODULES = sorted((PROJECT / "aerodrome").rglob("*.py"))
TASKS = sorted((PROJECT / "tasks").glob("*.py"))


def imported(nodes: Sequence[ast.AST], inside: bool = True) -> Iterator[str]:
    """Give what statements import, by full name: at module level, and with `inside` in functions too."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written out"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue  # nothing is imported at run time
        elif inside or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imported(list(ast.iter_child_nodes(node)), inside)


def imports(file: Path, inside: bool = True) -> set[str]:
    return set(imported(ast.parse(file.read_text()).body, inside))


def test_this_test_sees_imports_wherever_they_stand() -> None:
    text = """
import a.b
from c import d
if TYPE_CHECKING:
    import hidden
def f():
    from g import h
    if x:
        import i
class C:
    def m(self):
        try:
            import j
        except ImportError:
            import k
"""
    body = ast.parse(text).body
    assert set(imported(body)) == {"a.b", "c.d", "g.h", "i", "j", "k"}
    assert set(imported(body, inside=False)) == {"a.b", "c.d"}


def part(name: str) -> str | None:
    """Return the part of aerodrome that an import names: `resources`, `plan` …"""
    first, *rest = name.split(".")
    return rest[0] if first == "aerodrome" and rest else None


def of(file: Path) -> str:
    return file.relative_to(PROJECT / "aerodrome").parts[0].removesuffix(".py")


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PROJECT)))
def test_a_module_imports_only_what_is_below_it(file: Path) -> None:
    if file.name == "__init__.py":
        assert imports(file) == set()
        return
    mine = of(file)
    for name in imports(file):
        assert not name.startswith(("tasks", "fabfile", "lab.")), name
        other = part(name)
        if other is None or other == mine:
            continue
        assert LEVEL[other] <= LEVEL[mine], f"{mine} imports {name}"
        if mine == "controller":
            assert LEVEL[other] <= LEVEL["fleet"], f"{mine} imports {name}"
        # The executor is where errors become lines: it alone hands them to the report.
        if {mine, other} == {"remote", "report"}:
            assert file.name == "executor.py", f"{file.name} imports {name}"


@pytest.mark.parametrize(
    "file", [file for file in MODULES if of(file) in PURE], ids=lambda file: str(file.relative_to(PROJECT))
)
def test_a_pure_module_reaches_neither_hosts_nor_processes(file: Path) -> None:
    assert not {name.split(".")[0] for name in imports(file)} & NOT_PURE


def test_every_module_has_its_layer() -> None:
    assert {of(file) for file in MODULES} - {"__init__"} == set(LEVEL)


@pytest.mark.parametrize(
    "name, where",
    [
        ("paramiko", {"aerodrome/remote"}),
        ("fabric", {"aerodrome/remote"}),
        ("socket", {"aerodrome/remote"}),
        ("getpass", {"aerodrome"}),
        # tasks/pin.py runs uv on this machine; nothing else but the controller runs anything here.
        ("subprocess", {"aerodrome", "tasks"}),
    ],
)
def test_what_reaches_outside_is_in_one_place(name: str, where: set[str]) -> None:
    found = [
        file for file in [*MODULES, *TASKS, PROJECT / "fabfile.py"] if name in {n.split(".")[0] for n in imports(file)}
    ]
    assert {str(file.parent.relative_to(PROJECT)) for file in found} == where
    if name in ("getpass", "subprocess"):
        assert {file.name for file in found} <= {"controller.py", "pin.py"}


def reached() -> set[Path]:
    """Return the modules that importing the fabfile imports, of this project."""
    todo, found = [PROJECT / "fabfile.py"], set()
    while todo:
        file = todo.pop()
        if file in found:
            continue
        found.add(file)
        for name in imports(file, inside=False):
            path = PROJECT.joinpath(*name.split("."))
            todo += [place for place in (path.with_suffix(".py"), path.parent.with_suffix(".py")) if place.is_file()]
    return found


def test_a_tab_key_imports_nothing_that_is_heavy() -> None:
    files = reached()
    assert PROJECT / "tasks" / "deploy.py" in files
    for file in files:
        heavy = {name for name in imports(file, inside=False) if name.split(".")[0] in HEAVY}
        assert not heavy, f"{file.name} imports {heavy} at module level"


def test_a_tab_key_really_imports_nothing_that_is_heavy() -> None:
    # What Invoke itself imports is there in any case.
    program = "import sys, invoke; before = set(sys.modules); import fabfile; print(*(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60
    )
    found = set(done.stdout.split())
    assert "tasks.deploy" in found
    assert {name.split(".")[0] for name in found} & HEAVY == set()


def test_reading_the_fabfile_reads_no_hosts_yaml() -> None:
    program = (
        "import sys, os; opened = []\n"
        "sys.addaudithook(lambda event, given: event == 'open' and opened.append(str(given[0])))\n"
        "import fabfile\n"
        "print(*[path for path in opened if path.endswith(('.yaml', '.yml'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == ""
