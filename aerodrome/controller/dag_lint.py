"""Ruff's Airflow rules, applied to the local DAG folder: lines where DAGs use what Airflow 3 has moved or removed.

It only informs. Its rules miss modules that are gone (airflow.contrib) and know nothing of what is installed: whether
a DAG can be imported, Airflow itself says (components/dag_imports.py). ruff is not a dependency: 12 MB that every
controller would install, for a list that one upgrade in the life of a fleet asks for.
"""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from aerodrome.dataclass import dataclass
from aerodrome.errors import UNEXPECTED

RULES = "AIR30"  # what 3.0 has removed (AIR301) or moved to a provider (AIR302), without what it still accepts (AIR31)
VERSION = "0.17.6"  # as tried
MISSING = f"ruff is not installed, so nothing is known about single lines of DAGs: pip install ruff=={VERSION}"
SECONDS = 120
LONGEST = 300  # characters of a message


@dataclass(frozen=True)
class DagNote:
    """A line of a DAG that Airflow 3 reads differently."""

    file: str  # relative to the DAG folder
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule} {self.message}"


def dag_notes(folder: str, before: int, after: int) -> tuple[list[DagNote], str]:
    """Return ruff's findings in the DAG folder for an upgrade between two major versions, or why it cannot.

    Only the upgrade to Airflow 3 has rules.
    """
    if before >= 3 or after < 3:
        return [], ""
    beside = Path(sys.executable).with_name("ruff")
    ruff = str(beside) if beside.is_file() else shutil.which("ruff")
    if not ruff:
        return [], MISSING
    options = ["--isolated", "--no-cache", "--exit-zero", "--output-format", "json", "--select", RULES]
    try:
        done = subprocess.run(
            [ruff, "check", *options, "--", folder], capture_output=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [], f"ruff could not check the DAG folder: {error}"
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit {done.returncode}"]
        return [], f"ruff could not check the DAG folder: {words[0][:LONGEST]}"
    return read(done.stdout.decode("utf-8", "replace"), Path(folder))


def read(text: str, folder: Path) -> tuple[list[DagNote], str]:
    """Return the findings in ruff's JSON, except those about names that are imported for either version; or why not."""
    notes: list[DagNote] = []
    guarded: dict[Path, set[tuple[int, int]]] = {}
    try:
        for row in json.loads(text):
            file, place, rule = Path(row["filename"]), row["location"], str(row["code"])
            if file not in guarded:
                guarded[file] = set(_guarded(file))
            if rule.startswith("AIR") and (place["row"], place["column"] - 1) not in guarded[file]:
                advice = (row["fix"] or {}).get("message") or ""
                message = ": ".join(filter(None, [row["message"].rstrip("; ."), advice.rstrip(".")]))
                notes.append(DagNote(_relative(file, folder), int(place["row"]), rule, message[:LONGEST]))
    except UNEXPECTED as error:
        return [], f"the answer of ruff cannot be read ({type(error).__name__}): version {VERSION} was tried"
    return sorted(notes, key=lambda note: (note.file, note.line)), ""


def _relative(file: Path, folder: Path) -> str:
    base = folder.resolve()
    return str(file.relative_to(base) if file.is_relative_to(base) else file)


def _guarded(file: Path) -> Iterator[tuple[int, int]]:
    """Yield line and column of each use of what is imported in `try: … except ImportError: …`, for either version."""
    try:
        nodes = list(ast.walk(ast.parse(file.read_bytes())))
    except (OSError, *UNEXPECTED, SyntaxError, MemoryError):
        return
    tries = [node for node in nodes if isinstance(node, ast.Try) and any(map(_of_imports, node.handlers))]
    inside = [each for node in tries for each in ast.walk(node)]
    imports = [each for each in inside if isinstance(each, ast.Import | ast.ImportFrom)]
    names = {alias.asname or alias.name.partition(".")[0] for each in imports for alias in each.names}
    for node in nodes:
        if isinstance(node, ast.Name) and node.id in names:
            yield node.lineno, node.col_offset


def _of_imports(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    named = {each.id for each in ast.walk(handler.type) if isinstance(each, ast.Name)}
    return bool(named & {"ImportError", "ModuleNotFoundError", "Exception"})
