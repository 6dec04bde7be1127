"""PostgreSQL: a server that answers and listens, a role with its database, and who may log in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import stringprep
import unicodedata
from collections.abc import Mapping, Sequence

from aerodrome.core.resource import NOTE, Change, Seen, heredoc
from aerodrome.core.undo import Undo
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError
from aerodrome.resources.files import STAT, read_whole
from aerodrome.resources.postgres_unit import DEBIAN, KEY, OTHERS
from aerodrome.secrets import Secret

# SQL comes on stdin, never in argv. Peer login as postgres is what every distribution sets up.
SQL = "runuser -u postgres -- {psql} -XAtq -v ON_ERROR_STOP=1 -d postgres"
# Debian's psql is a Perl program that works out which cluster is meant, and takes three times as long as what it then
# does. The real one finds a single cluster by itself, if that has the default port.
REAL_PSQL = (
    "psql=psql; set -- /etc/postgresql/*/*/; [ $# != 1 ] || for real in /usr/lib/postgresql/*/bin/psql; do "
    '[ ! -x "$real" ] || psql=$real; done'
)
HBA, PSQL = '"$hba"', '"$psql"'
ITERATIONS = 4096  # PostgreSQL's own (scram_iterations, and fixed before version 16)

ANSWERS = "runuser -u postgres -- psql -XAtqc 'SELECT 1' postgres >/dev/null 2>&1"
AWAIT = f"for _ in $(seq 60); do ! {ANSWERS} || break; sleep 0.5; done"
# RHEL-likes leave it to us to make the data directory; Debian's package makes it. The unit names the directory, and
# postgresql-setup asks the unit too; it refuses an existing directory.
START = f"""\
if command -v postgresql-setup >/dev/null; then
data=$(systemctl show -p Environment --value postgresql | tr ' ' '\\n' | sed -n 's/^PGDATA=//p')
[ -s "${{data:-/var/lib/pgsql/data}}/PG_VERSION" ] || postgresql-setup --initdb
fi
systemctl enable postgresql
{ANSWERS} || systemctl restart postgresql
{AWAIT}
{ANSWERS}"""
RESTART = f"systemctl restart postgresql\n{AWAIT}"

# The address list as it is written down, how many clients there are, and whether the drop-in is newer than the server.
WRITTEN = (
    "coalesce((SELECT setting FROM pg_file_settings WHERE name = 'listen_addresses' ORDER BY seqno DESC LIMIT 1), "
    "'localhost')"
)
CLIENTS = "(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())"
NEWER = (
    "(SELECT coalesce(max(modification) > pg_postmaster_start_time(), false) "
    f"FROM unnest(ARRAY['{DEBIAN}', '{OTHERS}']) AS path, pg_stat_file(path, true))"
)


def sql(statement: str) -> str:
    """Return sh that runs a statement and prints its rows, fields separated by `|`."""
    return f"{SQL.format(psql='psql')} {heredoc(statement.rstrip() + chr(10))}"


@dataclass(frozen=True)
class Login:
    """A user, the database that it owns, and the addresses from which it may log in to that."""

    user: str
    database: str
    addresses: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """Return the lines of pg_hba.conf, one per address (a name is looked up by PostgreSQL itself)."""
        return tuple(
            f"host {identifier(self.database)} {identifier(self.user)} {_network(address)} scram-sha-256"
            for address in self.addresses
        )


def ask(logins: Sequence[Login]) -> str:
    """Return sh that prints all facts about a server that resources need; nothing if it does not answer.

    psql takes longer than the rest of a probe: resources whose probes are the same share the answer.
    """
    users = ", ".join(map(literal, dict.fromkeys(login.user for login in logins)))
    databases = ", ".join(map(literal, dict.fromkeys(login.database for login in logins)))
    query = (
        "SELECT 'server', current_setting('port'), current_setting('listen_addresses'), "
        f"{WRITTEN}, {CLIENTS}, {NEWER}; "
        f"SELECT 'role ' || rolname, rolcanlogin, rolpassword FROM pg_authid WHERE rolname IN ({users}); "
        "SELECT 'database ' || datname, pg_get_userbyid(datdba), has_database_privilege('public', oid, 'CONNECT') "
        f"FROM pg_database WHERE datname IN ({databases}); "
        "SELECT 'hba', current_setting('hba_file'), extract(epoch FROM pg_conf_load_time())::bigint;"
    )
    return (
        f"{REAL_PSQL}\nquery() {{\nexec {SQL.format(psql=PSQL)} {heredoc(query + chr(10))}\n}}\n"
        'rows=$(query); [ -n "$rows" ] || [ "$psql" = psql ] || { psql=psql; rows=$(query); }\n'
        'if [ -n "$rows" ]; then echo "$rows"; hba=${rows##*hba|}; hba=${hba%|*}; stat -c %Y "$hba"; '
        f'{STAT} "$hba"; {read_whole(HBA)}; fi'
    )


@dataclass(frozen=True)
class Answer:
    """A server's answer to `ask`: rows by their kind, and its pg_hba.conf. It is empty if the server did not answer."""

    rows: Mapping[str, Sequence[str]]
    hba: str  # modified (seconds since the epoch), a newline, and what files.Found parses

    @classmethod
    def parse(cls, text: str) -> Answer:
        """Read the output of `ask`."""
        head, newline, rest = text.partition("\nhba|")
        path, _, hba = rest.partition("\n")
        rows = [line.split("|") for line in head.splitlines() if line]
        paths = {"hba": path.rsplit("|", 1)} if newline else {}
        return cls({row[0]: row[1:] for row in rows} | paths, hba)


def literal(text: str) -> str:
    """Quote a text for SQL (standard_conforming_strings, on since PostgreSQL 9.1)."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


EVERYWHERE = {"*", "0.0.0.0"}  # noqa: S104
LOOPBACK = "127.0.0.1"  # where each server of ours listens for programs on its host
LOCAL = {"localhost", LOOPBACK, "::1", ""}


@dataclass(frozen=True)
class PostgresServer:
    """A server that runs, starts at boot and listens on these addresses (`*`: on all).

    A restart ends every session, and with it Airflow's running tasks. If a client is connected, the restart is left to
    whoever restarts PostgreSQL next, unless the fleet cannot reach the server without it: that is refused if the server
    can be reached at other addresses, and so may be in use. With `only`, it listens on no other address. pg_hba.conf
    defines who may log in (PostgresAccess).
    """

    port: int
    logins: tuple[Login, ...]  # what else the same session asks about
    listen: tuple[str, ...] = ("*",)
    only: bool = True

    @property
    def key(self) -> str:
        return "postgresql server"

    def probe(self) -> str:
        return ask(self.logins)

    def changes(self, seen: Seen) -> list[Change]:
        server = Answer.parse(seen.text).rows.get("server")
        if server is None:
            return [Change("start PostgreSQL, at boot too", START)]
        port, running, written, clients, newer = server
        if int(port) != self.port:
            raise AerodromeError(
                f"PostgreSQL listens on port {port}, but hosts.yaml says {self.port}", f"set database.port: {port}"
            )
        reasons = [] if self._fits(running) else ["listen_addresses was changed"]
        reasons += ["its drop-in was changed"] if newer == "t" or KEY in seen.changing else []
        lost = not self._reached(running)
        if lost and clients != "0" and not _addresses(running) <= LOCAL:
            raise AerodromeError(
                f"PostgreSQL has to restart to listen on {','.join(self.listen)} instead of {running[:200]}, and "
                f"{clients} are connected: running tasks would fail",
                "run fab stop, which waits for running tasks, and end all other sessions; then fab deploy",
            )
        restarts = bool(reasons) and (clients == "0" or lost)
        if not self._fits(written):
            return [self._listen(written, clients, restarts or (clients == "0"))]
        if not restarts:
            return []
        return [Change(f"restart PostgreSQL ({', '.join(reasons)})", RESTART, interrupts=True, undo=_restart_again())]

    def _listen(self, written: str, clients: str, restarts: bool) -> Change:
        addresses = ",".join(self.listen)
        where = "on the network" if "*" in self.listen else f"on {addresses} only"
        script = sql(f"ALTER SYSTEM SET listen_addresses = {literal(addresses)};")
        diff = f"-listen_addresses = '{written}'\n+listen_addresses = '{addresses}'"
        back = sql(f"ALTER SYSTEM SET listen_addresses = {literal(written)};") + f"\n{RESTART_UNUSED}"
        words = f"set PostgreSQL's listen_addresses back to {written}"
        undo = Undo(words, back, sql(f"SELECT {WRITTEN};"), written, addresses)
        if restarts:
            return Change(f"listen {where}, restart PostgreSQL", f"{script}\n{RESTART}", diff, undo=undo)
        later = f"from PostgreSQL's next restart on ({clients} are connected: fab stop, then fab deploy)"
        return Change(f"listen {where}, {later}", script, diff, undo=undo)

    def _fits(self, setting: str) -> bool:
        return (
            _addresses(setting) == set(self.listen) if self.only and "*" not in self.listen else self._reached(setting)
        )

    def _reached(self, setting: str) -> bool:
        """Return whether a server with this setting listens where the fleet looks for it."""
        return bool(EVERYWHERE & _addresses(setting)) or set(self.listen) <= _addresses(setting)


# A restart would end what connected clients do.
RESTART_UNUSED = f"""\
if [ "$({sql(f"SELECT {CLIENTS};")}
)" = 0 ]; then
{RESTART}
else echo "{NOTE}PostgreSQL is in use: it takes this over at its next restart"; fi"""


def _restart_again() -> Undo:
    """Return how a server that was restarted runs with its former drop-in again."""
    outdated = f"SELECT CASE WHEN {NEWER} AND {CLIENTS} = 0 THEN 'outdated' ELSE 'current' END;"
    path = KEY.partition(" ")[2]  # as the key of the drop-in has it
    return Undo("restart PostgreSQL", RESTART_UNUSED, sql(outdated), "current", "outdated", after=(path,), late=True)


def _addresses(setting: str) -> set[str]:
    return {address.strip() for address in setting.split(",")}


def revoke(database: str) -> str:
    """Return the statement after which only the owner of a database, and who was granted it, can connect."""
    return f"REVOKE CONNECT ON DATABASE {identifier(database)} FROM PUBLIC;"


def _network(address: str) -> str:
    if ":" in address:
        return f"{address}/128"
    return f"{address}/32" if address.replace(".", "").isdigit() else address


@dataclass(frozen=True)
class PostgresAccount:
    """A role with this password, and a database that it owns.

    The password is kept as a SCRAM verifier that is computed here: its plain text reaches neither the server
    nor its log. `salt` (16 bytes) is used for a new verifier; the stored one's own salt is used to recognise it.
    A `private` database is open to nobody else who was not granted it: by itself PostgreSQL lets all roles connect.
    """

    user: str
    password: Secret | None  # None: only a command on the nodes knows it, and the role is left as it is
    database: str
    salt: bytes
    made: bool = False  # the password was made just now, so a role that is there has another one
    private: bool = False
    logins: tuple[Login, ...] = ()  # what else the same session asks about

    @property
    def key(self) -> str:
        return f"postgresql role {self.user}"

    def probe(self) -> str:
        return ask(self.logins or (Login(self.user, self.database),))

    def changes(self, seen: Seen) -> list[Change]:
        rows = Answer.parse(seen.text).rows
        if not rows:
            return [Change(f"make role {self.user} and database {self.database}", "")]
        return self._role(rows.get(f"role {self.user}")) + self._database(rows.get(f"database {self.database}"))

    def _role(self, role: Sequence[str] | None) -> list[Change]:
        name = identifier(self.user)
        if self.password is None:
            if role:
                return []
            raise AerodromeError(
                f"there is no role {self.user}, and its password is unknown here",
                "set it once, in addition to the command: database.password in hosts.yaml (or create the role by hand)",
            )
        if role and role[0] == "t" and verifies(self.password, role[1]):
            return []
        if role and role[1] and self.made:
            raise AerodromeError(
                f"role {self.user} exists, with a password that is unknown here",
                "copy secrets.yaml from the machine that deployed this fleet, or set database.password in hosts.yaml",
            )
        secret = literal(scram_verifier(self.password, self.salt))
        verb, summary = ("ALTER", "set the password of") if role else ("CREATE", "make")
        return [Change(f"{summary} role {self.user}", sql(f"{verb} ROLE {name} LOGIN PASSWORD {secret};"))]

    def _database(self, database: Sequence[str] | None) -> list[Change]:
        name, owner = identifier(self.database), identifier(self.user)
        if database is None:
            # template0: a server that was set up without a locale would give its ASCII encoding to the database.
            options = "TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
            private = f"\n{revoke(self.database)}" if self.private else ""
            create = sql(f"CREATE DATABASE {name} OWNER {owner} {options};{private}")
            return [Change(f"make database {self.database}, owned by {self.user}", create)]
        if database[0] != self.user:
            alter = sql(f"ALTER DATABASE {name} OWNER TO {owner};")
            return [Change(f"give database {self.database} from {database[0]} to {self.user}", alter)]
        if self.private and database[1] == "t":
            return [Change(f"let no other role connect to database {self.database}", sql(revoke(self.database)))]
        return []


def scram_verifier(password: Secret, salt: bytes, iterations: int = ITERATIONS) -> str:
    """Return the verifier that PostgreSQL keeps for a password (RFC 5803; src/common/scram-common.c)."""
    salted = hashlib.pbkdf2_hmac("sha256", _saslprep(password.reveal()), salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    stored, server = hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256")
    encode = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{encode[0]}${encode[1]}:{encode[2]}"


def verifies(password: Secret, stored: str) -> bool:
    """Return whether a stored verifier belongs to a password; one of another kind (md5) never does."""
    try:
        _, parameters, _ = stored.split("$")
        iterations, salt = parameters.split(":")
        wanted = scram_verifier(password, base64.b64decode(salt), int(iterations))
    except ValueError:
        return False
    return hmac.compare_digest(wanted, stored)


def _saslprep(password: str) -> bytes:
    """Prepare a password as PostgreSQL does (RFC 4013); one that may not be prepared is taken as it is."""
    # A zero-width space stands in both tables, and what is prohibited is looked for before normalization, as there.
    spaced = [" " if stringprep.in_table_c12(char) else char for char in password]
    mapped = "".join(char for char in spaced if not stringprep.in_table_b1(char))
    prepared = unicodedata.normalize("NFKC", mapped)
    prohibited = (
        stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3, stringprep.in_table_c4,
        stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7, stringprep.in_table_c8,
        stringprep.in_table_c9, stringprep.in_table_a1,
    )  # fmt: skip
    refused = not prepared or any(table(char) for char in mapped for table in prohibited)
    return (password if refused or _mixes_directions(mapped) else prepared).encode()


def _mixes_directions(text: str) -> bool:
    right = [stringprep.in_table_d1(char) for char in text]
    left = any(stringprep.in_table_d2(char) for char in text)
    return any(right) and (left or not (right[0] and right[-1]))
