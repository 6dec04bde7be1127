"""The steps of a node, by name."""

from __future__ import annotations

from aerodrome.components.inputs import Inputs
from aerodrome.components.node import node
from aerodrome.core.check import Check
from aerodrome.resources.files import File
from tests.unit.make import HOSTS, inputs


def resources(name: str, given=None, host: str = "w1") -> tuple:  # type: ignore[no-untyped-def,type-arg]
    (step,) = [step for step in node(given or inputs(), HOSTS[host]) if step.name == name]
    return step.resources


def requires(name: str, given: Inputs | None = None) -> tuple[Check, ...]:
    (step,) = [step for step in node(given or inputs(), HOSTS["w1"]) if step.name == name]
    return step.requires


def environment_file(given: Inputs, path: str = "/etc/default/airflow", host: str = "w1") -> File:
    found = [each for each in resources("node.environment", given, host) if isinstance(each, File)]
    (file,) = [each for each in found if each.path == path]
    return file


ALL = ["scheduler", "dag-processor", "triggerer", "webserver", "worker"]
