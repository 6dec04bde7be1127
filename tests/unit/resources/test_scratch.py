"""A backup restored into a scratch database: the script as a whole, and what it says of a dump that is not right."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aerodrome.core.resource import Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.backup import Place, facts
from aerodrome.resources.postgres import Login, sql
from aerodrome.resources.scratch import Decrypted, DrillRecord, NoScratch, Restored, scratch_logins
from tests.unit.make import Shell, only_change

NAME, RUN = "20261201T005031Z-1f3a", "20261201T010000Z-00ff"
PLACE = Place("/var/lib/aerodrome/backups")
FACTS = ("alembic_version|d2f4", "rows|dag|5")
COPY = Restored(PLACE, NAME, "a" * 64, 30 << 20, FACTS, "meta", "m$e", 5433, RUN)
SEEN = "there\nfree|1000000|4096\n"

DROP = """\
runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d postgres <<'END_OF_FILE'
SET client_min_messages = warning;
SELECT 'ALTER DATABASE aerodrome_scratch ALLOW_CONNECTIONS false' FROM pg_database \
WHERE datname = 'aerodrome_scratch' \\gexec
DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'aerodrome_scratch'; END $$;
DROP DATABASE IF EXISTS aerodrome_scratch;
DROP ROLE IF EXISTS aerodrome_scratch;
END_OF_FILE"""
SCRIPT = f"""\
(
folder=/var/lib/aerodrome/backups
name={NAME}
sha256={"a" * 64}
port=5433
expected='alembic_version|d2f4
rows|dag|5'
umask 077
dump=$folder/$name/dump
sum=$(sha256sum <"$dump")
[ "${{sum%% *}}" = "$sha256" ] || {{ echo "the dump of backup $name has changed since it was made"; exit 1; }}
rm -f /run/aerodrome/scratch
{DROP}
password=$(head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \\n')
{{ printf '\\\\set password %s\\n' "$password"; cat <<'END_OF_FILE'
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
CREATE ROLE aerodrome_scratch LOGIN PASSWORD :'password' IN ROLE "m$e";
ALTER ROLE aerodrome_scratch SET role = "m$e";
SELECT format('CREATE DATABASE aerodrome_scratch OWNER %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L', \
'm$e',
pg_encoding_to_char(encoding), datcollate, datctype) FROM (SELECT encoding, datcollate, datctype FROM pg_database
WHERE datname = 'meta' UNION ALL SELECT 6, 'C', 'C') AS found LIMIT 1 \\gexec
REVOKE ALL ON DATABASE aerodrome_scratch FROM PUBLIC;
END_OF_FILE
}} | runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d postgres
as_owner() {{
runuser -u postgres -- sh -c 'IFS= read -r PGPASSWORD <&5 || exit; export PGPASSWORD; exec 5<&-; exec "$@"' sh \\
env PGHOST=127.0.0.1 PGPORT="$port" PGUSER=aerodrome_scratch PGDATABASE=aerodrome_scratch PGSSLMODE=disable \\
PGOPTIONS='-c search_path=pg_catalog -c statement_timeout=0 -c idle_in_transaction_session_timeout=0' "$@" 5<<END
$password
END
}}
as_owner pg_restore --no-owner --no-password --exit-on-error -d aerodrome_scratch <"$dump"
found=$(as_owner psql -XAtqw -v ON_ERROR_STOP=1 <<'END_OF_FILE'
{facts()}END_OF_FILE
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
{sql("DROP ROLE aerodrome_scratch;")}
[ -d /run/aerodrome ] || mkdir -p -m 700 /run/aerodrome; printf '%s\\n' {RUN} >/run/aerodrome/scratch
)"""


def test_the_script_as_a_whole() -> None:
    change = only_change(COPY, SEEN)
    assert change.summary == f"restore {NAME} into a scratch database, and compare it"
    assert change.script == SCRIPT


def test_what_becomes_the_real_database_has_no_old_messages_and_is_analyzed() -> None:
    head, _, tail = replace(COPY, settle=True).script().partition("as_owner psql -XAtqw -v ON_ERROR_STOP=1 <<")
    head, _, tail = tail.partition("as_owner psql -XAtqw -v ON_ERROR_STOP=1 <<")
    text, _, rest = tail.partition("\nEND_OF_FILE\n")
    assert "SELECT 'DELETE FROM public.kombu_message' FROM pg_class\n" in text and text.endswith("ANALYZE;")
    assert rest.startswith(sql("DROP ROLE aerodrome_scratch;"))


def test_the_probe_as_a_whole() -> None:
    assert COPY.probe() == (
        f'if [ -e /run/aerodrome/scratch ] && IFS= read -r by </run/aerodrome/scratch && [ "$by" = {RUN} ]; '
        f"then echo done; else\n{PLACE.ask()}\n"
        f"[ ! -f /var/lib/aerodrome/backups/{NAME}/dump ] || echo there\n"
        f"data=$({sql('SHOW data_directory;')}\n)\n"
        '[ -z "$data" ] || stat -f -c "free|%a|%S" "$data"\nfi'
    )


def test_a_copy_of_this_run_needs_nothing() -> None:
    assert COPY.changes(Seen("done\n")) == []


@pytest.mark.parametrize(
    "seen, message",
    [
        ("free|1000000|4096\n", f"there is no backup {NAME}"),
        ("there\n", "PostgreSQL does not answer"),
        ("there\nfree|1000|4096\n", "not enough space to restore a copy: 3.9 MB are free where .*, and it takes 286.0"),
        ("unsafe /var\nthere\n", "/var is not a directory that only root can change"),
    ],
)
def test_what_stops_it_before_it_begins(seen: str, message: str) -> None:
    with pytest.raises(AerodromeError, match=message):
        COPY.changes(Seen(seen))


# Prints what is asked for, and says what it was called with. Nobody's password is among the arguments.
RUNUSER = """\
input=$(cat); echo "$*" >>"$0.log"
case $* in *pg_restore*) IFS= read -r password <&5; echo "${#password}" >>"$0.log"; printf %s "$input" >"$0.dump" ;;
*psql*SCRATCH*|*aerodrome_scratch*psql*) printf '%s\\n' 'alembic_version|d2f4' 'rows|dag|5' 'rows|log|7' ;; esac"""


def copy(tmp_path: Path, **given: Any) -> Restored:
    folder = tmp_path / "backups"
    (folder / NAME).mkdir(parents=True)
    (folder / NAME / "dump").write_text("abc")
    digest = hashlib.sha256(b"abc").hexdigest()
    values: dict[str, Any] = {"place": Place(str(folder)), "sha256": digest, **given}
    return replace(COPY, **values)


def test_a_dump_is_restored_by_a_role_of_its_own(sh: Shell, tmp_path: Path) -> None:
    script = copy(tmp_path).script().replace("/run/aerodrome", str(tmp_path / "run"))
    done = sh(f"set -eu\n{script}", programs={"runuser": RUNUSER})
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (tmp_path / "run" / "scratch").read_text() == f"{RUN}\n"
    assert (tmp_path / "programs" / "runuser.dump").read_text() == "abc"
    log = (tmp_path / "programs" / "runuser.log").read_text().splitlines()
    assert "48" in log


def test_changed_bytes_are_refused_before_anything_is_done(sh: Shell, tmp_path: Path) -> None:
    script = copy(tmp_path, sha256="b" * 64).script()
    done = sh(f"set -eu\n{script}\necho went on", programs={"runuser": RUNUSER})
    assert done.returncode == 1
    assert done.stdout.decode() == f"the dump of backup {NAME} has changed since it was made\n"
    assert not (tmp_path / "programs" / "runuser.log").exists()


def test_another_number_of_rows_is_told(sh: Shell, tmp_path: Path) -> None:
    script = copy(tmp_path, expected=("alembic_version|d2f4", "rows|dag|6")).script()
    done = sh(
        f"set -eu\n{script.replace('/run/aerodrome', str(tmp_path))}\necho went on", programs={"runuser": RUNUSER}
    )
    assert done.returncode == 1
    assert done.stdout.decode().splitlines() == [
        "what was restored is not what the manifest says:",
        "manifest: rows|dag|6",
        "restored: rows|dag|5",
    ]


def test_the_scratch_database_is_dropped_if_there_is_one() -> None:
    assert NoScratch().changes(Seen("")) == []
    change = only_change(NoScratch(), "there\n")
    assert (change.summary, change.script) == ("drop the scratch database", f"rm -f /run/aerodrome/scratch\n{DROP}")


@pytest.mark.parametrize(
    "said, code, out",
    [
        ("ok 12", 0, "@note: 12 encrypted values can be read with the Fernet keys in use\n"),
        ("ok", 1, "ok\n"),
        ("ok x", 1, "ok x\n"),
        ("12", 1, "12\n"),
        ("", 1, "\n"),
        ('1 of 2 encrypted values cannot be read: variable "x" (val)', 1, None),
        ("ok 1\n@killed everything", 1, None),
    ],
)
def test_what_a_node_says_of_the_secrets(sh: Shell, tmp_path: Path, said: str, code: int, out: str | None) -> None:
    (tmp_path / "said").write_text(f"{said}\n")
    change = only_change(Decrypted(RUN, f"cat {tmp_path}/said"), "")
    done = sh(f"set -eu\n{change.script.replace('/run/aerodrome', str(tmp_path))}")
    assert (done.returncode, done.stdout.decode()) == (code, f"{said}\n" if out is None else out)
    assert (tmp_path / "secrets-read").exists() == (code == 0)


def test_secrets_that_this_run_has_read_are_not_read_again(sh: Shell, tmp_path: Path) -> None:
    resource = Decrypted(RUN, "true")
    probe = resource.probe().replace("/run/aerodrome", str(tmp_path))
    assert sh(probe).stdout == b""
    (tmp_path / "secrets-read").write_text("20261201T010000Z-00fe\n")
    assert sh(probe).stdout == b""
    (tmp_path / "secrets-read").write_text(f"{RUN}\n")
    assert resource.changes(Seen(sh(probe).stdout.decode())) == []


def test_the_record_of_a_drill(sh: Shell, tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    record = DrillRecord(Place(str(tmp_path)), NAME, RUN, ok=True)
    assert record.changes(Seen("gone\n")) == []
    for each, word in ((record, "true"), (replace(record, ok=False), "false")):
        change = only_change(each, sh(each.probe()).stdout.decode())
        assert sh(f"set -eu\nchown() {{ :; }}\n{change.script}").returncode == 0
        text = (tmp_path / NAME / "drill.json").read_text()
        assert text.startswith(f'{{"run": "{RUN}", "ok": {word}, "at": 1')
        assert each.changes(Seen(sh(each.probe()).stdout.decode())) == []


def test_who_may_log_in() -> None:
    assert scratch_logins("me", "10.0.0.2") == (
        Login("aerodrome_scratch", "aerodrome_scratch", ("127.0.0.1",)),
        Login("me", "aerodrome_scratch", ("10.0.0.2",)),
    )
