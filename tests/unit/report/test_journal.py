"""The journals of several hosts, merged."""

from __future__ import annotations

import json

import pytest

from aerodrome.report.journal import Journal

UNITS = {"worker": "airflow@worker.service", "triggerer": "airflow@triggerer.service"}
BASE = 1795521200_000000  # 2026-11-24T11:53:20Z


def said(second: int, role: str, message: str) -> str:
    return json.dumps(
        {
            "__REALTIME_TIMESTAMP": str(BASE + second * 1_000_000),
            "_SYSTEMD_UNIT": UNITS[role],
            "SYSLOG_IDENTIFIER": "airflow",
            "MESSAGE": message,
        }
    )


def test_the_last_entries_of_all_hosts_are_shown_in_the_order_of_time(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal(["w1", "worker2"], list(UNITS), follow=False)
    one, two = journal.reader("w1", UNITS), journal.reader("worker2", UNITS)
    text = f"{said(3, 'worker', 'c')}\n{said(1, 'triggerer', 'a')}\n"
    one.read(text[:30])
    two.read(f"{said(2, 'worker', 'b')}\nno entry\n")
    one.read(text[30:])
    assert capsys.readouterr().out == ""
    journal.close()
    assert capsys.readouterr().out == (
        "w1      triggerer | 2026-11-24T11:53:21.000Z airflow: a\n"
        "worker2 worker    | 2026-11-24T11:53:22.000Z airflow: b\n"
        "w1      worker    | 2026-11-24T11:53:23.000Z airflow: c\n"
    )
    assert (one.entries, two.entries) == (2, 1)


def test_what_is_followed_waits_for_no_other_host(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal(["w1", "w2"], ["worker"], follow=True)
    reader = journal.reader("w1", UNITS)
    journal.reader("w2", UNITS)  # prints nothing
    reader.read(f"{said(2, 'worker', 'b')}\n{said(1, 'worker', 'a')}\n")
    assert capsys.readouterr().out == ""
    reader.read("@shown\n")
    assert [line[-1] for line in capsys.readouterr().out.splitlines()] == ["a", "b"]
    reader.read(f"{said(3, 'worker', 'c')}\n")
    assert capsys.readouterr().out == "w1 worker | 2026-11-24T11:53:23.000Z airflow: c\n"
