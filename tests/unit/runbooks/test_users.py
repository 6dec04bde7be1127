"""Create a user on one host."""

from __future__ import annotations

import pytest

from aerodrome.components.users import user_created
from aerodrome.core.step import Step
from aerodrome.errors import InvalidInput
from aerodrome.runbooks.users import create_user
from aerodrome.secrets import Secret
from tests.unit.make import HOSTS, inputs

PERSON = ("ada", "a@b", "Ada", "L", "Admin")


@pytest.mark.parametrize("picked, on", [(list(HOSTS), "s1"), (["w1", "w2"], "s1"), (["w1"], "w1")])
def test_it_is_done_on_the_first_scheduler_or_the_only_host_that_is_picked(picked: list[str], on: str) -> None:
    given = inputs()
    book = create_user(given, picked, [], PERSON, Secret("x"), "1f3a")
    (stage,) = book.stages
    action = user_created(given, HOSTS[on], PERSON, Secret("x"), "1f3a")
    assert stage.steps == {on: [Step("create-user", (action,))]}
    assert not book.secrets  # a checkout without secrets.yaml has none afterwards


@pytest.mark.parametrize("name", ["a\nrm -rf /", "a\tb", "a\0", "\udcff"])
def test_a_name_is_one_line(name: str) -> None:
    with pytest.raises(InvalidInput, match="--name contains a control character"):
        create_user(inputs(), ["s1"], [], (name, *PERSON[1:]), Secret("x"), "1f3a")
