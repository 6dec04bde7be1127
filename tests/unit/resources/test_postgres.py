"""A PostgreSQL server: whether it runs, and on which addresses it listens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aerodrome.core.resource import Change, Seen
from aerodrome.core.undo import NOTHING, Undo
from aerodrome.errors import AerodromeError
from aerodrome.resources.files import File
from aerodrome.resources.postgres import (
    CLIENTS,
    NEWER,
    RESTART,
    START,
    WRITTEN,
    Answer,
    Login,
    PostgresAccount,
    PostgresServer,
    ask,
    sql,
)
from aerodrome.resources.postgres_access import AccessClosed, PostgresAccess
from aerodrome.resources.postgres_unit import PostgresDropin
from tests.unit.make import Shell, only_change, plain
from tests.unit.resources.database import ACCESS, ACCOUNT, LINES, PSQL, SALT, THEIRS, answer, hba


def test_a_statement_goes_in_on_stdin() -> None:
    assert sql("SELECT 1;\n") == PSQL + "SELECT 1;\nEND_OF_FILE"


# What all three ask


def test_the_probe_as_a_whole() -> None:
    assert ask([Login("it's", "a'b"), Login("two", "b")]) == (
        "psql=psql; set -- /etc/postgresql/*/*/; [ $# != 1 ] || for real in /usr/lib/postgresql/*/bin/psql; do "
        '[ ! -x "$real" ] || psql=$real; done\n'
        "query() {\n"
        "exec runuser -u postgres -- \"$psql\" -XAtq -v ON_ERROR_STOP=1 -d postgres <<'END_OF_FILE'\n"
        "SELECT 'server', current_setting('port'), current_setting('listen_addresses'), coalesce((SELECT setting FROM "
        "pg_file_settings WHERE name = 'listen_addresses' ORDER BY seqno DESC LIMIT 1), 'localhost'), (SELECT count(*) "
        "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()), "
        "(SELECT coalesce(max(modification) > pg_postmaster_start_time(), false) "
        "FROM unnest(ARRAY['/etc/systemd/system/postgresql@.service.d/10-aerodrome.conf', "
        "'/etc/systemd/system/postgresql.service.d/10-aerodrome.conf']) AS path, pg_stat_file(path, true)); "
        "SELECT 'role ' || rolname, rolcanlogin, rolpassword FROM pg_authid WHERE rolname IN ('it''s', 'two'); "
        "SELECT 'database ' || datname, pg_get_userbyid(datdba), has_database_privilege('public', oid, 'CONNECT') "
        "FROM pg_database WHERE datname IN ('a''b', 'b'); "
        "SELECT 'hba', current_setting('hba_file'), extract(epoch FROM pg_conf_load_time())::bigint;\n"
        "END_OF_FILE\n}\n"
        'rows=$(query); [ -n "$rows" ] || [ "$psql" = psql ] || { psql=psql; rows=$(query); }\n'
        'if [ -n "$rows" ]; then echo "$rows"; hba=${rows##*hba|}; hba=${hba%|*}; stat -c %Y "$hba"; '
        'stat -c \'%F|%U|%G|%a\' "$hba"; dd if="$hba" iflag=nofollow,nonblock,fullblock,count_bytes '
        "bs=64K count=4194304 status=none; fi"
    )


def test_one_session_serves_all_three() -> None:
    logins = (Login("air-flow", "air$flow", ("10.0.0.1",)), Login("celery", "celery"))
    server, access, closed = PostgresServer(5432, logins), PostgresAccess(logins), AccessClosed(logins)
    account = PostgresAccount("celery", None, "celery", SALT, logins=logins)
    assert {each.probe() for each in (server, access, closed, account)} == {ask(logins)}
    assert ACCOUNT.probe() == ask([Login("air-flow", "air$flow")])


def test_an_answer_is_rows_and_a_file() -> None:
    # As PostgreSQL 15.18 of Debian 12 gave it, the file shortened.
    text = (
        "server|5432|*|*|3|f\nrole airflow|t|SCRAM-SHA-256$4096:a==$b=:c=\ndatabase airflow|airflow|t\n"
        "hba|/etc/postgresql/15/main/pg_hba.conf|1795381650\n"
        "1795381644\nregular file|postgres|postgres|640\n# server|1\nlocal all all peer\n"
    )
    assert Answer.parse(text) == Answer(
        {
            "server": ["5432", "*", "*", "3", "f"],
            "role airflow": ["t", "SCRAM-SHA-256$4096:a==$b=:c="],
            "database airflow": ["airflow", "t"],
            "hba": ["/etc/postgresql/15/main/pg_hba.conf", "1795381650"],
        },
        "1795381644\nregular file|postgres|postgres|640\n# server|1\nlocal all all peer\n",
    )
    assert Answer.parse("") == Answer({}, "")


# The server


SERVER = PostgresServer(5432, (Login("airflow", "airflow"),))


@pytest.mark.parametrize("addresses", ["*", "0.0.0.0", "localhost, *", "0.0.0.0,::"])
def test_a_server_that_listens_on_the_network_needs_nothing(addresses: str) -> None:
    assert SERVER.changes(Seen(answer(f"5432|{addresses}|{addresses}|0|f"))) == []


def test_a_server_that_does_not_answer_is_started() -> None:
    assert plain(SERVER.changes(Seen(""))) == [Change("start PostgreSQL, at boot too", START)]


def test_starting_makes_the_data_directory_where_the_package_leaves_that_to_us() -> None:
    answers = "runuser -u postgres -- psql -XAtqc 'SELECT 1' postgres >/dev/null 2>&1"
    whole = (
        "if command -v postgresql-setup >/dev/null; then\n"
        "data=$(systemctl show -p Environment --value postgresql | tr ' ' '\\n' | sed -n 's/^PGDATA=//p')\n"
        '[ -s "${data:-/var/lib/pgsql/data}/PG_VERSION" ] || postgresql-setup --initdb\n'
        "fi\n"
        "systemctl enable postgresql\n"
        f"{answers} || systemctl restart postgresql\n"
        f"for _ in $(seq 60); do ! {answers} || break; sleep 0.5; done\n"
        f"{answers}"
    )
    assert whole == START


def test_a_server_that_listens_to_itself_only_is_told_to_listen() -> None:
    assert plain(PostgresServer(25999, (Login("a", "b"),)).changes(Seen(answer("25999|127.0.0.1|127.0.0.1|0|f")))) == [
        Change(
            "listen on the network, restart PostgreSQL",
            f"{PSQL}ALTER SYSTEM SET listen_addresses = '*';\nEND_OF_FILE\n{RESTART}",
            "-listen_addresses = '127.0.0.1'\n+listen_addresses = '*'",
        )
    ]


def test_a_server_that_was_told_and_not_restarted_is_restarted() -> None:
    assert plain(SERVER.changes(Seen(answer("5432|localhost|*|2|f")))) == [
        Change("restart PostgreSQL (listen_addresses was changed)", RESTART, interrupts=True)
    ]


# A fleet that was deployed before PostgreSQL listened on one address only
MINE = PostgresServer(5432, (Login("airflow", "airflow"),), ("10.0.0.1", "127.0.0.1"))


BOTH = "10.0.0.1,127.0.0.1"


ALTER = f"{PSQL}ALTER SYSTEM SET listen_addresses = '{BOTH}';\nEND_OF_FILE"


DIFF = f"-listen_addresses = '*'\n+listen_addresses = '{BOTH}'"


def test_where_somebody_is_connected_the_restart_is_left_to_another_day() -> None:
    assert plain(MINE.changes(Seen(answer("5432|*|*|7|t")))) == [
        Change(
            f"listen on {BOTH} only, from PostgreSQL's next restart on (7 are connected: fab stop, then fab deploy)",
            ALTER,
            DIFF,
        )
    ]
    assert MINE.changes(Seen(answer(f"5432|*|{BOTH}|7|t"))) == []
    assert MINE.changes(Seen(answer(f"5432|{BOTH}|{BOTH}|7|f"), frozenset({"postgresql drop-in"}))) == []


def test_where_nobody_is_it_is_restarted_now() -> None:
    assert plain(MINE.changes(Seen(answer("5432|*|*|0|f")))) == [
        Change(f"listen on {BOTH} only, restart PostgreSQL", f"{ALTER}\n{RESTART}", DIFF)
    ]
    for seen, reason in (
        (Seen(answer(f"5432|*|{BOTH}|0|f")), "listen_addresses was changed"),
        (Seen(answer(f"5432|{BOTH}|{BOTH}|0|t")), "its drop-in was changed"),
        (Seen(answer(f"5432|{BOTH}|{BOTH}|0|f"), frozenset({"postgresql drop-in"})), "its drop-in was changed"),
        (Seen(answer(f"5432|*|{BOTH}|0|t")), "listen_addresses was changed, its drop-in was changed"),
    ):
        assert plain(MINE.changes(seen)) == [Change(f"restart PostgreSQL ({reason})", RESTART, interrupts=True)]
    assert MINE.changes(Seen(answer("5432|127.0.0.1, 10.0.0.1|127.0.0.1, 10.0.0.1|0|f"))) == []


def test_a_server_that_the_fleet_cannot_reach_is_restarted_whoever_is_connected() -> None:
    (change,) = MINE.changes(Seen(answer("5432|localhost|localhost|7|f")))
    assert change.script == f"{ALTER}\n{RESTART}"


@pytest.mark.parametrize("running", ["10.0.0.9,127.0.0.1", "::1,10.0.0.9"])
def test_a_server_that_moves_while_it_is_in_use_is_refused(running: str) -> None:
    with pytest.raises(AerodromeError) as raised:
        MINE.changes(Seen(answer(f"5432|{running}|{BOTH}|7|f")))
    assert raised.value.message == (
        f"PostgreSQL has to restart to listen on {BOTH} instead of {running}, and 7 are connected: "
        "running tasks would fail"
    )
    assert raised.value.hint.startswith("run fab stop, which waits for running tasks")
    with pytest.raises(AerodromeError):
        SERVER.changes(Seen(answer("5432|10.0.0.1,127.0.0.1|10.0.0.1,127.0.0.1|1|f")))
    (change,) = MINE.changes(Seen(answer(f"5432|{running}|{running}|0|f")))
    assert change.script == f"{ALTER}\n{RESTART}"


@pytest.mark.parametrize("addresses", ["*", "0.0.0.0, ::", "10.0.0.1,127.0.0.1,10.9.9.9"])
def test_a_server_that_was_there_may_listen_elsewhere_too(addresses: str) -> None:
    theirs = replace(MINE, only=False)
    assert theirs.changes(Seen(answer(f"5432|{addresses}|{addresses}|0|f"))) == []
    assert len(theirs.changes(Seen(answer("5432|10.9.9.9|10.9.9.9|0|f")))) == 1


def test_the_drop_in_goes_where_the_distribution_has_the_server(sh: Shell) -> None:
    dropin = PostgresDropin("new\n")
    path = "/etc/systemd/system/{}.d/10-aerodrome.conf"
    for unit in ("postgresql@.service", "postgresql.service"):
        (change,) = dropin.changes(Seen(path.format(unit) + "\nregular file|root|root|644\nold\n"))
        assert (
            change
            == File(path.format(unit), "new\n", reload=True).changes(Seen("regular file|root|root|644\nold\n"))[0]
        )
        assert dropin.changes(Seen(path.format(unit) + "\nregular file|root|root|644\nnew\n")) == []
    assert sh(dropin.probe(), programs={"apt-get": ":"}).stdout.decode().startswith(path.format("postgresql@.service"))


def test_a_server_on_another_port_is_left_alone() -> None:
    with pytest.raises(AerodromeError) as caught:
        SERVER.changes(Seen(answer("5433|*|*|0|f")))
    assert (caught.value.message, caught.value.hint) == (
        "PostgreSQL listens on port 5433, but hosts.yaml says 5432",
        "set database.port: 5433",
    )


def test_starting_waits_until_the_server_answers(sh: Shell, tmp_path: object) -> None:
    runuser = f'echo asked >>{tmp_path}/log; [ "$(grep -c asked {tmp_path}/log)" -gt 3 ]'
    systemctl = f'echo "$@" >>{tmp_path}/log'
    programs = {"runuser": runuser, "systemctl": systemctl, "sleep": ":"}
    assert sh(f"set -eu\n{START}", programs=programs).returncode == 0
    log = sh(f"grep -v asked {tmp_path}/log").stdout.decode().splitlines()
    assert log == ["enable postgresql", "restart postgresql"]


@pytest.mark.parametrize("made, said", [(False, b"--initdb\n"), (True, b"")])
def test_the_data_directory_is_made_once_and_where_the_unit_says(
    sh: Shell, tmp_path: Path, made: bool, said: bytes
) -> None:
    if made:
        (tmp_path / "PG_VERSION").write_text("16\n")
    # What systemd 252 prints of Fedora's unit.
    environment = f"PG_OOM_ADJUST_FILE=/proc/self/oom_score_adj PG_OOM_ADJUST_VALUE=0 PGDATA={tmp_path}"
    systemctl = f'[ "$1" != show ] || echo "{environment}"'
    programs = {"runuser": "exit 0", "systemctl": systemctl, "postgresql-setup": 'echo "$@"'}
    done = sh(f"set -eu\n{START}", programs=programs)
    assert (done.returncode, done.stdout) == (0, said)


def test_a_data_directory_that_cannot_be_made_is_a_failure(sh: Shell) -> None:
    programs = {"runuser": "exit 0", "systemctl": "exit 0", "postgresql-setup": "exit 1"}
    assert sh(f"set -eu\n{START}", programs=programs).returncode == 1


def test_a_server_that_never_answers_is_a_failure(sh: Shell) -> None:
    programs = {"runuser": "exit 2", "systemctl": ":", "sleep": ":"}
    assert sh(f"set -eu\n{START}", programs=programs).returncode == 2


# Ways back


def test_listen_addresses_are_set_back_and_a_server_in_use_does_not_restart() -> None:
    change = only_change(MINE, answer("5432|*|*|7|t"))
    unused = (
        f'if [ "$({PSQL}SELECT {CLIENTS};\nEND_OF_FILE\n)" = 0 ]; then\n{RESTART}\n'
        'else echo "@note: PostgreSQL is in use: it takes this over at its next restart"; fi'
    )
    assert change.undo == Undo(
        "set PostgreSQL's listen_addresses back to *",
        f"{PSQL}ALTER SYSTEM SET listen_addresses = '*';\nEND_OF_FILE\n{unused}",
        f"{PSQL}SELECT {WRITTEN};\nEND_OF_FILE",
        "*",
        BOTH,
    )
    again = only_change(MINE, answer(f"5432|{BOTH}|{BOTH}|0|t"))
    assert again.undo == Undo(
        "restart PostgreSQL",
        unused,
        f"{PSQL}SELECT CASE WHEN {NEWER} AND {CLIENTS} = 0 THEN 'outdated' ELSE 'current' END;\nEND_OF_FILE",
        "current",
        "outdated",
        after=("drop-in",),
        late=True,
    )


def test_roles_and_databases_have_no_way_back_and_a_reload_needs_none() -> None:
    assert [change.undo for change in ACCOUNT.changes(Seen(answer()))] == [None, None]
    assert only_change(ACCESS, answer(file=hba(LINES + THEIRS, modified=1795381651))).undo == NOTHING
