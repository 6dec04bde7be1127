"""The record of an upgrade, and the copy of the database: scripts as a whole."""

from __future__ import annotations

import pytest

from aerodrome.core.resource import Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.upgrade import CopiedDatabase, NoUpgradeRecord, UpgradeRecord
from tests.unit.make import only_change

RUN, KEPT = "20261201T040850Z-1c08", "me'ta_before_20261201t040850z"
BEGUN = UpgradeRecord(RUN, "2.11.2", "3.3.2")
DONE = UpgradeRecord(RUN, "2.11.2", "3.3.2", done=True)
COPIED = CopiedDatabase("me'ta", "air-flow", KEPT)
PSQL = "runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d postgres <<'END_OF_FILE'\n"
ENDS = "DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname ="


def test_an_upgrade_is_recorded_as_begun_and_then_as_done() -> None:
    change = only_change(BEGUN, "")
    assert change.summary == "record that the upgrade to 3.3.2 is begun"
    assert f"printf '%s\\n' '{RUN} 2.11.2 3.3.2 begun' >\"$temporary\"" in change.script
    assert BEGUN.changes(Seen(f"{RUN} 2.11.2 3.3.2 begun\n")) == []
    assert only_change(DONE, f"{RUN} 2.11.2 3.3.2 begun\n").summary == "record that the upgrade to 3.3.2 is done"
    assert DONE.changes(Seen(f"{RUN} 2.11.2 3.3.2 done\n")) == BEGUN.changes(Seen(f"{RUN} 2.11.2 3.3.2 done\n")) == []
    assert "cp -p" not in change.script
    after_another = only_change(BEGUN, "20261101T040850Z-1c08 1.10.10 2.11.2 done\n")
    assert "cp -p /var/lib/aerodrome/upgrade /var/lib/aerodrome/upgrade.previous\n" in after_another.script


def test_one_that_leaves_the_database_as_it_is_is_recorded_as_such() -> None:
    begun, done = (UpgradeRecord(RUN, "3.3.1", "3.3.2", over, rolling=True) for over in (False, True))
    change = only_change(begun, "")
    assert change.summary == "record that the upgrade to 3.3.2 is begun"
    assert f"printf '%s\\n' '{RUN} 3.3.1 3.3.2 rolling' >\"$temporary\"" in change.script
    assert only_change(done, f"{RUN} 3.3.1 3.3.2 rolling\n").summary == "record that the upgrade to 3.3.2 is done"
    assert done.changes(Seen(f"{RUN} 3.3.1 3.3.2 rolled\n")) == []


def test_an_upgrade_that_was_taken_back_is_not_recorded() -> None:
    assert only_change(NoUpgradeRecord(RUN), f"{RUN} 2.11.2 3.3.2 begun\n").script == (
        "if [ -e /var/lib/aerodrome/upgrade.previous ]; then mv /var/lib/aerodrome/upgrade.previous"
        " /var/lib/aerodrome/upgrade; else rm -f /var/lib/aerodrome/upgrade; fi"
    )
    assert NoUpgradeRecord(RUN).changes(Seen("")) == []
    assert NoUpgradeRecord(RUN).changes(Seen("20261101T040850Z-1c08 1.10.10 2.11.2 done\n")) == []


def test_the_server_copies_a_database_that_nobody_uses() -> None:
    change = only_change(COPIED, "size|1000\nfree|1000000|4096\n")
    assert change.summary == "copy database me'ta"
    assert change.script == (
        f"copy() {{\n{PSQL}"
        "SET client_min_messages = warning;\n"
        "SELECT 'ALTER DATABASE aerodrome_scratch ALLOW_CONNECTIONS false' FROM pg_database "
        "WHERE datname = 'aerodrome_scratch' \\gexec\n"
        f"{ENDS} 'aerodrome_scratch'; END $$;\n"
        "DROP DATABASE IF EXISTS aerodrome_scratch;\n"
        "DROP ROLE IF EXISTS aerodrome_scratch;\n"
        'ALTER DATABASE "me\'ta" ALLOW_CONNECTIONS false;\n'
        f"{ENDS} 'me''ta'; END $$;\n"
        'CREATE DATABASE aerodrome_scratch OWNER "air-flow" TEMPLATE "me\'ta";\n'
        "REVOKE ALL ON DATABASE aerodrome_scratch FROM PUBLIC;\nEND_OF_FILE\n}\n"
        f"copy || {{\n{PSQL}"
        'ALTER DATABASE "me\'ta" ALLOW_CONNECTIONS true;\nEND_OF_FILE\nexit 1\n}'
    )


def test_it_is_copied_once() -> None:
    assert COPIED.changes(Seen("kept\n")) == []


def test_a_copy_needs_half_as_much_space_again() -> None:
    with pytest.raises(AerodromeError, match=r"not enough space for a copy of the database: 1171\.9 MB are free"):
        COPIED.changes(Seen("size|1000000000\nfree|300000|4096\n"))
    with pytest.raises(AerodromeError, match="PostgreSQL does not answer, or has no database me'ta"):
        COPIED.changes(Seen("\n"))
