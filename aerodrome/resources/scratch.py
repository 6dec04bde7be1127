"""A backup restored into a scratch database beside the real one, and checked against its manifest."""

from __future__ import annotations

from aerodrome.core.plan import RUNTIME
from aerodrome.core.resource import NOTE, Change, Seen, heredoc, quote
from aerodrome.core.size import megabytes
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError
from aerodrome.resources.backup import DRILL, DUMP, GUARD, OPTIONS, Place, check_place, facts
from aerodrome.resources.files import write_into
from aerodrome.resources.postgres import LOOPBACK, SQL, Login, identifier, literal, sql

SCRATCH = "aerodrome_scratch"  # the database, and the role that restores it
RECORD = "/run/aerodrome/scratch"  # has the run that has restored and checked it
SECRETS = "/run/aerodrome/secrets-read"  # on the node that has read its secrets: the run
LONGEST = 4000  # bytes that the program says on a node, which runs as the service user
SPARE = 256 << 20  # bytes that stay free on the file system of the databases

DROP = f"""\
SET client_min_messages = warning;
SELECT 'ALTER DATABASE {SCRATCH} ALLOW_CONNECTIONS false' FROM pg_database WHERE datname = '{SCRATCH}' \\gexec
DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{SCRATCH}'; END $$;
DROP DATABASE IF EXISTS {SCRATCH};
DROP ROLE IF EXISTS {SCRATCH};"""
# A member of the owner, not a superuser: whoever owns the real database decides which functions a restore calls, such
# as those of constraints. What it makes belongs to the owner, and it cannot become anybody else. Its password is made
# here, and known to nobody.
_CREATE = f"""\
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
CREATE ROLE {SCRATCH} LOGIN PASSWORD :'password' IN ROLE {{owner}};
ALTER ROLE {SCRATCH} SET role = {{owner}};
SELECT format('CREATE DATABASE {SCRATCH} OWNER %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L', {{name}},
pg_encoding_to_char(encoding), datcollate, datctype) FROM (SELECT encoding, datcollate, datctype FROM pg_database
WHERE datname = {{database}} UNION ALL SELECT 6, 'C', 'C') AS found LIMIT 1 \\gexec
REVOKE ALL ON DATABASE {SCRATCH} FROM PUBLIC;
"""
# Messages that the broker had when the dump was made have been dealt with since.
_SETTLE = f"""\
{GUARD}
SELECT 'DELETE FROM public.kombu_message' FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relname = 'kombu_message' AND relkind = 'r' \\gexec
ANALYZE;
"""
_RESTORE = f"""\
umask 077
dump=$folder/$name/{DUMP}
sum=$(sha256sum <"$dump")
[ "${{sum%% *}}" = "$sha256" ] || {{ echo "the dump of backup $name has changed since it was made"; exit 1; }}
rm -f {RECORD}
{sql(DROP)}
password=$(head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \\n')
{{ printf '\\\\set password %s\\n' "$password"; cat {{create}}
}} | {SQL.format(psql="psql")}
as_owner() {{
runuser -u postgres -- sh -c 'IFS= read -r PGPASSWORD <&5 || exit; export PGPASSWORD; exec 5<&-; exec "$@"' sh \\
env PGHOST={LOOPBACK} PGPORT="$port" PGUSER={SCRATCH} PGDATABASE={SCRATCH} PGSSLMODE=disable \\
PGOPTIONS={quote(OPTIONS)} "$@" 5<<END
$password
END
}}
as_owner pg_restore --no-owner --no-password --exit-on-error -d {SCRATCH} <"$dump"
found=$(as_owner psql -XAtqw -v ON_ERROR_STOP=1 {heredoc(facts())}
)
differs=$(printf '%s\\n' "$expected" | grep -vxF -e "$found" || :)
[ -z "$differs" ] || {{
echo 'what was restored is not what the manifest says:'
printf '%s\\n' "$differs" | while IFS= read -r line; do
echo "manifest: $line"
printf '%s\\n' "$found" | sed -n "s/^${{line%|*}}|/restored: &/p"
done
exit 1
}}
"""


def scratch_logins(owner: str, node: str) -> tuple[Login, ...]:
    """Return who may log in to the scratch database: who restores it, and the node that reads its secrets."""
    return Login(SCRATCH, SCRATCH, (LOOPBACK,)), Login(owner, SCRATCH, (node,))


@dataclass(frozen=True)
class Restored:
    """The scratch database holds a backup, restored and checked by this run.

    `expected` are lines as `backup.facts` prints them. With `settle` it becomes fit for use.
    """

    place: Place
    name: str  # of the backup
    sha256: str
    size: int  # bytes of the database that was backed up
    expected: tuple[str, ...]
    database: str  # the real one
    owner: str
    port: int
    run: str
    settle: bool = False

    @property
    def key(self) -> str:
        return f"copy of backup {self.name}"

    def probe(self) -> str:
        """Return sh that prints `done`; or if the dump is there, and what is free for databases, in bytes."""
        return (
            f"if {_recorded(RECORD, self.run)}; then echo done; else\n{self.place.ask()}\n"
            f"[ ! -f {quote(self.place.path(self.name, DUMP))} ] || echo there\n"
            f"data=$({sql('SHOW data_directory;')}\n)\n"
            '[ -z "$data" ] || stat -f -c "free|%a|%S" "$data"\nfi'
        )

    def changes(self, seen: Seen) -> list[Change]:
        lines = seen.text.splitlines()
        if "done" in lines:
            return []
        check_place(self.place, lines)
        if "there" not in lines:
            raise AerodromeError(f"there is no backup {self.name}", "see what there is: fab backups")
        numbers = [line.split("|") for line in lines if line.startswith("free|")]
        if not numbers:
            raise AerodromeError("PostgreSQL does not answer", "see why: fab status; fab logs")
        free, needed = sum(int(row[1]) * int(row[2]) for row in numbers), self.size + SPARE
        if free < needed:
            raise AerodromeError(
                f"not enough space to restore a copy: {megabytes(free)} are free where PostgreSQL keeps its databases, "
                f"and it takes {megabytes(needed)}",
                "free some; fab backups.prune drops databases that were kept by a restore",
            )
        return [Change(f"restore {self.name} into a scratch database, and compare it", self.script())]

    def script(self) -> str:
        """Return sh that restores the backup into the scratch database."""
        given = {"folder": self.place.folder, "name": self.name, "sha256": self.sha256, "port": str(self.port)}
        given["expected"] = "\n".join(self.expected)
        variables = "".join(f"{name}={quote(value)}\n" for name, value in given.items())
        owner, name, database = identifier(self.owner), literal(self.owner), literal(self.database)
        create = heredoc(_CREATE.format(owner=owner, name=name, database=database))
        settle = f"as_owner psql -XAtqw -v ON_ERROR_STOP=1 {heredoc(_SETTLE)}\n" if self.settle else ""
        ends = f"{sql(f'DROP ROLE {SCRATCH};')}\n{RUNTIME}printf '%s\\n' {quote(self.run)} >{RECORD}\n"
        return f"(\n{variables}{_RESTORE.replace('{create}', create)}{settle}{ends})"


@dataclass(frozen=True)
class NoScratch:
    """No scratch database, and no role that could log in to one."""

    key = "scratch database"

    def probe(self) -> str:
        return sql(
            f"SELECT 'there' FROM pg_database WHERE datname = '{SCRATCH}' UNION SELECT 'there' FROM pg_roles "
            f"WHERE rolname = '{SCRATCH}';"
        )

    def changes(self, seen: Seen) -> list[Change]:
        if not seen.text.strip():
            return []
        return [Change("drop the scratch database", f"rm -f {RECORD}\n{sql(DROP)}")]


@dataclass(frozen=True)
class Decrypted:
    """A node has decrypted all connections and variables of the scratch database, in this run.

    `program` is sh that prints `ok NUMBER`, or in one line what could not be read; as the service user.
    """

    run: str
    program: str
    key = "encrypted connections and variables"

    def probe(self) -> str:
        return f"{_recorded(SECRETS, self.run)} && echo done"

    def changes(self, seen: Seen) -> list[Change]:
        if seen.text.strip():
            return []
        script = (
            f"said=$({{ {self.program}\n}} | head -c {LONGEST})\n"
            'number=${said#ok }\ncase $number in "$said"|""|*[!0-9]*) printf \'%s\\n\' "$said"; exit 1 ;; esac\n'
            f"printf '%s%s\\n' {quote(NOTE)} \"$number encrypted values can be read with the Fernet keys in use\"\n"
            f"{RUNTIME}printf '%s\\n' {quote(self.run)} >{SECRETS}"
        )
        return [Change("decrypt the connections and variables of the copy", script)]


@dataclass(frozen=True)
class DrillRecord:
    """How the drill of a backup by this run ended is beside its manifest."""

    place: Place
    name: str
    run: str
    ok: bool

    @property
    def key(self) -> str:
        return f"drill of {self.name}"

    @property
    def _begin(self) -> str:
        return f'{{"run": "{self.run}", "ok": {str(self.ok).lower()}, '

    def probe(self) -> str:
        path = quote(self.place.path(self.name, DRILL))
        return f"[ -d {quote(self.place.path(self.name))} ] || echo gone\nhead -c 2000 {path} 2>/dev/null"

    def changes(self, seen: Seen) -> list[Change]:
        if seen.text.startswith((self._begin, "gone")):
            return []
        command = f'printf \'%s"at": %s}}\\n\' {quote(self._begin)} "$(date +%s)"'
        script = write_into(self.place.path(self.name, DRILL), command, "root", "root", 0o600)
        return [Change(f"record that the drill {'succeeded' if self.ok else 'failed'}", script)]


def _recorded(path: str, run: str) -> str:
    """Return sh that tells whether a record is that of a run; it costs no process."""
    return f'[ -e {path} ] && IFS= read -r by <{path} && [ "$by" = {quote(run)} ]'
