"""The DAGs that two versions of Airflow import from the DAG folder of a node, as a run has found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from aerodrome.core.check import Finding, Verdict
from aerodrome.core.size import counted
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError
from aerodrome.resources.dag_imports import DagImports, new_errors, old_errors, read, recorded


@dataclass(frozen=True)
class DagsImported(Finding):
    """The comparison; its verdict is failed if there are errors that are new, or nothing is known."""

    host: str = field(kw_only=True)
    before: DagImports = DagImports()  # by the version in use
    after: DagImports = DagImports()  # by the version that it is upgraded to
    new: Mapping[str, str] = field(default_factory=dict)  # errors of files that only the version in use imports
    old: Mapping[str, str] = field(default_factory=dict)  # errors of files that neither imports


@dataclass(frozen=True)
class ComparedImports:
    """The imports of both versions, as this run has recorded them."""

    host: str
    before: str
    after: str
    run: str
    key = "dag imports"

    def probe(self) -> str:
        return recorded(self.run)

    def judge(self, answer: str) -> list[DagsImported]:
        """Return the comparison as the only finding."""
        if not answer.strip():
            return self.unknown("DAGs have not been imported")
        try:
            before, after = read(answer, f"Airflow {self.before}", f"Airflow {self.after}")
        except AerodromeError as error:
            return self.unknown(error.message)
        new, old = new_errors(before, after), old_errors(before, after)
        detail = f"{before.dags} DAGs with {self.before}, {after.dags} with {self.after}"
        detail += f"; {counted(len(new), 'file')} with new import errors" if new else "; no new import errors"
        detail += f"; {counted(len(old), 'file')} that neither imports here" if old else ""
        detail += f"; {counted(after.left, 'file')} not tried" if after.left else ""
        verdict: Verdict = "failed" if new or after.left else "ok"
        return [DagsImported(self.key, verdict, detail, host=self.host, before=before, after=after, new=new, old=old)]

    def unknown(self, why: str) -> list[DagsImported]:
        return [DagsImported(self.key, "failed", why, host=self.host)]
