"""Everything that people read is plain English: the worst phrases of the past do not come back."""

from __future__ import annotations

import ast
import io
import re
import tokenize
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
    r"(?<!begins )\banew\b": "again",
    r"\bwhere there is (?:none|no)\b": "if there is none",
    r"\b(?:is|are|was) no (?:success|number|address|tag|pin|requirement)\b": "is not a number",
    r"\bit is somebody else's\b": "it is managed elsewhere",
    r"\bsay (?:where|which file|which host)\b": "set, name",
    r"\bleave (?:it|them) out\b": "remove it",
    r"\bwhat shall\b": "unknown command",
    r"\bnot begun\b": "not started",
}
# Also checked in docstrings and comments, where the names and values of code are not in the way.
PROSE = {
    r"\bin vain\b": "without success",
    r"\bfor ever\b": "forever, indefinitely",
    r"\bin the place of\b": "in place of, replaces",
    r"\b(?:a|one) (?:line|row|host|key|file|task|stage|exec|connection|class) an?\b": "per: “one line per host”",
    r"\bsomebody else\b": "another user, managed elsewhere",
    r"\b(?:is|are|was|were) there already\b": "already exists",
    r"\bwhat (?:\w+ ){1,4}(?:is|are) at\b": "what it is doing",
    r"\bwhere (?:there|nobody|none|any)\b": "if there is, if nobody",
    r"; (?:nothing|none|empty) where\b": "if",
    r"\ball that\b": "everything that",
    r"\bnone of (?:its|our|their) business\b": "ignores it",
    r"\bin one line why not\b": "one line with the reason",
    r"\b(?:is|are) said (?:of|to|that|meanwhile|afterwards)\b": "is reported",
    r"\bfit to be\b": "ready to",
    r", for (?:it|they|systemd|two|whoever)\b": "because",
    r"\b(?:is|are|was|were) to (?:be|have|know|print|listen|read|get|move|end|run|stop|start|wait)\b": "should, will",
    r"\bgoes on\b": "continues",
    r"\bbut (?:those|that|the ones) (?:that|which)\b": "except",
    r"\bmay be not\b": "may not be",
    r"\bwhat hosts\.yaml (?:says|has)\b": "the value in hosts.yaml",
    r"\bthe one or the other\b": "either",
}
# How a docstring does not begin.
BEGINNINGS = {
    "What ": "a noun phrase: “The hosts of a stage”, not “What hosts a stage has”",
    "Return what ": "name it: “Return the checks that …”",
    "Return that ": "name it: “Return the checks that …”",
    "Give ": "Return, Yield",
    "Runs on ": "Run on",
}
DOCS = [
    *PROJECT.glob("*.md"),
    *PROJECT.glob("docs/**/*.md"),
    *(PROJECT / name for name in ("hosts.yaml", "fabric.yaml", "Makefile")),
]
FOLDERS = ("aerodrome", "benchmarks", "lab", "probes", "tasks", "tools")
# `make bench` keeps environments of its own in a folder with a dot.
CODE = [
    path
    for folder in FOLDERS
    for path in sorted((PROJECT / folder).rglob("*.py"))
    if not any(part.startswith(".") for part in path.relative_to(PROJECT).parts)
]


def found(text: str) -> list[str]:
    """Return the phrases in a text, each with its line and what to write instead."""
    return _matches(PHRASES, list(enumerate(text.splitlines(), 1)))


def found_in_prose(code: str) -> list[str]:
    """Return the phrases in the docstrings and comments of Python code, like `found`."""
    docstrings, comments = prose(code)
    lines = [(first + at, line) for first, text in docstrings for at, line in enumerate(text.splitlines())]
    begun = [
        f"line {number}: “{begins.strip()}”: write “{better}”"
        for number, text in docstrings
        for begins, better in BEGINNINGS.items()
        if text.startswith(begins)
    ]
    return begun + _matches({**PHRASES, **PROSE}, sorted(lines + comments))


def prose(code: str) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Return the docstrings and the comments of Python code, each with the number of its first line."""
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    comments = [(token.start[0], token.string.lstrip("# ")) for token in tokens if token.type == tokenize.COMMENT]
    nodes = [
        node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    ]
    return [(node.body[0].lineno, text) for node in nodes if (text := ast.get_docstring(node))], comments


def _matches(phrases: dict[str, str], lines: list[tuple[int, str]]) -> list[str]:
    return [
        f"line {number}: “{match[0]}”: write “{better}”"
        for phrase, better in phrases.items()
        for number, line in lines
        for match in re.finditer(phrase, line, re.IGNORECASE)
    ]


@pytest.mark.parametrize("path", [*DOCS, *CODE], ids=lambda path: str(path.relative_to(PROJECT)))
def test_people_read_plain_english(path: Path) -> None:
    assert found(path.read_text()) == []


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(PROJECT)))
def test_docstrings_and_comments_are_plain_english(path: Path) -> None:
    assert found_in_prose(path.read_text()) == []


def test_a_phrase_is_found() -> None:
    assert found("fine\nA mistake is told.") == ["line 2: “is told”: write “is reported, is shown, is passed”"]


def test_a_phrase_is_found_in_docstrings_and_comments_but_not_in_code() -> None:
    code = '''"""What is printed: a line a host."""

def f():
    """
    Return it.

    It goes on.
    """
    return "in vain"  # nothing is said of it
'''
    assert found_in_prose(code) == [
        "line 1: “What”: write “a noun phrase: “The hosts of a stage”, not “What hosts a stage has””",
        "line 1: “a line a”: write “per: “one line per host””",
        "line 9: “is said of”: write “is reported”",
        "line 6: “goes on”: write “continues”",
    ]
