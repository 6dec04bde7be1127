"""What was measured, as Markdown: on the terminal and in benchmarks/results/."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.measure import Cost, median

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True)
class Section:
    """One table, with the goal it is read against."""

    title: str
    goal: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def plain(self) -> dict[str, object]:
        """Return the table as what JSON knows: a mapping a row."""
        rows = [dict(zip(self.header, row, strict=True)) for row in self.rows]
        return {"title": self.title, "goal": self.goal, "rows": rows}

    def markdown(self) -> str:
        """Return the table, its columns aligned."""
        lines = [self.header, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.header))]
        head, *rest = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
        rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
        return "\n".join([f"## {self.title}", "", self.goal, "", head, rule, *rest])


PAIR_HEADER = ("command", "median s", "min–max s", "CPU s", "× median", "× by pair")


def pair_rows(names: tuple[str, str], costs: tuple[Sequence[Cost], Sequence[Cost]]) -> tuple[tuple[str, ...], ...]:
    """Return a row for each of two commands; the ratios are those of the first to the second."""
    walls = [[cost.seconds for cost in each] for each in costs]
    ratio = median(walls[0]) / median(walls[1])
    by_pair = median([first / second for first, second in zip(*walls, strict=True)])
    ends = ((f"{ratio:.2f}", f"{by_pair:.2f}"), ("1", "1"))
    return tuple(
        (
            name,
            f"{median(wall):.2f}",
            f"{min(wall):.2f}–{max(wall):.2f}",
            f"{median([cost.cpu for cost in each]):.2f}",
            *end,
        )
        for name, wall, each, end in zip(names, walls, costs, ends, strict=True)
    )


def heading(load: float) -> str:
    """Return on what and when it was measured; `load` is the load average at the beginning."""
    now = datetime.now().strftime("%Y-%m-%d %H:%M")
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"# Aerodrome's benchmarks, {now}\n\nController and hosts on one machine: {machine}; load {load:.1f}."


def save(head: str, sections: Sequence[Section]) -> Path:
    """Write the results of a run, as Markdown and beside it as JSON, and return where."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now():%Y%m%d-%H%M%S}.md"
    path.write_text("\n\n".join([head, *(section.markdown() for section in sections)]) + "\n")
    plain = {"on": head.splitlines(), "sections": [section.plain() for section in sections]}
    path.with_suffix(".json").write_text(json.dumps(plain, ensure_ascii=False, indent=1) + "\n")
    return path
