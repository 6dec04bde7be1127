"""`fab --list`, which is what a tab key costs, against that of an empty fabfile."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.measure import Command, alternate
from benchmarks.practice import FAB, PROJECT
from benchmarks.report import PAIR_HEADER, Section, pair_rows

EMPTY = Path(__file__).with_name("empty")


def listing(pairs: int) -> Section:
    """Measure both by turns."""
    ours = Command((FAB, "--list"), PROJECT, dict(os.environ))
    # Its folder has no fabric.yaml either: Fabric alone is what is measured.
    empty = Command((FAB, "--list"), EMPTY, dict(os.environ))
    rows = pair_rows(("fab --list", "empty fabfile"), alternate(ours, empty, pairs))
    return Section("fab --list", f"{pairs} pairs. Goal: at most 1.3 times an empty fabfile.", PAIR_HEADER, rows)
