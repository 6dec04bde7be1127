"""The results as Markdown, JSON and a picture: on the terminal and in benchmarks/results/."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from benchmarks.measure import Cost, Failed, Spread, median, ratios
from benchmarks.tools import tool

RESULTS = Path(__file__).resolve().parent / "results"
PICTURE = Path(__file__).with_name("picture.py")


@dataclass(frozen=True)
class Goal:
    """A measured figure and its goal: at most `limit`, or at least `limit` with `at_least`."""

    what: str
    found: Spread
    limit: float
    at_least: bool = False
    unit: str = "×"

    @property
    def met(self) -> bool:
        """Tell whether the median meets the goal."""
        return self.found.median >= self.limit if self.at_least else self.found.median <= self.limit

    def plain(self) -> dict[str, object]:
        """Return it in JSON types."""
        return {**asdict(self), "met": self.met}

    def line(self) -> str:
        """Return it as an item of a list."""
        bound = "at least" if self.at_least else "at most"
        told = "met" if self.met else "MISSED"
        return f"- {self.what}: {self.found:.2f} {self.unit}; goal {bound} {self.limit:g}: {told}"


@dataclass(frozen=True)
class Section:
    """One table with a note, its goals, and every single run behind it."""

    title: str
    note: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    goals: tuple[Goal, ...] = ()
    runs: Mapping[str, Sequence[float]] = field(default_factory=dict)  # command → seconds of each run

    def plain(self) -> dict[str, object]:
        """Return the section in JSON types: a row is a mapping."""
        rows = [dict(zip(self.header, row, strict=True)) for row in self.rows]
        goals = [goal.plain() for goal in self.goals]
        return {"title": self.title, "note": self.note, "rows": rows, "goals": goals, "runs": dict(self.runs)}

    def markdown(self) -> str:
        """Return the table, its columns aligned, and the goals below it."""
        lines = [self.header, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.header))]
        head, *rest = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
        rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
        goals = ["", *(goal.line() for goal in self.goals)] if self.goals else []
        return "\n".join([f"## {self.title}", "", self.note, "", head, rule, *rest, *goals])


Costs = Mapping[str, Sequence[Cost]]  # command → cost of each run


def side_by_side(title: str, note: str, costs: Costs, base: str, goals: tuple[Goal, ...] = ()) -> Section:
    """Return a row per way; its ratio is its time relative to `base` in the same round."""
    header = ("", "runs", "median s", "min–max s", "CPU s", f"× {base}", "min–max ×")
    rows = tuple(_row(way, own, ratios(own, costs[base])) for way, own in costs.items())
    runs = {way: [round(cost.seconds, 3) for cost in own] for way, own in costs.items()}
    return Section(title, note, header, rows, goals, runs)


def _row(way: str, costs: Sequence[Cost], times: Spread) -> tuple[str, ...]:
    seconds = Spread.of([cost.seconds for cost in costs])
    return (
        way,
        str(len(costs)),
        f"{seconds.median:.2f}",
        f"{seconds.low:.2f}–{seconds.high:.2f}",
        f"{median([cost.cpu for cost in costs]):.2f}",
        f"{times.median:.2f}",
        f"{times.low:.2f}–{times.high:.2f}",
    )


def heading(load: float) -> str:
    """Return the machine and time of the measurement; `load` is the load average at its start."""
    now = datetime.now().strftime("%Y-%m-%d %H:%M")
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"# Aerodrome's benchmarks, {now}\n\nController and hosts on one machine: {machine}; load {load:.1f}."


def save(head: str, sections: Sequence[Section]) -> Path:
    """Write the results of a run as Markdown and JSON, and return the path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now():%Y%m%d-%H%M%S}.md"
    path.write_text("\n\n".join([head, *(section.markdown() for section in sections)]) + "\n")
    plain = {"on": head.splitlines(), "sections": [section.plain() for section in sections]}
    path.with_suffix(".json").write_text(json.dumps(plain, ensure_ascii=False, indent=1) + "\n")
    return path


def draw(results: Path) -> None:
    """Draw the picture of saved results next to them.

    Raises Failed if that is not possible; the results are kept.
    """
    python = tool("picture") / "bin" / "python"
    data, picture = results.with_suffix(".json"), results.with_suffix(".svg")
    done = subprocess.run([str(python), str(PICTURE), str(data), str(picture)], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{picture} cannot be drawn:\n{done.stderr}")
