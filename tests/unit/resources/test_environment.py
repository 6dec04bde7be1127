"""Environment files: how systemd parses them, and the variables kept from one that was written by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aerodrome.core.plan import HostPlan, PlannedChange, readable_script
from aerodrome.core.resource import Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.environment import CommandsAnswer, KeptVariables, assignments, escape
from aerodrome.resources.files import Found, put_back, write_into
from tests.unit.make import AWKWARD, ME, Shell, only_change, there_and_back

HEAD = "regular file|root|root|600\n"
# As in the guide, with lines that somebody has added.
BY_HAND = """\
AIRFLOW_HOME=/usr/local/airflow/
PATH=/opt/aerodrome/airflow/venv/bin:/usr/bin

# The team's own
TEAM_NAME="data platform"
 TOKEN = hunter2
GREETING="first line
second=hunter2"
JOINED=one\\
two=hunter2
AIRFLOW__CORE__PARALLELISM=7
"""


def kept(path: str = "/etc/default/ac.local", found_in: str = "/etc/default/ac") -> KeptVariables:
    return KeptVariables(path, found_in, lambda name: name in ("AIRFLOW_HOME", "PATH"))


@pytest.mark.parametrize(
    "text, found",
    [
        ("", [(None, [""])]),
        ("A=b", [("A", ["A=b"])]),
        ("A=b\n", [("A", ["A=b"]), (None, [""])]),
        ("# c\n;d\n \nA=", [(None, ["# c"]), (None, [";d"]), (None, [" "]), ("A", ["A="])]),
        (" A = b=c", [("A", [" A = b=c"])]),
        ("  # A=b\n\t;c", [(None, ["  # A=b"]), (None, ["\t;c"])]),
        ("nonsense", [("", ["nonsense"])]),
        ("export A=b", [("export A", ["export A=b"])]),
        ('A="b\nC=d"\nE=f', [("A", ['A="b', 'C=d"']), ("E", ["E=f"])]),
        ("A='b\\\nC=d'\nE=f", [("A", ["A='b\\", "C=d'"]), ("E", ["E=f"])]),
        ("A=b\\\n#C=d\nE=f", [("A", ["A=b\\", "#C=d"]), ("E", ["E=f"])]),
        # Within an unquoted value, systemd interprets quotes.
        ("A=it's\nB=c", [("A", ["A=it's"]), ("B", ["B=c"])]),
    ],
)
def test_an_environment_file_in_its_parts(text: str, found: list[tuple[str | None, list[str]]]) -> None:
    assert assignments(text) == found


# KeptVariables


def test_what_was_written_by_hand_is_kept_as_a_whole() -> None:
    change = only_change(kept(), HEAD + BY_HAND)
    assert change.summary == (
        "keep TEAM_NAME, TOKEN, GREETING, JOINED, AIRFLOW__CORE__PARALLELISM of the "
        "hand-written /etc/default/ac in /etc/default/ac.local"
    )
    assert change.payload.decode() == (
        "# From /etc/default/ac, as it was written by hand; airflow.environment in hosts.yaml can say it.\n"
        'TEAM_NAME="data platform"\n'
        " TOKEN = hunter2\n"
        'GREETING="first line\n'
        'second=hunter2"\n'
        "JOINED=one\\\n"
        "two=hunter2\n"
        "AIRFLOW__CORE__PARALLELISM=7\n"
    )
    put = f"{{ cat /etc/default/ac.local 2>/dev/null || :; head -c {len(change.payload)} <&3; }}"
    assert change.script == write_into("/etc/default/ac.local", put, "root", "root", 0o600)
    assert change.diff.splitlines()[3:] == [
        "+TEAM_NAME=********",
        "+TOKEN=********",
        "+GREETING=********",
        "+JOINED=********",
        "+AIRFLOW__CORE__PARALLELISM=********",
    ]


def test_variables_behind_a_link_are_not_lost() -> None:
    with pytest.raises(
        AerodromeError, match="^/etc/default/ac is a symbolic link, and its variables must not be lost$"
    ):
        kept().changes(Seen("symbolic link|root|root|777\n"))


def test_no_value_that_is_kept_is_shown_even_where_the_script_is() -> None:
    change = only_change(kept(), HEAD + BY_HAND)
    shown = readable_script(HostPlan("h", (PlannedChange("node.environment", kept().key, change),)))
    assert "hunter2" not in shown + change.summary + change.diff


@pytest.mark.parametrize(
    "found",
    [
        "",
        HEAD,
        f"{HEAD}# Written by Aerodrome from hosts.yaml: change it there.\nTOKEN=hunter2\n",
        f"{HEAD}PATH=/bin\n# TOKEN=off\n\n;X=1\n",
        f"{HEAD}nonsense\n",
        "directory|root|root|755\n",
    ],
)
def test_nothing_is_kept_where_there_is_nothing_of_somebody_s_own(found: str) -> None:
    assert kept().changes(Seen(found)) == []


@pytest.mark.parametrize("before", [None, "# From before\nOLD=1\n"])
def test_variables_are_added_to_those_that_were_kept_before(sh: Shell, tmp_path: Path, before: str | None) -> None:
    by_hand, path = tmp_path / "it's", tmp_path / "it's.local"
    by_hand.write_bytes(b"PATH=/bin\nTOKEN=caf\xe9 $HOME `id`\nZ='\nEND_OF_FILE\n'\n")
    if before:
        path.write_text(before)
    resource = kept(str(path), str(by_hand))
    (change,) = resource.changes(Seen(sh(resource.probe()).stdout.decode("utf-8", "surrogateescape")))
    done = sh(f"set -eu\n{change.script.replace('root:root', ME)}", change.payload + b"the next change's payload")
    assert done.returncode == 0, done
    head, rest = path.read_bytes().split(b"can say it.\n")
    assert head.startswith((before or "# From").encode())
    assert rest == b"TOKEN=caf\xe9 $HOME `id`\nZ='\nEND_OF_FILE\n'\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(tmp_path.glob("it's*")) == [by_hand, path]


def test_what_is_kept_restarts_the_units_that_read_it() -> None:
    assert kept().key == "file /etc/default/ac.local"


# CommandsAnswer


def test_commands_are_asked_until_they_answer_and_when_the_file_that_names_them_changes() -> None:
    asks = CommandsAnswer("/etc/default/ac", "/etc/default/ac.asked", "abc123", "ask them")
    assert asks.probe() == "cat /etc/default/ac.asked"
    assert asks.changes(Seen("abc123\n", frozenset({"file /etc/default/ac.local"}))) == []
    for seen in (Seen("abc123\n", frozenset({"file /etc/default/ac"})), Seen(""), Seen("other\n")):
        (change,) = asks.changes(seen)
        assert change.summary == "ask the commands that give secrets, as the service user"
        # The record of them is written last, so commands that failed are asked again.
        assert change.script.startswith("ask them\n(\n[ -O /etc/default ]")
        assert "abc123\n" in change.script


# Each of these was in a file that systemd 252 read, and was in the process's /proc/self/environ as it is on the left.
READ_BY_SYSTEMD = {
    "": "",
    "postgresql+psycopg2://airflow:p%40ss@10.0.0.1:5432/airflow": "postgresql+psycopg2://airflow:p%40ss@10.0.0.1:5432/airflow",
    " two  words ": '" two  words "',
    "it's \"so\"": '"it\'s \\"so\\""',
    "a$HOME ${PATH} $$": '"a\\$HOME \\${PATH} \\$\\$"',
    "`id` $(id)": '"\\`id\\` \\$(id)"',
    "a\\b \\n \\\\ \\é \\": '"a\\\\b \\\\n \\\\\\\\ \\\\é \\\\"',
    "100 %n %i": '"100 %n %i"',
    "#not; a comment # here": '"#not; a comment # here"',
    ";x": '";x"',
    "= a = b": '"= a = b"',
    "one\ntwo\n\nthree\n": '"one\ntwo\n\nthree\n"',
    "a\\\nb": '"a\\\\\nb"',
    "a\n#b\nX=1": '"a\n#b\nX=1"',
    "\ta\tb\t": '"\ta\tb\t"',
    "né ☃ 😀 \u2028\u00a0": '"né ☃ 😀 \u2028\u00a0"',
    AWKWARD: '"p@ss/w%rd:\\$ \'\\"\\\\é#;"',
    "~/x ~": '"~/x ~"',
    "!x!": '"!x!"',
    "* ? [a]": '"* ? [a]"',
}  # fmt: skip


@pytest.mark.parametrize("value", READ_BY_SYSTEMD, ids=ascii)
def test_a_value_is_written_as_systemd_reads_it(value: str) -> None:
    assert escape(value) == READ_BY_SYSTEMD[value]


# Ways back


@pytest.mark.parametrize("before", [None, "# From before\nOLD=1\n"])
def test_variables_that_were_kept_go_again(sh: Shell, tmp_path: Path, before: str | None) -> None:
    by_hand, path = tmp_path / "it's", tmp_path / "it's.local"
    by_hand.write_text("TOKEN=x\n")
    if before:
        path.write_text(before)
    resource = kept(str(path), str(by_hand))
    (change,) = resource.changes(Seen(sh(resource.probe()).stdout.decode()))
    assert change.undo
    mine = replace(
        change,
        script=change.script.replace("root:root", ME),
        undo=replace(change.undo, script=change.undo.script.replace("root:root", ME)),
    )
    there_and_back(sh, mine)
    assert (path.read_text() if path.exists() else None) == before


def test_what_remembers_which_commands_answered_is_put_back() -> None:
    asks = CommandsAnswer("/etc/default/ac", "/etc/default/ac.asked", "abc123", "ask them")
    left = Found("regular file", "root", "root", 0o644, "abc123\n")
    for seen, found in (("", Found()), ("other\n", Found("regular file", "root", "root", 0o644, "other\n"))):
        assert only_change(asks, seen).undo == put_back("/etc/default/ac.asked", found, left)
