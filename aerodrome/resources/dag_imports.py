"""Every DAG file of a node imported twice: by the Airflow in use, and by another version that is staged beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field

from aerodrome.core.plan import RUNTIME
from aerodrome.core.resource import NOTE, Change, Seen, quote
from aerodrome.dataclass import dataclass
from aerodrome.errors import UNEXPECTED, AerodromeError

RECORD = "/run/aerodrome/dag-imports"  # root's directory: both answers, and the run that has asked for them
LONGEST = 4_000_000  # bytes of an answer: a DAG could print it, so it may be anything
MOST = 1_000_000  # DAGs or files
SHOWN = 40  # files in a message
LONGEST_ERROR = 300  # characters
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True)
class DagImports:
    """The imports of one version of Airflow."""

    dags: int = 0
    files: int = 0
    left: int = 0  # files that it did not get to in time
    errors: Mapping[str, str] = field(default_factory=dict)  # by file, relative to the DAG folder


@dataclass(frozen=True)
class Importer:
    """A version of Airflow, the link to its environment, and the sh that imports all DAGs with it.

    `script` runs $venv/bin/python in a sandbox, as the service user.
    """

    version: str
    link: str
    script: str

    @property
    def name(self) -> str:
        return f"Airflow {self.version}"


@dataclass(frozen=True)
class ImportedDags:
    """This run has imported every DAG file with two versions, and the later one has no errors that are new.

    `folder` is where the environments are. With `allow`, errors are accepted; the check DagsImported shows them.
    """

    before: Importer
    after: Importer
    folder: str
    run: str
    allow: bool = False
    key = "dag imports"

    def probe(self) -> str:
        """Return sh that prints `done` and the two answers, each in one line, if this run has them."""
        return recorded(self.run)

    def changes(self, seen: Seen) -> list[Change]:
        if not seen.text.strip():
            return [Change(f"import every DAG with Airflow {self.after.version}, in a sandbox", self._script())]
        refuse_new_errors(seen.text, self.before.name, self.after.name, self.allow)
        return []

    def _script(self) -> str:
        before, after = (f"{self._find(each)}\n{{ {each.script}\n}}" for each in (self.before, self.after))
        return compared((self.before.name, before), (self.after.name, after), self.run)

    def _find(self, importer: Importer) -> str:
        wanted = quote(f"{self.folder}/{importer.version.replace('*', 'x')}-py")
        missing = quote(f"{importer.link} is not an environment of {importer.name}")
        return (
            f"venv=$(readlink {quote(importer.link)}) || :\n"
            f"case $venv in {wanted}*) ;; *) echo {missing}; exit 1 ;; esac"
        )


def compared(before: tuple[str, str], after: tuple[str, str], run: str) -> str:
    """Return sh that records the answers of two environments, and the run that has asked for them.

    Each is given by its name, and the sh that prints its answer.
    """
    (first, _), (second, _) = before, after
    return (
        f"{RUNTIME}rm -rf {RECORD}\nmkdir -m 700 {RECORD}\n{_answered(*before, BEFORE)}\n{_answered(*after, AFTER)}\n"
        f'dags() {{ sed -n \'s/^{{"dags": \\([0-9]\\{{1,6\\}}\\),.*/\\1/p\' {RECORD}/"$1"; }}\n'
        f"printf '%s\\n' {quote(NOTE)}\"{first} imports $(dags {BEFORE}) DAGs, {second} imports $(dags {AFTER})\"\n"
        f"printf '%s\\n' {quote(run)} >{RECORD}/run"
    )


def _answered(name: str, script: str, file: str) -> str:
    """Return sh that writes an answer; whatever a DAG prints in its place, it is one short line."""
    broke = quote(f"{name} has not imported all DAGs: maybe the last one ended it")
    return (
        f"{script} | head -c {LONGEST} | tr -d '\\n' >{RECORD}/{file}\n"
        f"[ -s {RECORD}/{file} ] || {{ echo {broke}; exit 1; }}"
    )


def recorded_by(run: str) -> str:
    """Return sh that tests whether the answers are those of a run; it starts no process."""
    return f'[ -e {RECORD}/run ] && IFS= read -r by <{RECORD}/run && [ "$by" = {quote(run)} ]'


def recorded(run: str) -> str:
    """Return sh that prints `done` and the two answers, each in one line, if they are those of a run."""
    return f"if {recorded_by(run)}; then echo done\nfor each in {BEFORE} {AFTER}; do cat {RECORD}/$each; echo; done; fi"


def refuse_new_errors(text: str, before: str, after: str, allow: bool = False) -> None:
    """Raise AerodromeError if there are files that only one environment could import, from what `recorded` prints.

    `before` and `after` name the environments. With `allow`, such files are accepted, but not an answer that is none.
    """
    first, second = read(text, before, after)
    if allow:
        return
    if second.left:
        raise AerodromeError(
            f"{after} had no time for {second.left} of {second.files} DAG files",
            "raise deploy.change_timeout; or continue without knowing: --allow-import-errors",
        )
    if new := new_errors(first, second):
        raise AerodromeError(
            f"{len(new)} of {second.files} DAG files can be imported by {before}, but not by {after}",
            "correct them so that both can import them, and run fab deploy-dags; or continue without their DAGs: "
            "--allow-import-errors",
            "\n".join(lines(new)),
        )


def read(text: str, before: str, after: str) -> tuple[DagImports, DagImports]:
    """Return the imports of both environments, which have these names, from what `recorded` prints.

    Raises AerodromeError if an answer is not one: a DAG may have forged it, or Airflow does not start.
    """
    _, first, second, *_ = [*text.split("\n"), "", ""]
    return _answer(first, before), _answer(second, after)


def _answer(text: str, name: str) -> DagImports:
    """Read one answer strictly."""
    try:
        found = json.loads(text)
        if why := found.get("failed"):
            raise AerodromeError(f"{name} cannot import any DAG: {shown(str(why))}", "see what it prints: fab logs")
        numbers = [found[key] for key in ("dags", "files", "left")]
        errors = {shown(file): shown(error) for file, error in found["errors"].items()}
        if any(type(number) is not int or not 0 <= number <= MOST for number in numbers):
            raise ValueError("not a number")
        return DagImports(numbers[0], numbers[1], numbers[2], errors)
    except UNEXPECTED as error:
        raise AerodromeError(
            f"the answer about the DAGs that {name} imports cannot be read ({type(error).__name__})",
            "a DAG may interfere while it is imported; --allow-import-errors does not help here",
        ) from error


def shown(text: str) -> str:
    """Return text from a DAG as one short line without control characters."""
    cut = text if len(text) <= LONGEST_ERROR else f"{text[: LONGEST_ERROR - 1]}…"
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut)


def new_errors(before: DagImports, after: DagImports) -> dict[str, str]:
    """Return the errors of files that the earlier version imports."""
    return {name: error for name, error in sorted(after.errors.items()) if name not in before.errors}


def old_errors(before: DagImports, after: DagImports) -> dict[str, str]:
    """Return the errors of files that neither version imports here, so that nothing is known about them."""
    return {name: error for name, error in sorted(after.errors.items()) if name in before.errors}


def lines(errors: Mapping[str, str]) -> list[str]:
    """Return errors as lines, up to a limit."""
    found = [f"{name}: {error}" for name, error in errors.items()]
    return found[:SHOWN] + ([f"… and {len(found) - SHOWN} more"] if len(found) > SHOWN else [])
