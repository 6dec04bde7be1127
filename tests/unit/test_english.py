"""Everything that people read is plain English: the worst phrases of the past do not come back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
# Each with what to write instead.
PHRASES = {
    r"\b(?:is|are|was|were|be|been) told\b": "is reported, is shown, is passed",
    r"\bmakes? good\b|\bmade good\b": "finish the job, repair",
    r"\b(?:is|are|be|cannot be) had\b": "exists, is available",
    r"\bbrings? about\b": "cause, reach, perform",
    r"\ba part in this\b": "no selected host has a role for this task",
    r"\bthe very (?:shell|file|files|words)\b": "the exact script",
    r"\bbut for\b": "except, apart from",
    r"\banew\b": "again",
    r"\bwhere there is (?:none|no)\b": "if there is none",
    r"\b(?:is|are|was) no (?:success|number|address|tag|pin|requirement)\b": "is not a number",
    r"\bit is somebody else's\b": "it is managed elsewhere",
    r"\bsay (?:where|which file|which host)\b": "set, name",
    r"\bleave (?:it|them) out\b": "remove it",
    r"\bwhat shall\b": "unknown command",
    r"\bnot begun\b": "not started",
}
DOCS = [
    *PROJECT.glob("*.md"),
    *PROJECT.glob("docs/**/*.md"),
    *(PROJECT / name for name in ("hosts.yaml", "fabric.yaml", "Makefile")),
]
CODE = [
    path
    for folder in ("aerodrome/fleet", "aerodrome/controller", "aerodrome/remote", "aerodrome/catalogue", "tasks", "lab")
    for path in (PROJECT / folder).glob("*.py")
]
TOP = [PROJECT / "aerodrome" / name for name in ("errors.py", "secrets.py", "lockfile.py")]


def found(text: str) -> list[str]:
    """Return the phrases in a text, each with its line and what to write instead."""
    lines = list(enumerate(text.splitlines(), 1))
    return [
        f"line {number}: “{match[0]}”: write “{better}”"
        for phrase, better in PHRASES.items()
        for number, line in lines
        for match in re.finditer(phrase, line, re.IGNORECASE)
    ]


@pytest.mark.parametrize("path", [*DOCS, *CODE, *TOP], ids=lambda path: str(path.relative_to(PROJECT)))
def test_people_read_plain_english(path: Path) -> None:
    assert found(path.read_text()) == []


def test_a_phrase_is_found() -> None:
    assert found("fine\nA mistake is told.") == ["line 2: “is told”: write “is reported, is shown, is passed”"]
