"""docs/decisions: each page is numbered, has its three parts, and is in the index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DECISIONS = Path(__file__).parents[2] / "docs" / "decisions"
PAGES = sorted(DECISIONS.glob("[0-9]*.md"))


def test_the_index_lists_every_page_by_number_and_title() -> None:
    titles = [path.read_text().split("\n", 1)[0].removeprefix("# ").split(". ", 1) for path in PAGES]
    rows = [f"| {number} | [{title}]({path.name}) |" for path, (number, title) in zip(PAGES, titles, strict=True)]
    found = re.findall(r"^\| \d+ \|.*$", (DECISIONS / "README.md").read_text(), re.MULTILINE)
    assert found == rows
    assert [int(number) for number, _ in titles] == [int(path.name[:4]) for path in PAGES]
    assert [int(path.name[:4]) for path in PAGES] == list(range(1, len(PAGES) + 1))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_three_parts_and_stays_short(page: Path) -> None:
    text = page.read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert len(text.split()) <= 350, "half a page"


@pytest.mark.parametrize("page", [*PAGES, DECISIONS / "README.md"], ids=lambda page: page.stem)
def test_what_a_page_links_to_and_names_is_there(page: Path) -> None:
    text = page.read_text()
    links = [DECISIONS / link for link in re.findall(r"\]\(([^)#]+)\)", text)]
    named = [DECISIONS.parents[1] / path for path in re.findall(r"`((?:tests|docs|aerodrome|templates)/[^`*]+)`", text)]
    assert [str(path) for path in [*links, *named] if not path.exists()] == []
