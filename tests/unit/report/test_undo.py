"""What an undo would take back, as people read it."""

from __future__ import annotations

import pytest

from aerodrome.core.history import Past
from aerodrome.core.undo import Entry, Verdict
from aerodrome.report.undo import show_undo

ENTRIES = (
    Entry("0001", 1, "machines", "node.packages", "packages x", "install x", ""),
    Entry("0002", 1, "machines", "node.names", "block /etc/hosts", "update it", "put it back"),
    Entry("0003", 1, "machines", "node.environment", "file /e", "write /e", "put back /e\x1b[2J", "-b\n+a"),
    Entry("0004", 2, "workers", "roles.worker", "file /d", "write /d", "put back /d"),
)
VERDICTS: dict[str, Verdict] = {"0001": "none", "0002": "nothing", "0003": "back", "0004": "changed"}


def test_the_newest_change_comes_first_and_each_says_what_becomes_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    past = Past("20261124T181500Z-1f3a", "ann@laptop", "fab deploy", started="2026-11-24T18:15:00Z")
    show_undo(past, {"w1": (ENTRIES, VERDICTS), "w2": ((), {})})
    assert capsys.readouterr().out == (
        "20261124T181500Z-1f3a of ann@laptop, 2026-11-24T18:15:00Z: fab deploy\n"
        "w1\n"
        "  roles.worker: file /d has been changed since\n"
        "  node.environment: put back /e\\x1b[2J\n"
        "    -b\n"
        "    +a\n"
        "  node.packages: install x (no way back)\n\n"
    )
