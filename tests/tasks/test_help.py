"""`fab --help TASK`: every task ends with examples, and every example is a command that fab accepts."""

from __future__ import annotations

import inspect
import re
import shlex

import pytest
from fabric.main import program
from invoke.exceptions import ParseError
from invoke.parser import Parser, ParserContext

from fabfile import namespace

EXAMPLES = re.compile(r"\n\nExamples:\n((?:  \S.*\n?)+)\Z")


def parsed(command: str) -> list[ParserContext]:
    """Parse a command line as fab does; return its tasks.

    Raises ParseError for an unknown task or option, and ValueError for a line that is not a fab command.
    """
    fab, *arguments = shlex.split(command, comments=True)
    if fab != "fab":
        raise ValueError(f"{command!r} does not start with “fab ”")
    # Fabric fills these in while it parses, so each parser gets new ones.
    _, *tasks = Parser(initial=program.initial_context, contexts=namespace.to_contexts()).parse_argv(arguments)
    return list(tasks)


def examples(name: str) -> list[str]:
    """Return the example lines of a task's help, which are its last paragraph."""
    found = EXAMPLES.search(inspect.getdoc(namespace[name]) or "")
    assert found, f"{name}: the help does not end with a paragraph “Examples:”"
    return found[1].splitlines()


@pytest.mark.parametrize("name", sorted(namespace.task_names))
def test_the_help_of_a_task_ends_with_examples_that_work(name: str) -> None:
    lines = examples(name)
    assert 2 <= len(lines) <= 3
    for line in lines:
        tasks = [task.name for task in parsed(line.strip())]
        assert name in tasks, f"{line.strip()} shows another task"
        assert len(line) <= 110, f"{line.strip()} does not fit a terminal"


def test_no_example_is_there_twice() -> None:
    lines = [line.split("#")[0].strip() for name in namespace.task_names for line in examples(name)]
    assert sorted({line for line in lines if lines.count(line) > 1}) == []


@pytest.mark.parametrize(
    "command",
    [
        "fab deplyo",
        "fab deploy --rolle=worker",
        "fab deploy --role",
        "fab logs --follow=",
        "ls",
        "AERODROME_LAB=x fab plan",
    ],
)
def test_a_wrong_example_would_be_found(command: str) -> None:
    with pytest.raises((ParseError, ValueError)):
        parsed(command)


def test_a_right_example_is_parsed_whole() -> None:
    (task,) = parsed("fab -H worker1,worker2 logs --follow --lines=5  # two hosts")
    assert (task.name, task.args.follow.value, task.args.lines.value) == ("logs", True, "5")
