"""Backups: the scripts as a whole, and what they leave behind when something goes wrong."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from aerodrome.core.resource import Seen
from aerodrome.core.size import megabytes
from aerodrome.errors import AerodromeError
from aerodrome.resources.backup import HEAD, About, MadeBackup, Place, PrunedBackups, facts
from tests.unit.make import Shell, only_change

NAME, OTHER = "20261201T005031Z-1f3a", "20261130T005031Z-00ff"
PLACE = Place("/var/lib/aerodrome/backups")
ABOUT = About("3.3.2", ("b87b46fec19cb1e6", "0123456789abcdef"), "database airflow_celery")
BACKUP = MadeBackup(PLACE, NAME, "airflow", ABOUT)
SIZES = "free|1000000|4096\nsize|30000000\n"
PLAIN = "FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname IN"

ASK = """\
at=/var/lib/aerodrome/backups
while [ -n "$at" ]; do
if [ -h "$at" ] || [ -e "$at" ]; then kind=$(stat -c "%F %u %a" "$at"); case $kind in \
"directory 0 "*[2367]|"directory 0 "*[2367]?) echo "unsafe $at"; break;; "directory 0 "*) ;; \
*) echo "unsafe $at"; break;; esac; fi
at=${at%/*}; done"""
PROBE = f"""\
if [ -e /var/lib/aerodrome/backups/{NAME}/manifest.json ]; then echo there; else
{ASK}
at=/var/lib/aerodrome/backups; until [ -z "$at" ] || [ -e "$at" ]; do at=${{at%/*}}; done
stat -f -c "free|%a|%S" "${{at:-/}}"
for left in /var/lib/aerodrome/backups/.new-* /var/lib/aerodrome/backups/.old-*; do \
[ ! -e "$left" ] || du -sk "$left"; done | while read -r size left; do echo "left|$size"; done
runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d postgres <<'END_OF_FILE'
SELECT 'size', pg_database_size('airflow');
END_OF_FILE
fi"""
FACTS = f"""\
SELECT format('SELECT %L, left(regexp_replace(version_num, ''[^A-Za-z0-9_.-]'', '''', ''g''), 64) FROM public.%I \
ORDER BY 2 LIMIT 20', relname, relname) {PLAIN} ('alembic_version', 'alembic_version_fab') ORDER BY relname \\gexec
SELECT format('SELECT ''rows'', %L, count(*) FROM public.%I', relname, relname) {PLAIN} \
('ab_role', 'ab_user', 'connection', 'dag', 'dag_run', 'log', 'slot_pool', 'task_instance', 'variable', 'xcom') \
ORDER BY relname \\gexec
"""
SCRIPT = f"""\
mkdir -p /var/lib/aerodrome
[ -d /var/lib/aerodrome/backups ] || mkdir -m 700 /var/lib/aerodrome/backups
(
folder=/var/lib/aerodrome/backups
name={NAME}
database=airflow
about='"airflow": "3.3.2", "fernet": ["b87b46fec19cb1e6", "0123456789abcdef"], "broker": "database airflow_celery"'
umask 077
rm -rf "$folder"/.new-* "$folder"/.old-*
new=$folder/.new-$name
trap 'rm -rf "$new"' EXIT
mkdir "$new"
begun=$(date +%s)
exec 4>"$new/dump"
runuser -u postgres -- env PGDATABASE="$database" PGOPTIONS='-c search_path=pg_catalog -c statement_timeout=0 \
-c idle_in_transaction_session_timeout=0' \\
psql -XAtq -v ON_ERROR_STOP=1 >"$new/facts" <<'END_OF_FILE'
DO $$ BEGIN PERFORM set_config('restrict_nonsystem_relation_kind', 'view,foreign-table', false); \
EXCEPTION WHEN OTHERS THEN NULL; END $$;
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT pg_export_snapshot() AS snapshot \\gset
\\setenv SNAPSHOT :snapshot
\\! pg_dump -Fc --snapshot="$SNAPSHOT" --lock-wait-timeout=300000 </dev/null >&4 && echo dumped
SELECT 'server', split_part(current_setting('server_version'), ' ', 1);
SELECT 'size', pg_database_size(current_database());
{FACTS}COMMIT;
END_OF_FILE
exec 4>&-
dumped= server= size= rows= heads= provider=
while IFS='|' read -r kind one two; do
case $kind in
dumped) dumped=1 ;;
server) server=$one ;;
size) size=$one ;;
alembic_version) heads="$heads${{heads:+, }}\\"$one\\"" ;;
alembic_version_fab) provider="$provider${{provider:+, }}\\"$one\\"" ;;
rows) rows="$rows${{rows:+, }}\\"$one\\": $two" ;;
esac
done <"$new/facts"
rm "$new/facts"
[ "$dumped" ] || {{ echo 'pg_dump failed'; exit 1; }}
sum=$(sha256sum <"$new/dump")
{{
printf '{{"name": "%s", "at": %s, "seconds": %s, ' "$name" "$begun" $(($(date +%s) - begun))
printf '"bytes": %s, "sha256": "%s", ' "$(stat -c %s "$new/dump")" "${{sum%% *}}"
printf '"server": "%s", "size": %s, ' "$server" "$size"
printf '"heads": [%s], "provider_heads": [%s], "rows": {{%s}}, %s}}\\n' "$heads" "$provider" "$rows" "$about"
}} >"$new/manifest.json"
sync "$new/dump" "$new/manifest.json"
mv -T "$new" "$folder/$name"
sync "$folder"
)"""


def test_the_probe_as_a_whole() -> None:
    assert (PLACE.ask(), BACKUP.probe()) == (ASK, PROBE)


def test_the_script_as_a_whole() -> None:
    change = only_change(BACKUP, SIZES)
    assert (change.summary, change.restarts, change.interrupts) == (f"back up database airflow as {NAME}", "", False)
    assert facts() == FACTS
    assert change.script == SCRIPT


def test_a_backup_that_is_there_needs_nothing() -> None:
    assert BACKUP.changes(Seen("there\n")) == []


@pytest.mark.parametrize(
    "seen, message",
    [
        ("free|1000000|4096\n", "PostgreSQL does not answer, or has no database airflow"),
        (
            "free|100|4096\nsize|30000000\n",
            "not enough space for a backup in .*: 0.4 MB are free, and it may take 46.3",
        ),
        ("free|0|4096\nleft|46000\nsize|30000000\n", "not enough space .*: 44.9 MB are free"),
        (f"unsafe /var/lib\n{SIZES}", "cannot be kept in .*: /var/lib is not a directory that only root can change"),
    ],
)
def test_what_stops_a_backup_before_it_begins(seen: str, message: str) -> None:
    with pytest.raises(AerodromeError, match=message):
        BACKUP.changes(Seen(seen))


def test_what_a_killed_run_has_left_counts_as_free() -> None:
    assert only_change(BACKUP, "free|0|4096\nleft|50000\nsize|30000000\n")


# The programs of a database host that has a dump of three bytes.
PROGRAMS = {
    "runuser": "cat >/dev/null; printf abc >&4; printf '%s\\n' dumped 'server|15.20' 'size|30000000' "
    "'alembic_version|d2f4' 'alembic_version_fab|02ca' 'rows|dag|5' 'rows|xcom|0'",
}


def test_a_manifest_is_json_about_the_dump(sh: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "it's" / "here"
    (folder / f".new-{OTHER}").mkdir(parents=True)
    backup = MadeBackup(Place(str(folder)), NAME, "airflow", ABOUT)
    done = sh(f"set -eu\n{backup.script()}", programs=PROGRAMS)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert [each.name for each in folder.iterdir()] == [NAME]
    assert {each.name: each.stat().st_mode & 0o777 for each in (folder / NAME).iterdir()} == {
        "dump": 0o600,
        "manifest.json": 0o600,
    }
    manifest = json.loads((folder / NAME / "manifest.json").read_text())
    assert manifest.pop("at") and manifest.pop("seconds") in (0, 1)
    assert manifest == {
        "name": NAME,
        "bytes": 3,
        "sha256": hashlib.sha256(b"abc").hexdigest(),
        "server": "15.20",
        "size": 30000000,
        "heads": ["d2f4"],
        "provider_heads": ["02ca"],
        "rows": {"dag": 5, "xcom": 0},
        "airflow": "3.3.2",
        "fernet": ["b87b46fec19cb1e6", "0123456789abcdef"],
        "broker": "database airflow_celery",
    }


@pytest.mark.parametrize(
    "program",
    [
        "cat >/dev/null; printf ab >&4; echo 'server|15.20'",  # pg_dump fails, psql goes on
        "cat >/dev/null; printf ab >&4; echo dumped; exit 3",  # psql fails after it
        "exit 1",
    ],
)
def test_nothing_is_left_of_a_dump_that_failed(sh: Shell, tmp_path: Path, program: str) -> None:
    backup = MadeBackup(Place(f"{tmp_path}/backups"), NAME, "airflow")
    done = sh(f"set -eu\n{backup.script()}\necho went on", programs={"runuser": program})
    assert done.returncode != 0 and b"went on" not in done.stdout
    assert list((tmp_path / "backups").iterdir()) == []


# A database managed elsewhere

SAYS = "server|15.20\nsize|30000000\nalembic_version|d2f4\nalembic_version_fab|02ca\nrows|dag|5\nrows|xcom|0\n"


def elsewhere(folder: Path, program: str) -> MadeBackup:
    return MadeBackup(Place(str(folder)), NAME, "airflow", ABOUT, program)


def prints(folder: Path, said: bytes, then: str = "") -> str:
    file = folder / "said"
    file.write_bytes(said)
    return f"cat {file}{then}\n"


def test_the_probe_of_one_elsewhere_asks_no_server_on_the_host() -> None:
    probe = elsewhere(Path(PLACE.folder), "true\n").probe()
    assert probe == f"if [ -e {PLACE.folder}/{NAME}/manifest.json ]; then echo there; else\n{ASK}\nfi"
    assert only_change(elsewhere(Path(PLACE.folder), "true\n"), "").summary == f"back up database airflow as {NAME}"


def test_what_a_program_dumps_is_a_backup_like_any_other(sh: Shell, tmp_path: Path) -> None:
    folder, dump = tmp_path / "backups", bytes(range(256)) * 300
    program = prints(tmp_path, SAYS.encode().ljust(HEAD) + dump)
    done = sh(f"set -eu\n{elsewhere(folder, program).script()}")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert sorted(each.name for each in (folder / NAME).iterdir()) == ["dump", "manifest.json"]
    assert (folder / NAME / "dump").read_bytes() == dump
    manifest = json.loads((folder / NAME / "manifest.json").read_text())
    assert (manifest["bytes"], manifest["sha256"]) == (len(dump), hashlib.sha256(dump).hexdigest())
    assert (manifest["server"], manifest["size"], manifest["rows"]) == ("15.20", 30000000, {"dag": 5, "xcom": 0})
    assert (manifest["heads"], manifest["provider_heads"]) == (["d2f4"], ["02ca"])


@pytest.mark.parametrize(
    "said, then, why",
    [
        (b"error|ValueError: there is no pg_dump on this host\n", "; exit 1", "ValueError: there is no pg_dump on"),
        (SAYS.encode().ljust(HEAD) + b"abc", "; exit 1", "pg_dump failed"),
        (SAYS.encode().ljust(HEAD) + b"abc", "; kill -9 $$", "pg_dump failed"),
        (b"", "", "the program that dumps it said nothing"),
        (f"size|{1 << 58}\n".encode().ljust(HEAD) + b"abc", "", "not enough space in "),
        (b"dumped\nsize|1\n".ljust(HEAD), "; exit 1", "pg_dump failed"),
    ],
)
def test_nothing_is_left_of_one_elsewhere_that_failed(
    sh: Shell, tmp_path: Path, said: bytes, then: str, why: str
) -> None:
    program = f"sh -c '{prints(tmp_path, said, then).strip()}'\n"
    done = sh(f"set -eu\n{elsewhere(tmp_path / 'backups', program).script()}\necho went on")
    assert done.returncode != 0 and done.stdout.decode().startswith(why), done
    assert list((tmp_path / "backups").iterdir()) == []


def test_what_a_hostile_program_says_is_no_part_of_a_manifest(sh: Shell, tmp_path: Path) -> None:
    evil = b'rows|dag|5}, "fernet": [\nrows|"|7\nserver|$(id)\nrows|log|9\n' + SAYS.encode()
    done = sh(f"set -eu\n{elsewhere(tmp_path / 'backups', prints(tmp_path, evil.ljust(HEAD) + b'abc')).script()}")
    assert done.returncode == 0, done
    manifest = json.loads((tmp_path / "backups" / NAME / "manifest.json").read_text())
    assert (manifest["rows"], manifest["server"]) == ({"log": 9, "dag": 5, "xcom": 0}, "15.20")


PRUNED = PrunedBackups(PLACE, 1)


def test_old_backups_and_parts_are_removed() -> None:
    assert PRUNED.changes(Seen(f"{NAME}\n")) == []
    parts, old = PRUNED.changes(Seen(f"{OTHER}\n{NAME}\n20261129T005031Z-0000\n.new-{OTHER}\n.old-x\nother\n"))
    assert parts.summary == "remove what is left of a backup that was never finished"
    assert parts.script == f"cd /var/lib/aerodrome/backups\nrm -rf .new-{OTHER}"
    assert old.summary == f"remove the old backups {OTHER}, 20261129T005031Z-0000"
    assert old.script == (
        "cd /var/lib/aerodrome/backups\n"
        f"mv -T {OTHER} .old-{OTHER}\nrm -rf .old-{OTHER}\n"
        "mv -T 20261129T005031Z-0000 .old-20261129T005031Z-0000\nrm -rf .old-20261129T005031Z-0000"
    )


def test_what_pruning_asks(sh: Shell, tmp_path: Path) -> None:
    for name in (NAME, f".new-{OTHER}", f".old-{OTHER}", "other", "20261201T005031Z-1f3ab"):
        (tmp_path / name).mkdir()
    (tmp_path / OTHER).symlink_to("/")
    lines = sh(PrunedBackups(Place(str(tmp_path)), 1).probe()).stdout.decode().splitlines()
    found = [line for line in lines if not line.startswith("unsafe ")]
    assert found == [NAME, f".new-{OTHER}", f".old-{OTHER}"]


def test_a_directory_that_others_can_change_is_told(sh: Shell, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/usr")
    for folder, found in (
        ("/usr/lib", ""),
        ("/usr/lib/nothing/here", ""),
        ("/tmp/backups", "unsafe /tmp\n"),
        ("/etc/passwd", "unsafe /etc/passwd\n"),
        (f"{tmp_path}/link", f"unsafe {tmp_path}/link\n"),
    ):
        assert sh(Place(folder).ask()).stdout.decode() == found, folder


def test_sizes_are_written_as_people_do() -> None:
    assert [megabytes(size) for size in (0, 174_941, 31 << 20, 12 << 30)] == ["0.0 MB", "0.2 MB", "31.0 MB", "12.0 GB"]
