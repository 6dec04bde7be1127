"""Long answers of a hostile host that are designed to be slow to parse: the time grows only linearly."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from aerodrome.components.node import node
from aerodrome.components.roles.redis import mask_redis
from aerodrome.core.resource import Seen, unified_diff
from aerodrome.report.output import json_document
from aerodrome.resources.files import File
from aerodrome.resources.installer import Installer
from aerodrome.resources.retired import leftovers
from tests.unit.make import HOSTS, inputs

FOUND = "regular file|root|root|644\n"
EMPTY = "\n" * 100_000


def environment_file(text: str) -> object:
    (file,) = [
        resource
        for step in node(inputs(), HOSTS["w1"])
        for resource in step.resources
        if isinstance(resource, File) and resource.path == "/etc/default/airflow"
    ]
    return file.changes(Seen(FOUND + text))


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda: environment_file(EMPTY), id="environment file"),
        pytest.param(lambda: mask_redis(EMPTY), id="redis.conf"),
        pytest.param(lambda: unified_diff("x", EMPTY, "a\n\nb\n\n" * 300), id="diff"),
        pytest.param(lambda: unified_diff("x", "a\n" * 19_000, "a\nb\n" * 90), id="diff of fewer lines"),
        pytest.param(lambda: json_document('["a",\n' * 100_000), id="JSON that never ends"),
        pytest.param(lambda: json_document("[\n" * 100_000), id="JSON that is nested"),
        pytest.param(lambda: json_document("[1] x\n" * 200_000), id="much JSON"),
        pytest.param(lambda: Installer(("/opt",)).changes(Seen("a" * 2_000_000)), id="directories"),
        pytest.param(lambda: leftovers("found x\nNow=1\n\n" + "Id=x\n\n" * 300_000), id="units"),
    ],
)
def test_it_is_read_in_no_time(read: Callable[[], object]) -> None:
    began = time.process_time()
    read()
    assert time.process_time() - began < 4


def test_a_diff_of_what_is_too_long_to_compare_gives_numbers() -> None:
    assert unified_diff("/etc/x", "a\n" * 30_000, "b\n") == "--- /etc/x\n+++ /etc/x\n-(30000 lines)\n+(1 lines)"
    assert unified_diff("/etc/x", "a\n" * 30_000, "a\n" * 30_000) == ""


def test_a_long_file_of_ordinary_lines_is_compared() -> None:
    before = [f"setting_{number} = {number}\n# What it means.\n\n" for number in range(1500)]
    after = [*before[:700], "setting_700 = new\n", *before[701:]]
    diff = unified_diff("/etc/x", "".join(before), "".join(after)).splitlines()
    assert "-setting_700 = 700" in diff and "+setting_700 = new" in diff and len(diff) < 15
