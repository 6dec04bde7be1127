"""Draw the measurements of a benchmark run: picture.py RESULTS.json PICTURE.svg

It runs in its own environment (benchmarks/tools.py), which has matplotlib.
"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

matplotlib.rcParams["svg.fonttype"] = "none"  # text as text: half the size, and searchable
COLUMNS = 3
Json = dict[str, Any]
OURS, OTHER, MISSED = "#1f77b4", "#b0b7bf", "#c0392b"


def draw(results: Json, picture: str) -> None:
    """Draw a panel per measurement with the seconds of each way, and one below it for all goals."""
    sections = [section for section in results["sections"] if section["runs"]]
    goals = [goal for section in results["sections"] for goal in section["goals"]]
    rows, lines = -(-len(sections) // COLUMNS), max(len(goals), 1)
    heights = [3] * rows + [0.8 + 0.3 * lines]
    figure = plt.figure(figsize=(6 * COLUMNS, sum(heights)), layout="constrained")
    grid = figure.add_gridspec(rows + 1, COLUMNS, height_ratios=heights)
    for place, section in enumerate(sections):
        seconds(figure.add_subplot(grid[divmod(place, COLUMNS)]), section)
    reached(figure.add_subplot(grid[rows, :]), goals)
    figure.suptitle(results["on"][0].removeprefix("# "))
    figure.savefig(picture, metadata={"Date": None})


def seconds(panel: Any, section: Json) -> None:
    """Draw the median of each way's runs as a bar, with minimum and maximum as a whisker."""
    ways = list(section["runs"])
    values = list(section["runs"].values())
    medians = [statistics.median(each) for each in values]
    ends = [[m - min(v) for m, v in zip(medians, values, strict=True)],
            [max(v) - m for m, v in zip(medians, values, strict=True)]]  # fmt: skip
    colors = [OURS if way.startswith(("fab", "Aerodrome")) else OTHER for way in ways]
    bars = panel.barh(ways, medians, xerr=ends, color=colors, error_kw={"linewidth": 1})
    panel.bar_label(bars, [f"{median:.3g} s" for median in medians], padding=4)
    panel.set_xlim(0, 1.2 * max(max(each) for each in values))
    panel.invert_yaxis()
    panel.set_title(section["title"])


def reached(panel: Any, goals: list[Json]) -> None:
    """Draw how well each goal is met: right of the line is better than the goal."""
    for place, goal in enumerate(goals):
        shares = [share(goal, goal["found"][end]) for end in ("median", "low", "high")]
        color = OURS if goal["met"] else MISSED
        panel.plot(shares[1:], [place, place], color=color)
        panel.plot(shares[0], place, "o", color=color)
    panel.axvline(1, color="black", linewidth=1)
    panel.set_yticks(range(len(goals)), [f"{goal['what']}: {bound(goal)}" for goal in goals])
    panel.invert_yaxis()
    panel.set_xscale("log", base=2)
    panel.xaxis.set_major_formatter("{x:g} ×")
    panel.set_title("How many times better than its goal (median, least and greatest)")


def share(goal: Json, found: float) -> float:
    """Return by which factor a figure beats its goal."""
    return float(found / goal["limit"] if goal["at_least"] else goal["limit"] / found)


def bound(goal: Json) -> str:
    """Return a goal in words."""
    return f"{'at least' if goal['at_least'] else 'at most'} {goal['limit']:g} {goal['unit']}"


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2])
