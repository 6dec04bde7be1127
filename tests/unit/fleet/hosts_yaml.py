"""A small hosts.yaml, and what is wrong with one, for the tests of each part of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.errors import InvalidInput
from aerodrome.fleet.model import Fleet
from tests.unit.make import parse

SHIPPED = Path(__file__).parents[3] / "hosts.yaml"
KEY = "A" * 43 + "="
ANY_REFERENCE = '!env NAME or !file PATH or !command "program argument …"'
# Lines 1 to 5; what a test adds begins on line 6.
SMALL = """\
roles: {database: [db1], scheduler: [s1], webserver: [s1], worker: [w1]}
hosts:
  db1: {address: 10.0.0.1}
  s1: {address: 10.0.0.2}
  w1: {address: 10.0.0.3}
"""


def fleet(text: str) -> Fleet:
    return parse(text, "hosts.yaml", base="/fleet")


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        fleet(text)
    return caught.value.problems
