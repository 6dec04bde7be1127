"""Answers that no honest host gives: each is reported as that host's error, never as a traceback."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from aerodrome.components.health import Health, RoleHealth
from aerodrome.components.roles.database import DatabaseHealth
from aerodrome.components.roles.redis import RedisHealth
from aerodrome.core.plan import plan_host, read_probe
from aerodrome.core.stage import by_host
from aerodrome.core.step import Step
from aerodrome.errors import AerodromeError, HostError, reading
from aerodrome.fleet.model import Airflow, Broker
from aerodrome.report.json import show_status_as_json
from aerodrome.report.status import show_status
from aerodrome.runbooks.deploy import stages
from aerodrome.secrets import Secret
from tests.unit.make import HOSTS, ROLES_OF_FLEET, fleet, inputs

WITH_REDIS = fleet(roles={**ROLES_OF_FLEET, "redis": ("db1",)}, broker=Broker())
INPUTS = inputs(WITH_REDIS, redis_password=Secret("hunter22"))
STEPS = by_host(stages(INPUTS, list(WITH_REDIS.hosts), list(WITH_REDIS.roles)))
SEEDS = range(150)

PIECES = [
    "regular file|root|root|644", "regular file|root|root|rwx", "directory|astro|astro|755", "symbolic link|a|b|777",
    "|||", "a|b|c", "none", "made /x", "complete", "3.11", "²", "-1", "9" * 5000, "1e999", "NaN", "active",
    "NRestarts=²", "NRestarts=" + "9" * 5000, "MainPID=x", "Now=", "=", "ActiveState=active", "UnitFileState=enabled",
    "ExecMainStartTimestamp=Mon 2026-99-99 25:61:61 UTC", "ExecMainStartTimestamp=Tue 9999-12-31 23:59:59 UTC",
    "mtime", "mtime x /y", "mtime ² /y", "server|5432|*|f", "server|x|*|f", "server", "role|t|SCRAM-SHA-256$x:y$z",
    "role|t", "role", "database", "database|x|y|z", "hba|", "hba|/x|1", "hba|/x|²", "apt", "dnf", "{}", "[]", "null",
    "caf\udce9", "\0", "\x1b[2J", "a" * 3000, "LoadState=not-found", "uid=0(root)", "astro:x:²:y", ":::::::", "::", "|",
]  # fmt: skip


def nonsense(seed: int) -> str:
    """Return a text made of pieces of real answers and garbage."""
    of = random.Random(seed)
    count = of.choice([0, 1, 1, 2, 3, 5, 8, 13])
    separators = ["\n", "\n", "\n", " ", "|", "\n\n", ""]
    return "".join(of.choice(PIECES) + of.choice(separators) for _ in range(count))


def every_part() -> Iterator[tuple[str, Step]]:
    """Yield each check and resource of each host as a separate step."""
    for host, steps in STEPS.items():
        for step in steps:
            for check in step.requires:
                yield host, Step(step.name, (), (check,))
            for resource in step.resources:
                yield host, Step(step.name, (resource,))


@pytest.mark.parametrize("host", STEPS)
def test_a_plan_of_nonsense_is_a_plan_or_an_error_of_that_host(host: str) -> None:
    refused: set[str] = set()
    for of, step in every_part():
        if of != host:
            continue
        for seed in SEEDS:
            try:
                plan_host(host, [step], [nonsense(seed)])
            except HostError as error:
                assert (error.host, error.step) == (host, step.name)
                refused.add(type(step.parts[0]).__name__)
    assert refused  # every reader rejects some of this


def test_the_error_names_the_step_and_what_was_wrong() -> None:
    of, step = next((host, step) for host, step in every_part() if step.parts[0].key.startswith("unit "))
    with pytest.raises(HostError) as caught:
        plan_host(of, [step], ["NRestarts=²\n"])
    assert (caught.value.host, caught.value.step) == (of, step.name)
    assert caught.value.message.startswith("cannot parse the host's answer (ValueError: invalid literal for int()")


def test_a_refusal_of_a_resource_is_still_its_own() -> None:
    of, step = next((host, step) for host, step in every_part() if step.parts[0].key.startswith("packages "))
    with pytest.raises(HostError, match="there is neither apt-get nor dnf") as caught:
        plan_host(of, [step], ["pacman\n"])
    assert caught.value.refusal is not None
    assert caught.value.refusal.verdict == "refused"


@pytest.mark.parametrize("seed", range(40))
def test_a_probe_that_is_not_whole_is_an_error(seed: int) -> None:
    with pytest.raises(AerodromeError, match="broke off"):
        read_probe(nonsense(seed), STEPS["w1"], "n0nce")


# Health

DEEP = "[" * 100_000
ANSWERS = [
    "[]", "null", "1", '"x"', DEEP, "9" * 5000, "{", "NaN",
    '{"jobs": []}', '{"jobs": {"SchedulerJob": []}}', '{"jobs": {"SchedulerJob": {}}}',
    '{"jobs": {"SchedulerJob": {"started": "x", "age": []}}}',
    '{"jobs": {"SchedulerJob": {"started": 1e999, "age": NaN}}}',
    '{"jobs": {"SchedulerJob": {"started": 1e999, "age": -1e999}}}',
    '{"jobs": {}, "web": []}', '{"jobs": {}, "web": {"a": {"status": []}}}', '{"jobs": {}, "web": {"a": 1, "b": null}}',
    '{"jobs": {}, "web": {"metadatabase": {"status": {}}}}', '{"jobs": {}, "web": ' + '{"a": ' * 400 + "1" + "}" * 401,
    '{"jobs": {}, "ports": {"worker": null}}', '{"jobs": {}, "ports": []}', '{"jobs": {}, "ports_error": {}}',
    '{"jobs_error": [1]}', '{"jobs_error": "' + "x" * 100_000 + '"}',
    '{"name": [], "jobs": {}}',
]  # fmt: skip
UNIT = "ActiveState=active\nSubState=running\nNRestarts=0\n\n"
HEADS = ["1\n/x/3.3.2-py3\n", "²\n\n", "9" * 5000 + "\n\n", "\n\n", "", "\udce9\n\0\n"]


def shown(rows: list[Health]) -> None:
    """Assert that rows can be printed."""
    show_status(rows)
    show_status_as_json(rows)


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda text: text[:40])
@pytest.mark.parametrize("head", HEADS, ids=lambda text: ascii(text[:10]))
def test_health_that_makes_no_sense_is_no_health(answer: str, head: str) -> None:
    roles = ["scheduler", "webserver", "worker"]
    rows = RoleHealth(INPUTS, HOSTS["w1"], tuple(roles)).judge(head + UNIT * 3 + answer)
    assert [row.role for row in rows] == roles
    shown(rows)
    assert all(len(row.detail) <= 500 for row in rows)
    assert not any(row.ok for row in rows if row.role != "scheduler")


READERS: dict[str, Callable[[str], Any]] = {
    "health": lambda text: RoleHealth(INPUTS, HOSTS["w1"], ("scheduler", "worker")).judge(text),
    "database": lambda text: DatabaseHealth(INPUTS, HOSTS["db1"]).judge(text),
    "redis": lambda text: RedisHealth(INPUTS, HOSTS["db1"]).judge(text),
}


@pytest.mark.parametrize("reader", READERS)
def test_nonsense_as_health_is_an_error_of_that_host_at_most(reader: str) -> None:
    for seed in SEEDS:
        with suppress(HostError), reading("h", reader):
            shown(READERS[reader](nonsense(seed)))


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), KeyError("x"), IndexError(), TypeError(), RecursionError(), OverflowError(), AttributeError()],
)
def test_what_reading_raises_is_the_host_s(error: Exception) -> None:
    with pytest.raises(HostError) as caught, reading("w1", "node.x"):
        raise error
    assert (caught.value.host, caught.value.step, caught.value.__cause__) == ("w1", "node.x", error)


def test_a_mistake_of_another_kind_is_not_taken_for_an_answer() -> None:
    with pytest.raises(AssertionError), reading("w1", "node.x"):
        raise AssertionError


def test_a_deep_answer_is_deeper_than_python_reads() -> None:
    with pytest.raises(RecursionError):
        json.loads(DEEP)
    assert Airflow().version
