"""The database that an upgrade of Airflow keeps for its way back, and the runs that going back would lose."""

from __future__ import annotations

import re

from aerodrome.checks.backups import KeptDatabases
from aerodrome.checks.upgrade import RecordedUpgrade, Upgrade
from aerodrome.core.check import Finding
from aerodrome.core.resource import heredoc, quote
from aerodrome.core.size import megabytes
from aerodrome.dataclass import dataclass
from aerodrome.resources.backup import GUARD, OPTIONS
from aerodrome.resources.exchange import kept_name
from aerodrome.resources.postgres import literal
from aerodrome.resources.upgrade import RECORD, SHOW

# The database in use is a copy, made when nothing ran any more: the server wrote this file of it then, and never since.
# Only plain tables are read, with a column of the server's own type (see GUARD).
_LOST = """\
{guard}
SELECT coalesce((SELECT modification FROM pg_database, pg_stat_file('base/' || oid || '/PG_VERSION', true)
WHERE datname = current_database()), '-infinity') AS at \\gset
SELECT CASE WHEN EXISTS (SELECT FROM pg_database WHERE datname = {kept}) THEN :'at' ELSE 'infinity' END AS at \\gset
SELECT 'since', CASE :'at' WHEN 'infinity' THEN 'never' WHEN '-infinity' THEN 'unknown'
ELSE to_char(:'at'::timestamptz, 'YYYY-MM-DD HH24:MI') END;
SELECT format('SELECT %L, count(*) FROM ONLY public.%I WHERE start_date > %L::timestamptz', relname, relname, :'at')
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'start_date' AND NOT attisdropped
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname IN ('dag_run', 'task_instance')
AND atttypid = 'timestamptz'::regtype ORDER BY relname \\gexec
"""
OWN = "-c statement_timeout=60s -c DateStyle=ISO -c TimeZone=UTC"


@dataclass(frozen=True)
class KeptUpgrade:
    """A note while a finished upgrade still keeps the database of before."""

    database: str
    key = "kept by the upgrade"

    def probe(self) -> str:
        """Return sh that prints the record and the kept databases; without a record, it starts no process."""
        return f"if [ -r {RECORD} ]; then {SHOW}; {KeptDatabases(self.database).probe()}fi"

    def judge(self, answer: str) -> list[Finding]:
        line, _, databases = answer.partition("\n")
        return [
            Finding(
                self.key,
                "warning",
                f"the upgrade from Airflow {found.before} to {found.after} still keeps the database of before: "
                f"{each.subject} ({megabytes(each.size)}), since {since(found.run)}; fab upgrade --back needs it, "
                "fab upgrade.finish drops it",
            )
            for found in RecordedUpgrade().judge(f"asked\n{line}")
            if isinstance(found, Upgrade) and found.done
            for each in KeptDatabases(self.database).judge(databases)
            if each.ok and each.subject == kept_name(self.database, found.run)
        ]

    def unknown(self, why: str) -> list[Finding]:
        return []  # whoever asks also asks the host for its roles, which says so


def since(run: str) -> str:
    """Return when a run began, as its name says."""
    return re.sub(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d).*", r"\1-\2-\3 \4:\5 UTC", run)


@dataclass(frozen=True)
class Lost(Finding):
    """The numbers of runs since an upgrade."""

    runs: int = 0
    tasks: int = 0
    since: str = ""


@dataclass(frozen=True)
class LostByGoingBack:
    """The DAG runs and task instances that have started since the database in use was copied from `kept`."""

    database: str
    kept: str
    key = "lost by going back"

    def probe(self) -> str:
        asks = heredoc(_LOST.format(guard=GUARD, kept=literal(self.kept)))
        options = quote(f"{OPTIONS} {OWN}")
        return (
            f"echo asked; runuser -u postgres -- env PGDATABASE={quote(self.database)} PGOPTIONS={options} "
            f"psql -XAtq -v ON_ERROR_STOP=1 {asks}\n[ $? != 0 ] || echo counted"
        )

    def judge(self, answer: str) -> list[Finding]:
        """Return the numbers of runs; nothing if the database in use is not a copy of `kept`."""
        lines = answer.split("\n")
        if "asked" not in lines or "counted" not in lines:
            return self.unknown("the database cannot be asked")
        found = dict(line.split("|", 1) for line in lines if "|" in line)
        if found.get("since") == "never":
            return []
        numbers = [found.get(table, "") for table in ("dag_run", "task_instance")]
        if not all(re.fullmatch(r"\d{1,18}", each, re.ASCII) for each in numbers) or not re.fullmatch(
            r"\d{4}-\d\d-\d\d \d\d:\d\d", found.get("since", ""), re.ASCII
        ):
            return self.unknown("the database's answer makes no sense")
        runs, tasks = map(int, numbers)
        return [Lost(self.key, "ok", "", runs=runs, tasks=tasks, since=f"{found['since']} UTC")]

    def unknown(self, why: str) -> list[Finding]:
        return [Finding(self.key, "failed", why)]
