"""Templates to text."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from aerodrome.render import TEMPLATES, render


def test_values_are_put_in_as_they_are() -> None:
    text = render("environment.j2", variables=[("A", "<&> {{ x }} {% y %}")])
    assert text.endswith("\nA=<&> {{ x }} {% y %}\n")


@pytest.mark.parametrize("template", sorted(file.name for file in TEMPLATES.glob("*.j2")))
def test_a_value_that_nobody_gave_is_an_error(template: str) -> None:
    with pytest.raises(UndefinedError):
        render(template)
