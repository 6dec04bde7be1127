"""PostgreSQL: what PostgreSQL 15.18 of Debian 12 printed, and the verifiers that it made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aerodrome.core.resource import Change, Seen
from aerodrome.core.undo import NOTHING, Undo
from aerodrome.errors import AerodromeError
from aerodrome.resources.files import File, write_whole
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
    identifier,
    literal,
    scram_verifier,
    sql,
    verifies,
)
from aerodrome.resources.postgres_access import RELOAD, AccessClosed, PostgresAccess
from aerodrome.resources.postgres_unit import PostgresDropin
from aerodrome.secrets import Secret
from tests.unit.make import AWKWARD, Shell, only_change, plain

PSQL = "runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d postgres <<'END_OF_FILE'\n"
SALT = bytes(range(16))

# CREATE ROLE … PASSWORD …, then SELECT rolpassword FROM pg_authid.
VERIFIERS = {
    AWKWARD: "SCRAM-SHA-256$4096:B1oF8puI+hKxmYePTKb5Mg=="
    "$bTuK26FJ+iioA+4vnNOBgNHo/Z3pp4d3pJZQTbVrjrM=:"
    "NTT3Bvv0LyghvyULSFbzwxYtHRnFf3bk4q9FQy9jQUA=",
    "plain": "SCRAM-SHA-256$4096:zOi//N1JG9YLheAuDdoi+Q=="
    "$fqLZS3xocJMzvqHCXfb1ZZS7QENVUw3QS7KQQH9xZgY=:"
    "sGkSVKA/X8Cqr56tNww57D/J0EBJksM4N0AzIpK/KvE=",
    # RFC 4013: a soft hyphen goes, a Roman nine becomes IX, a feminine ordinal a.
    "I\u00adX \u2168 \u00aa": "SCRAM-SHA-256$4096:1WOh8JeOutJR6N64goMS+A=="
    "$hHVPxP1P5si+VrpWVDU+AhmhXP5Jgd/QFMEOG1+ienU=:"
    "GTGPwboPJwXkBnG5nL/d9BEBEt7DpCzxGSJSVY2FdUk=",
    # Wide and no-break spaces become plain ones.
    "a\u00a0b\u3000c": "SCRAM-SHA-256$4096:RmJmHGpt8CoEzI08iPynlQ=="
    "$nzEl8iCe1G6rEXedTpqwXKwJLnTnSgeEsOZ6l4drwAs=:"
    "CoPIA3ehVuQj9VcLWgwZk98c57X61ORZmeRvUOkZ7J4=",
    # From right to left, and a digit at its end: refused by RFC 4013, taken as it is.
    "\u06271": "SCRAM-SHA-256$4096:km4VwUGDkKIkjeD9m5ePfQ=="
    "$ztzr5GzdrjvdaR8n+W2fnCsrKwfinzjHFdhhe8BPC9k=:"
    "Nxfeen8IyfAJOnWwAqNKoV4RJnXY56IruhAkL3ueRKY=",
    "\u0627x\u0628": "SCRAM-SHA-256$4096:dYU7EVz52trUvumx+lgX6Q=="
    "$07kanocWsyxcxNgmrP6Z2J7SlKF5xEpfLOaoZ8dyLkk=:"
    "b1Emwjplc4qgyEsf3Hrt3/DgM+FnRwe2FOGrlJO0mZ4=",
    "\u0627\u0628": "SCRAM-SHA-256$4096:R0/TgYRmtOfAybnotCFkCA=="
    "$HUfeLJzY5Pqn/ssTGARDx419UrF94f5lc0xVN3GI0KY=:"
    "xO1kUwO23iK4rEUvMVsfAtkc389zY9cJnw7rYmEcntQ=",
    # Control characters, private use and what Unicode 3.2 did not know yet are refused: taken as they are.
    "tab\tnewline\nend\u2168": "SCRAM-SHA-256$4096:LS9/2z/eoNHAawKWmdwXQQ=="
    "$HCeNA3JCiHAfY4lALfvLW2lOzJHAffvrwtsWYIV8CWM=:"
    "nUqIuh12OyztIMdc43WJcHamOVB7vkEX5gZkiicXY8Y=",
    "\ue000x\u2168": "SCRAM-SHA-256$4096:ZsYfXeb8j4jJpfyGZOHNBQ=="
    "$G1tPrOyH9enjIB6dTYCF8zH6iH+EmJswYyO/g2FNxp0=:"
    "fdSIwg934B7ExG78qAF0cQibNxgOQVcfMf+ZkC6N9/8=",
    "\U0001f600 emoji \u2168": "SCRAM-SHA-256$4096:QLb6v6Vz+VyE3S429tpsbw=="
    "$taCxW9yujQtfS5ipjIjB5AtyiqmMyXLFAXnuoS7z6b4=:"
    "QQCBooicla8FIvfFuS8cWl/DD3cCqY6XyXtCA03rxQE=",
    # Nothing is left of it: taken as it is.
    "\u00ad": "SCRAM-SHA-256$4096:hOe1coryetZpY1xQElNTFQ=="
    "$JCYzvBEQnIxV7kG0GxheUEnXeZUewQ9xGMUpQJsbLXo=:"
    "r0M9FBtB5VRlzAM2covQxailF/dpVSfgcwiQCEYnoeU=",
    "e\u0301": "SCRAM-SHA-256$4096:hFprK9rUQgXNigai0q+kvw=="
    "$17oD1cGtbY8Ji0BPbHaR6SBXqu+qXyznIhpilzyMv8A=:"
    "y+F7O/0DjiZq6WnhU5ETVYeRyNNfNh5X2A2Cab2UoYc=",
    "\u1e9b\u0323": "SCRAM-SHA-256$4096:L5xay6A6pHnzxGmnwzeTtg=="
    "$LZ0pGMPgjlJTC3tyT6kN3Kx2FOvn363A4IZsYVpYpDI=:"
    "0VeQlkukD7PQiU7qRhX4hMGvQglSwubtmQue8jtM2Wk=",
    # A zero-width space is in both tables, of spaces and of what goes: PostgreSQL asks the first one first.
    "a\uff21\u200bb": "SCRAM-SHA-256$4096:B96oqnRnhPEgPHmCJz+sIw=="
    "$uBeL8JF/wQYvBpUrxu61YMNXo2I73DIJaYqr2jWZ2Gs=:"
    "pOSKcfd1pvM7g/66p5mLaKYAMy9MqNBjs0fQwdNvSDE=",
    # An alef that is a symbol is written from left to right, until it is normalized: the same again.
    "\u21351": "SCRAM-SHA-256$4096:pmkhOWVt07xqEEf5xTmExg=="
    "$Z5Vd0tMwyttRB4s8EQ7RJspvkm1fWuQW5LZsLVAWmxQ=:"
    "p/mjw+Iz3cs3/PQSF4zFjL1nEpXwpZj/w7CYw64yweA=",
    # Forbidden letters that normalization would turn into allowed ones: PostgreSQL looks before it normalizes.
    "\u3002\ufe52\u2044\u0340\u0341": "SCRAM-SHA-256$4096:np2Ixs0tJo7azi1l3fJAXw=="
    "$pM4/uSEEBj7B5qG6HzswyaAjZSsxcaT8jTp/XNwwAJU=:RVTEK9qfLv9Vn4ym+Csezf69Q523FJ0D4YLTGsuD6yE=",
}


@pytest.mark.parametrize("password", VERIFIERS, ids=ascii)
def test_the_password_of_a_verifier_that_postgresql_made_is_recognised(password: str) -> None:
    assert verifies(Secret(password), VERIFIERS[password])


@pytest.mark.parametrize("password", ["Plain", "plain ", "p", ""])
def test_another_password_is_not(password: str) -> None:
    assert not verifies(Secret(password), VERIFIERS["plain"])


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "md55756bbe94391d42445c815edbd751a20",  # of a role m1 with the password `plain`
        "SCRAM-SHA-256$4096:zOi//N1JG9YLheAuDdoi+Q==",
        "SCRAM-SHA-256$many:zOi//N1JG9YLheAuDdoi+Q==$a:b",
        "SCRAM-SHA-256$4096:===$a:b",
        VERIFIERS["plain"].replace("SHA-256", "SHA-512"),
        VERIFIERS["plain"].replace("4096", "4095"),
    ],
)
def test_what_is_no_such_verifier_is_not_recognised(stored: str) -> None:
    assert not verifies(Secret("plain"), stored)


def test_a_new_verifier_is_the_one_that_postgresql_makes_with_this_salt() -> None:
    # RFC 7677's example: user `user`, password `pencil`; stored and server key as PostgreSQL writes them.
    salt = b"[m\x99h\x9d\x125\x8e\xec\xa0K\x14\x126\xfa\x81"  # W22ZaJ0SNY7soEsUEjb6gQ==
    assert scram_verifier(Secret("pencil"), salt) == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


def test_names_and_texts_are_quoted_for_sql() -> None:
    assert literal('it\'s \\ "so"') == "'it''s \\ \"so\"'"
    assert identifier('it\'s "so"') == '"it\'s ""so"""'


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


def answer(server: str = "5432|*|*|3|f", role: str = "", database: str = "", file: str = "") -> str:
    """Return what the probe prints: psql's rows, then pg_hba.conf."""
    rows = [f"server|{server}", *filter(None, (role, database)), f"hba|{HBA}|1795381650"]
    return "\n".join(rows) + f"\n{file or hba(THEIRS)}"


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


# Who may log in


LOGIN = Login("air-flow", "airflow", ("10.0.0.1", "fd00::1", "node.example.com"))
ACCESS = PostgresAccess((LOGIN,))
HBA = "/etc/postgresql/15/main/pg_hba.conf"
LINES = """\
# BEGIN aerodrome
host "airflow" "air-flow" 10.0.0.1/32 scram-sha-256
host "airflow" "air-flow" fd00::1/128 scram-sha-256
host "airflow" "air-flow" node.example.com scram-sha-256
# END aerodrome
"""
THEIRS = "local   all   all   peer\nhost    all   all   127.0.0.1/32   ident\n"


def hba(text: str, modified: int = 1795381644) -> str:
    return f"{modified}\nregular file|postgres|postgres|640\n{text}"


def test_nodes_that_may_log_in_need_nothing() -> None:
    assert ACCESS.changes(Seen(answer(file=hba(LINES + THEIRS)))) == []


def test_the_nodes_lines_come_first_and_the_others_stay() -> None:
    change = only_change(ACCESS, answer())
    assert change.summary == f"let 3 nodes log in ({HBA})"
    user, head, rest = change.script.split("\n", 2)
    # The directory is PostgreSQL's: what is done there is done as its user.
    assert user == "runuser -u postgres -- sh -eu 3<&- 9<&- <<'END_OF_FILE_'"
    assert head.endswith("run again'; exit 1; }")
    assert rest == (
        f"{write_whole(HBA, LINES + THEIRS, 'postgres', 'postgres', 0o640)}\n"
        "END_OF_FILE_\n"
        "runuser -u postgres -- psql -XAtqc 'SELECT pg_reload_conf()' postgres >/dev/null"
    )


OLD = 'host "airflow" "air-flow" 10.0.0.9/32 scram-sha-256'
WITH_OLD = LINES.replace("# END", f"{OLD}\n# END")


def test_a_line_of_the_block_stays_until_it_is_closed() -> None:
    access, closed = PostgresAccess((LOGIN,)), AccessClosed((LOGIN,))
    before = Seen(answer(file=hba(WITH_OLD + THEIRS)))
    assert access.changes(before) == []
    (change,) = closed.changes(before)
    assert change.summary == f"take 1 line for logins that no longer exist from {HBA}"
    assert [line for line in change.diff.splitlines()[3:] if line[0] in "+-"] == [f"-{OLD}"]
    assert change.script.endswith(RELOAD)

    after = Seen(answer(file=hba(LINES + THEIRS)))
    assert access.changes(after) == closed.changes(after) == []
    # Nothing is closed that nobody has opened: a first deploy, and a server that does not answer yet.
    assert closed.changes(Seen(answer())) == closed.changes(Seen("")) == []


def test_who_leaves_stays_beside_who_comes() -> None:
    new = replace(LOGIN, addresses=("10.0.0.1", "10.0.0.2"))
    change = only_change(PostgresAccess((new,)), answer(file=hba(LINES + THEIRS)))
    assert [line for line in change.diff.splitlines()[3:] if line[0] in "+-"] == [f"+{new.lines()[1]}"]
    # In whatever place: only to close it is worth a change.
    first = LINES.replace("# BEGIN aerodrome\n", f"# BEGIN aerodrome\n{OLD}\n")
    assert ACCESS.changes(Seen(answer(file=hba(first + THEIRS)))) == []


def test_a_line_that_somebody_has_outside_the_block_is_none_of_ours() -> None:
    for text in (f"{OLD}\n{LINES}{THEIRS}", f"{LINES}{OLD}\n{THEIRS}"):
        seen = Seen(answer(file=hba(text)))
        assert ACCESS.changes(seen) == AccessClosed((LOGIN,)).changes(seen) == []


def test_lines_that_were_written_but_not_loaded_are_loaded() -> None:
    # The run before was killed between the two.
    assert plain(ACCESS.changes(Seen(answer(file=hba(LINES + THEIRS, modified=1795381651))))) == [
        Change("reload PostgreSQL (pg_hba.conf is newer)", RELOAD)
    ]


def test_without_a_server_access_is_worked_out_later() -> None:
    assert plain(ACCESS.changes(Seen(""))) == [Change("let 3 nodes log in (pg_hba.conf)", "")]


def test_the_probe_reads_the_file_that_the_server_names(sh: Shell, tmp_path: object) -> None:
    path = f"{tmp_path}/pg hba.conf"
    with open(path, "w") as file:
        file.write(LINES + THEIRS)
    done = sh(
        ACCESS.probe(), programs={"runuser": f"cat >/dev/null; echo 'server|1|*|f'; echo 'hba|{path}|1795381650'"}
    )
    server, head, modified, stat, text = done.stdout.decode().split("\n", 4)
    assert (server, head) == ("server|1|*|f", f"hba|{path}|1795381650")
    assert int(modified) > 0
    assert stat.startswith("regular file|")
    assert text == LINES + THEIRS


# Role and database


ACCOUNT = PostgresAccount("air-flow", Secret("plain"), "air$flow", SALT)
ROLE = f"role air-flow|t|{VERIFIERS['plain']}"
NEW = scram_verifier(Secret("plain"), SALT)


def test_a_role_with_the_right_password_and_its_database_need_nothing() -> None:
    assert ACCOUNT.changes(Seen(answer(role=ROLE, database="database air$flow|air-flow|t"))) == []


def test_role_and_database_are_made() -> None:
    assert plain(ACCOUNT.changes(Seen(answer()))) == [
        Change("make role air-flow", f"{PSQL}CREATE ROLE \"air-flow\" LOGIN PASSWORD '{NEW}';\nEND_OF_FILE"),
        Change(
            "make database air$flow, owned by air-flow",
            f'{PSQL}CREATE DATABASE "air$flow" OWNER "air-flow" '
            "TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';\nEND_OF_FILE",
        ),
    ]


@pytest.mark.parametrize(
    "role",
    [
        f"role air-flow|t|{VERIFIERS[AWKWARD]}",
        f"role air-flow|f|{VERIFIERS['plain']}",  # may not log in
        "role air-flow|t|",  # has no password
        "role air-flow|t|md55756bbe94391d42445c815edbd751a20",
    ],
)
def test_a_role_with_another_password_gets_this_one(role: str) -> None:
    assert plain(ACCOUNT.changes(Seen(answer(role=role, database="database air$flow|air-flow|t")))) == [
        Change(
            "set the password of role air-flow",
            f"{PSQL}ALTER ROLE \"air-flow\" LOGIN PASSWORD '{NEW}';\nEND_OF_FILE",
        )
    ]


def test_a_database_of_another_owner_is_given_over() -> None:
    change = only_change(ACCOUNT, answer(role=ROLE, database="database air$flow|we|rd"))
    assert change.script == f'{PSQL}ALTER DATABASE "air$flow" OWNER TO "air-flow";\nEND_OF_FILE'


PRIVATE = PostgresAccount("air-flow", Secret("plain"), "air$flow", SALT, private=True)
REVOKE = 'REVOKE CONNECT ON DATABASE "air$flow" FROM PUBLIC;'


def test_a_private_database_is_closed_to_all_others_when_it_is_made() -> None:
    assert PRIVATE.changes(Seen(answer(role=ROLE)))[0].script.endswith(f"'C';\n{REVOKE}\nEND_OF_FILE")


def test_a_database_that_is_to_be_private_is_closed_to_all_others() -> None:
    there = Seen(answer(role=ROLE, database="database air$flow|air-flow|t"))
    change = only_change(PRIVATE, there.text)
    assert change.summary == "let no other role connect to database air$flow"
    assert change.script == f"{PSQL}{REVOKE}\nEND_OF_FILE"
    assert PRIVATE.changes(Seen(answer(role=ROLE, database="database air$flow|air-flow|f"))) == []
    assert ACCOUNT.changes(there) == []


def test_without_a_server_the_account_is_worked_out_later() -> None:
    assert plain(ACCOUNT.changes(Seen(""))) == [Change("make role air-flow and database air$flow", "")]


def test_the_password_itself_is_in_no_script() -> None:
    account = PostgresAccount("airflow", Secret("secret-password"), "airflow", SALT)
    shown = account.probe() + "".join(f"{change}" for change in account.changes(Seen(answer())))
    assert "secret-password" not in shown
    assert "secret-password" not in repr(account)


def test_a_password_made_now_does_not_replace_one_that_a_role_has() -> None:
    stored = scram_verifier(Secret("another"), b"0" * 16)
    account = PostgresAccount("airflow", Secret("new"), "airflow", b"1" * 16, made=True)
    with pytest.raises(AerodromeError, match="with a password that is unknown here"):
        account.changes(Seen(answer(role=f"role airflow|t|{stored}", database="database airflow|airflow|t")))
    assert [
        change.summary
        for change in account.changes(Seen(answer(role="role airflow|t|", database="database airflow|airflow|t")))
    ] == ["set the password of role airflow"]
    known = PostgresAccount("airflow", Secret("another"), "airflow", b"1" * 16, made=True)
    assert known.changes(Seen(answer(role=f"role airflow|t|{stored}", database="database airflow|airflow|t"))) == []


def test_a_role_whose_password_only_the_nodes_know_is_left_alone() -> None:
    account = PostgresAccount("air-flow", None, "air$flow", SALT)
    for role in (
        f"role air-flow|t|{VERIFIERS['plain']}",
        "role air-flow|f|",
        "role air-flow|t|md55756bbe94391d42445c815edbd751a20",
    ):
        assert account.changes(Seen(answer(role=role, database="database air$flow|air-flow|t"))) == []
    assert only_change(account, answer(role=ROLE)).summary == "make database air$flow, owned by air-flow"
    assert plain(account.changes(Seen(""))) == [Change("make role air-flow and database air$flow", "")]


def test_a_role_is_not_made_without_a_password() -> None:
    with pytest.raises(AerodromeError) as caught:
        PostgresAccount("air-flow", None, "air$flow", SALT).changes(
            Seen(answer(database="database air$flow|air-flow|t"))
        )
    assert caught.value.message == "there is no role air-flow, and its password is unknown here"
    assert caught.value.hint == (
        "set it once, in addition to the command: database.password in hosts.yaml (or create the role by hand)"
    )


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
