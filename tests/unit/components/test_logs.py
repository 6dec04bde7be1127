"""Journals of units."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from aerodrome.components.logs import JOURNAL, SINCE_NOW, Entry, journal_script, journal_units, read_entry
from tests.unit.make import HOSTS, ROLES, ROLES_OF_FLEET, Shell, fleet, inputs


@pytest.mark.parametrize(
    "host, roles, units",
    [
        ("s1", ROLES, {role: f"airflow@{role}.service" for role in ("scheduler", "dag-processor", "triggerer")}),
        ("s1", ["triggerer", "worker"], {"triggerer": "airflow@triggerer.service"}),
        ("db1", ROLES, {"database": "postgresql*"}),
        ("w2", ROLES, {"worker": "airflow@worker.service", "redis": "airflow-redis.service"}),
        ("w2", ["redis"], {"redis": "airflow-redis.service"}),
    ],
)
def test_the_units_of_a_host(host: str, roles: list[str], units: dict[str, str]) -> None:
    of = fleet(roles={**ROLES_OF_FLEET, "redis": ("w2",)})
    assert journal_units(inputs(of), HOSTS[host], roles) == units


UNITS = {"scheduler": "airflow@scheduler.service", "database": "postgresql*"}


def test_each_unit_is_asked_for_its_own_last_entries() -> None:
    assert journal_script(UNITS, 50, follow=False) == (
        f"{JOURNAL} -n 50 -u airflow@scheduler.service\n{JOURNAL} -n 50 -u 'postgresql*'"
    )
    assert journal_script(UNITS, 0, follow=False) == ""


def test_what_is_followed_begins_where_the_last_entries_end() -> None:
    assert journal_script(UNITS, 5, follow=True) == (
        f"{SINCE_NOW}\n"
        f'{JOURNAL} -n 5 -u airflow@scheduler.service --until="$until"\n'
        f"{JOURNAL} -n 5 -u 'postgresql*' --until=\"$until\"\n"
        "echo @shown\n"
        f'{JOURNAL} -f --no-tail ${{cursor:+--after-cursor="$cursor"}} '
        "-u airflow@scheduler.service -u 'postgresql*' & journal=$!\n"
        "cat <&3 >/dev/null\nkill $journal"
    )


@pytest.mark.parametrize(
    "answer, until",
    [
        ("-- cursor: s=19b9;i=42;b=cc2f;m=c2f20d06;t=661045b6c03d0;x=6a1d", "@1795521201.832912"),
        ("-- cursor: s=19b9;i=42;b=cc2f;m=c2f20d06;t=661045b6c000a;x=6a1d", "@1795521201.831946"),
        ("", "@0.000000"),
    ],
)
def test_a_cursor_has_its_time(sh: Shell, answer: str, until: str) -> None:
    done = sh(f'{SINCE_NOW}\necho "$until"', programs={"journalctl": f"echo '{answer}'"})
    assert done.stdout.decode().strip() == until


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_journal_that_is_followed_ends_when_nobody_reads_it_any_more(tmp_path: Path, shell: str) -> None:
    journalctl = tmp_path / "journalctl"
    journalctl.write_text(
        "#!/bin/sh\ncase $* in *--after-cursor*) echo line; exec sleep 60;; *) echo '-- cursor: s=1;t=1;x=1'; esac\n"
    )
    journalctl.chmod(0o755)
    script = journal_script({"worker": "airflow@worker.service"}, 0, follow=True)
    process = subprocess.Popen(
        [shell, "-c", f"exec 3<&0 </dev/null; PATH={tmp_path}:$PATH\n{script}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"@shown\n"
    assert process.stdout.readline() == b"line\n"
    assert process.poll() is None
    process.stdin.close()
    assert process.stdout.read() == b""  # the journal has gone too
    process.wait(10)


TIME = 1795521201832458
SAID = {"__REALTIME_TIMESTAMP": str(TIME), "SYSLOG_IDENTIFIER": "airflow", "_PID": "42"}


def read(**fields: object) -> Entry | None:
    return read_entry("s1", UNITS, json.dumps({**SAID, "_SYSTEMD_UNIT": "airflow@scheduler.service", **fields}))


def test_an_entry_is_shown_by_time_and_speaker_in_every_line() -> None:
    entry = read(MESSAGE="first\nsecond")
    assert entry == Entry(TIME, "s1", "scheduler", "airflow[42]: first\nairflow[42]: second")
    assert list(entry.lines()) == [
        "2026-11-24T11:53:21.832Z airflow[42]: first",
        "2026-11-24T11:53:21.832Z airflow[42]: second",
    ]


@pytest.mark.parametrize(
    "fields, role",
    [
        ({}, "scheduler"),
        ({"_SYSTEMD_UNIT": "postgresql@15-main.service"}, "database"),
        ({"_SYSTEMD_UNIT": "init.scope", "UNIT": "airflow@scheduler.service"}, "scheduler"),
        ({"_SYSTEMD_UNIT": "session-1.scope", "OBJECT_SYSTEMD_UNIT": "airflow@scheduler.service"}, "scheduler"),
    ],
)
def test_an_entry_belongs_to_the_unit_that_it_is_about(fields: dict[str, str], role: str) -> None:
    entry = read(MESSAGE="x", **fields)
    assert entry is not None
    assert entry.role == role


@pytest.mark.parametrize(
    "message, text",
    [([104, 233], "airflow[42]: h\ufffd"), (None, ""), (7, ""), ([300, "x", 104], "airflow[42]: h"), ("", "")],
)
def test_a_message_that_is_no_text(message: object, text: str) -> None:
    entry = read(MESSAGE=message)
    assert entry is not None
    assert entry.text == text


@pytest.mark.parametrize(
    "line",
    ["", "[]", "7", "null", "no json", "[" * 100_000, '{"__REALTIME_TIMESTAMP": "now"}', "{}",
     json.dumps(SAID), json.dumps({**SAID, "_SYSTEMD_UNIT": ["airflow@scheduler.service"]}),
     json.dumps({**SAID, "_SYSTEMD_UNIT": "airflow@scheduler.service", "__REALTIME_TIMESTAMP": "9" * 30}),
     json.dumps({**SAID, "_SYSTEMD_UNIT": "airflow@scheduler.service", "__REALTIME_TIMESTAMP": "9" * 5000})],
)  # fmt: skip
def test_what_is_no_entry_is_left_out(line: str) -> None:
    assert read_entry("s1", UNITS, line) is None
