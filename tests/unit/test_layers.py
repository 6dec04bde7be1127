"""Who may import whom: tasks → engine → remote → core, and tasks → runbooks → components → checks, resources → core."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
# The parts that each part of the house may import. Engine and runbooks never meet: tasks/session.py joins them.
FOUNDATION = {"dataclass", "errors", "secrets"}
MAY_IMPORT: dict[str, set[str]] = {
    "dataclass": set(),
    "errors": set(),
    "secrets": {"dataclass"},
    "render": set(),
    "program": set(),
    "catalogue": FOUNDATION,
    "lockfile": FOUNDATION | {"catalogue"},
    "core": FOUNDATION,
    "fleet": FOUNDATION | {"catalogue"},
    "resources": FOUNDATION | {"core", "catalogue", "lockfile", "program"},
    "checks": FOUNDATION | {"core", "resources"},
    "components": FOUNDATION | {"checks", "resources", "core", "fleet", "catalogue", "lockfile", "render", "program"},
    "runbooks": FOUNDATION | {"components", "checks", "resources", "core", "fleet", "catalogue"},
    "remote": FOUNDATION | {"core", "fleet"},
    "engine": FOUNDATION | {"core", "fleet", "remote"},
    "controller": FOUNDATION | {"fleet", "resources"},
    "report": FOUNDATION | {"core", "checks", "components"},
}
PURE = {
    "dataclass",
    "errors",
    "secrets",
    "render",
    "program",
    "catalogue",
    "lockfile",
    "core",
    "fleet",
    "resources",
    "checks",
    "components",
    "runbooks",
}
NOT_PURE = {"fabric", "invoke", "paramiko", "subprocess", "socket", "getpass"}
HEAVY = {"fabric", "paramiko", "rich", "yaml", "cryptography", "aerodrome", "lab"}
MODULES = sorted((PROJECT / "aerodrome").rglob("*.py"))
TASKS = sorted((PROJECT / "tasks").glob("*.py"))


def imported(nodes: Sequence[ast.AST], inside: bool = True) -> Iterator[str]:
    """Yield what statements import, by full name: at module level and, with `inside`, also in functions."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written out"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue  # not imported at run time
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
        assert other in {None, mine} | MAY_IMPORT[mine], f"{mine} imports {name}"


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the import cycles, each once."""
    found: list[list[str]] = []
    done: set[str] = set()

    def follow(name: str, path: list[str]) -> None:
        if name in path:
            found.append([*path[path.index(name) :], name])
            return
        if name not in done:
            for other in sorted(edges.get(name, ())):
                follow(other, [*path, name])
            done.add(name)

    for name in sorted(edges):
        follow(name, [])
    return found


def test_circles_are_seen() -> None:
    assert circles({"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": set()}) == [["a", "b", "c", "a"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_import_comes_back_to_where_it_began() -> None:
    modules = {".".join(file.relative_to(PROJECT).with_suffix("").parts): file for file in [*MODULES, *TASKS]}
    edges = {
        name: {other for each in imports(file) for other in (each, each.rpartition(".")[0]) if other in modules}
        for name, file in modules.items()
    }
    assert sum(map(len, edges.values())) > 300  # it sees them
    assert circles(edges) == []


GENERAL = [file for file in MODULES if of(file) in ("core", "engine", "remote")]
PARTICULAR = re.compile("airflow|postgres|celery|redis|webserver", re.IGNORECASE)


@pytest.mark.parametrize("file", GENERAL, ids=lambda file: str(file.relative_to(PROJECT)))
def test_the_engine_knows_neither_airflow_nor_its_services(file: Path) -> None:
    assert PARTICULAR.findall(file.read_text()) == []


@pytest.mark.parametrize("file", GENERAL, ids=lambda file: str(file.relative_to(PROJECT)))
def test_the_engine_asks_no_resource_or_check_what_it_is(file: Path) -> None:
    """Assert that `isinstance` is used there only with core's protocols, errors and the libraries' classes."""
    concrete = {
        node.name
        for module in MODULES
        if of(module) in ("resources", "checks", "components")
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.ClassDef)
    }
    asked = {
        name.id
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"
        for name in ast.walk(node.args[1])
        if isinstance(name, ast.Name)
    }
    assert not asked & concrete


@pytest.mark.parametrize(
    "file", [file for file in MODULES if of(file) in PURE], ids=lambda file: str(file.relative_to(PROJECT))
)
def test_a_pure_module_reaches_neither_hosts_nor_processes(file: Path) -> None:
    assert not {name.split(".")[0] for name in imports(file)} & NOT_PURE


IN_ROLES = sorted((PROJECT / "aerodrome" / "components" / "roles").glob("[a-z]*.py"))
ROLES = {file.stem.replace("_", "-") for file in IN_ROLES}


@pytest.mark.parametrize(
    "file", sorted({*MODULES, *TASKS} - {*IN_ROLES}), ids=lambda file: str(file.relative_to(PROJECT))
)
def test_nobody_asks_which_role_it_is(file: Path) -> None:
    """Assert that differences between roles come from their components: a new role must not be mistaken for another."""
    asked = {
        each.value
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Compare)
        for each in ast.walk(node)
        if isinstance(each, ast.Constant)
    }
    assert asked & ROLES == set()


def test_every_module_has_its_layer() -> None:
    assert {of(file) for file in MODULES} - {"__init__"} == set(MAY_IMPORT)


@pytest.mark.parametrize(
    "name, where",
    [
        ("paramiko", {"aerodrome/remote"}),
        ("fabric", {"aerodrome/remote", "tasks"}),
        ("socket", {"aerodrome/remote"}),
        ("getpass", {"aerodrome/controller"}),
        # tasks/pin.py runs uv on this machine; nothing else but the controller runs anything here.
        ("subprocess", {"aerodrome/controller", "tasks"}),
    ],
)
def test_what_reaches_outside_is_in_one_place(name: str, where: set[str]) -> None:
    found = [
        file for file in [*MODULES, *TASKS, PROJECT / "fabfile.py"] if name in {n.split(".")[0] for n in imports(file)}
    ]
    assert {str(file.parent.relative_to(PROJECT)) for file in found} == where


def reached() -> set[Path]:
    """Return this project's modules that importing the fabfile imports."""
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
    # Invoke's own imports are loaded in any case.
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


def test_whatever_is_imported_is_there() -> None:
    # mypy treats a missing module like one without types (ignore_missing_imports).
    folders = ("aerodrome", "tasks", "tests", "benchmarks", "lab", "tools", "probes")
    found = [file.relative_to(PROJECT) for folder in folders for file in (PROJECT / folder).rglob("*.py")]
    # `make bench` keeps environments of its own in a folder with a dot.
    files = [PROJECT / file for file in found if not any(part.startswith(".") for part in file.parts)]
    missing = [
        f"{file.relative_to(PROJECT)}: {name}"
        for file in files
        for name in imports(file)
        if name.split(".")[0] in folders
        and not PROJECT.joinpath(*name.split(".")).exists()
        and not any(
            PROJECT.joinpath(*parts).with_suffix(".py").exists() for parts in (name.split("."), name.split(".")[:-1])
        )
    ]
    assert missing == []
