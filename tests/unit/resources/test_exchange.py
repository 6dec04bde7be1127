"""A restored database takes the place of the real one, and the way back: the statements as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.core.resource import Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.exchange import Exchanged, ExchangedBack, NoDatabase, is_kept, kept_name
from tests.unit.make import Shell, only_change

KEPT = "me'ta_before_20261201t010000z"
PSQL = "runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d postgres <<'END_OF_FILE'\n"
AGAIN = "\nEND_OF_FILE\n}\nexchange || { sleep 1; exchange; } || { sleep 1; exchange; }"
ENDS = "DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname ="
EXCHANGED = Exchanged("me'ta", KEPT)
SCRIPT = f"""\
exchange() {{
{PSQL}\
ALTER DATABASE "me'ta" ALLOW_CONNECTIONS false;
{ENDS} 'me''ta'; END $$;
{ENDS} 'aerodrome_scratch'; END $$;
BEGIN;
INSERT INTO pg_db_role_setting SELECT new.oid, setrole, setconfig FROM pg_db_role_setting
JOIN pg_database AS old ON old.oid = setdatabase AND old.datname = 'me''ta'
JOIN pg_database AS new ON new.datname = 'aerodrome_scratch';
SELECT format('GRANT %s ON DATABASE aerodrome_scratch TO %s%s', privilege_type,
CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) WHERE datname = 'me''ta' \\gexec
ALTER DATABASE "me'ta" RENAME TO "{KEPT}";
ALTER DATABASE aerodrome_scratch RENAME TO "me'ta";
COMMIT;{AGAIN} || {{
{PSQL}ALTER DATABASE "me'ta" ALLOW_CONNECTIONS true;
END_OF_FILE
exit 1
}}"""
BACK = f"""\
exchange() {{
{PSQL}\
ALTER DATABASE "me'ta" ALLOW_CONNECTIONS false;
{ENDS} 'me''ta'; END $$;
{ENDS} 'me''ta_before_20261201t010000z'; END $$;
BEGIN;
ALTER DATABASE "me'ta" RENAME TO aerodrome_scratch;
ALTER DATABASE "{KEPT}" RENAME TO "me'ta";
ALTER DATABASE "me'ta" ALLOW_CONNECTIONS true;
COMMIT;{AGAIN}"""


def test_the_names_are_exchanged_in_one_transaction() -> None:
    change = only_change(EXCHANGED, "aerodrome_scratch\nme'ta\n")
    assert change.summary == f"keep database me'ta as {KEPT}, and use the restored one"
    assert change.script == SCRIPT
    assert EXCHANGED.probe() == (
        f"{PSQL}SELECT datname FROM pg_database WHERE datname IN ('me''ta', 'me''ta_before_20261201t010000z', "
        "'aerodrome_scratch') ORDER BY 1;\nEND_OF_FILE"
    )


def test_it_is_planned_before_the_copy_is_there_and_done_once() -> None:
    assert only_change(EXCHANGED, "me'ta\n").script == SCRIPT
    assert EXCHANGED.changes(Seen(f"me'ta\n{KEPT}\n")) == []
    with pytest.raises(AerodromeError, match="there is no database me'ta, or PostgreSQL does not answer"):
        EXCHANGED.changes(Seen(""))


def test_the_way_back() -> None:
    back = ExchangedBack("me'ta", KEPT)
    assert back.changes(Seen("")) == []
    for seen in ("kept\n", "kept\nclosed\n"):
        change = only_change(back, seen)
        assert (change.summary, change.script) == ("use database me'ta as it was before", BACK)
    opens = f'{PSQL}ALTER DATABASE "me\'ta" ALLOW_CONNECTIONS true;\nEND_OF_FILE'
    assert only_change(back, "closed\n").script == opens


@pytest.mark.parametrize("fails, code, calls", [(0, 0, 1), (2, 0, 3), (3, 1, 4)])
def test_it_is_tried_three_times_and_then_the_database_is_opened_again(
    sh: Shell, tmp_path: Path, fails: int, code: int, calls: int
) -> None:
    script = only_change(EXCHANGED, "me'ta\n").script
    (tmp_path / "left").write_text("x" * fails)
    program = (
        f"cat >{tmp_path}/last; echo x >>{tmp_path}/calls; [ -s {tmp_path}/left ] || exit 0; "
        f"truncate -s -1 {tmp_path}/left; exit 3"
    )
    done = sh(f"set -eu\n{script}", programs={"runuser": program, "sleep": ""})
    assert (done.returncode, len((tmp_path / "calls").read_text().splitlines())) == (code, calls)
    opened = (tmp_path / "last").read_text() == 'ALTER DATABASE "me\'ta" ALLOW_CONNECTIONS true;\n'
    assert opened == bool(code)


def test_a_database_that_was_kept_is_dropped() -> None:
    resource = NoDatabase("a_before_20261201t010000z")
    assert resource.changes(Seen("")) == []
    assert only_change(resource, "there\n").script == (
        f'{PSQL}ALTER DATABASE "a_before_20261201t010000z" ALLOW_CONNECTIONS false;\n'
        f"{ENDS} 'a_before_20261201t010000z'; END $$;\n"
        'DROP DATABASE "a_before_20261201t010000z";\nEND_OF_FILE'
    )


def test_only_names_of_our_own_are_those_of_databases_that_were_kept() -> None:
    name = kept_name("air$flow", "20261201T010000Z-1f3a")
    assert name == "air$flow_before_20261201t010000z"
    assert is_kept("air$flow", name)
    for other in ("airflow_before_20261201t010000z", f"{name}2", "air$flow_before_upgrade", "air$flow"):
        assert not is_kept("air$flow", other)
