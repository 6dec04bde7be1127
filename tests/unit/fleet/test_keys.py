"""Any YAML value in any key of hosts.yaml gives a fleet, or errors of one line each, but never a traceback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aerodrome.errors import InvalidInput
from aerodrome.fleet.keys import fleet_keys
from aerodrome.fleet.reader import Kind
from aerodrome.fleet.schema import Either, Map, Table
from tests.unit.make import COMPONENTS, parse

VALUES = [
    "1", "-1", "1.5", "9" * 5000, ".nan", "true", "~", "''", "x" * 5000, "'\U0001f600'", "[]", "{}", "[[1]]", "[a, a]",
    "{a: b}", "{? [1] : 2}", "{core: ~}", "{core: {a: b}}", "!!binary aGk=", "!!set {a}", "!!python/name:os.system ''",
    "!env X", "!env [a]", "!command \"'\"", "!prompt x", "!foo bar", "2020-99-99", "&a [*a]", "*nope", "[one, two]",
    "10.0.0.1", "!!int x", "'~nosuch'", "\"\\ud800\"", "\"\\0\"", "<<",
]  # fmt: skip


def keys(kind: Kind, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every key that hosts.yaml can have."""
    if path:
        yield path
    if isinstance(kind, Table):
        for name, field in kind.fields.items():
            yield from keys(field, (*path, name))
    elif isinstance(kind, Map):
        yield from keys(kind.item, (*path, "one"))
    elif isinstance(kind, Either):
        yield from keys(kind.table, path)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value[:20])
def test_any_value_in_any_key(value: str) -> None:
    for path in dict.fromkeys(keys(fleet_keys(COMPONENTS.values()))):
        text = "hosts: {two: {address: 10.0.0.2}}\n" if path[0] != "hosts" else ""
        text += "".join(f"{'  ' * depth}{key}:\n" for depth, key in enumerate(path)).rstrip("\n") + f" {value}\n"
        try:
            parse(text, "hosts.yaml", base="/fleet", resolve=lambda _: "x")
        except InvalidInput as error:
            for problem in error.problems:
                assert problem.startswith("hosts.yaml:"), problem
                assert len(problem) < 500, problem
