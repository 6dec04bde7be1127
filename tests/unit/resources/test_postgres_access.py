"""Who may log in to PostgreSQL: the lines of pg_hba.conf."""

from __future__ import annotations

from dataclasses import replace

from aerodrome.core.resource import Change, Seen
from aerodrome.resources.files import write_whole
from aerodrome.resources.postgres_access import RELOAD, AccessClosed, PostgresAccess
from tests.unit.make import Shell, only_change, plain
from tests.unit.resources.database import ACCESS, HBA, LINES, LOGIN, OLD, THEIRS, WITH_OLD, answer, hba


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
