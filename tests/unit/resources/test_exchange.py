"""A restored database takes the place of the real one, and the way back: the statements as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.core.resource import Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.exchange import Exchanged, ExchangedBack, NoDatabase, is_kept, kept_name
from tests.unit.make import Shell, only_change

KEPT = "me'ta_before_20261201T010000Z"
PSQL = "runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d postgres <<'END_OF_FILE'\n"
AGAIN = "\nEND_OF_FILE\n}\nexchange || { sleep 1; exchange; } || { sleep 1; exchange; }"
EXCHANGED = Exchanged("me'ta", KEPT)
SCRIPT = f"""\
exchange() {{
{PSQL}\
DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ('me''ta', 'aerodrome_scratch'); \
END $$;
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
ALTER DATABASE "{KEPT}" ALLOW_CONNECTIONS false;
COMMIT;{AGAIN}"""
BACK = f"""\
exchange() {{
{PSQL}\
DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ('me''ta', \
'me''ta_before_20261201T010000Z'); END $$;
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
        f"{PSQL}SELECT datname FROM pg_database WHERE datname IN ('me''ta', 'me''ta_before_20261201T010000Z', "
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
    change = only_change(back, f"{KEPT}\n")
    assert (change.summary, change.script) == ("use database me'ta as it was before", BACK)


def test_a_session_that_comes_in_between_is_ended_by_the_next_attempt(sh: Shell, tmp_path: Path) -> None:
    script = only_change(EXCHANGED, "me'ta\n").script
    for fails, code in ((0, 0), (2, 0), (3, 1)):
        (tmp_path / "left").write_text("x" * fails)
        program = f"cat >/dev/null; [ -s {tmp_path}/left ] || exit 0; truncate -s -1 {tmp_path}/left; exit 3"
        assert sh(f"set -eu\n{script}", programs={"runuser": program, "sleep": ""}).returncode in ((0,), (1, 3))[code]


def test_a_database_that_was_kept_is_dropped() -> None:
    resource = NoDatabase("a_before_20261201T010000Z")
    assert resource.changes(Seen("")) == []
    assert only_change(resource, "there\n").script == (
        f'{PSQL}ALTER DATABASE "a_before_20261201T010000Z" ALLOW_CONNECTIONS false;\n'
        "DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN "
        "('a_before_20261201T010000Z'); END $$;\n"
        'DROP DATABASE "a_before_20261201T010000Z";\nEND_OF_FILE'
    )


def test_only_names_of_our_own_are_those_of_databases_that_were_kept() -> None:
    name = kept_name("air$flow", "20261201T010000Z-1f3a")
    assert name == "air$flow_before_20261201T010000Z"
    assert is_kept("air$flow", name)
    for other in ("airflow_before_20261201T010000Z", f"{name}2", "air$flow_before_upgrade", "air$flow"):
        assert not is_kept("air$flow", other)
