"""Templates to text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aerodrome import render as module
from aerodrome.render import TEMPLATES, render, render_parts

NAMES = sorted(str(file.relative_to(TEMPLATES)) for file in TEMPLATES.rglob("*.in"))


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "TEMPLATES", tmp_path)
    return tmp_path / "a.in"


def test_values_are_put_in_as_they_are(template: Path) -> None:
    template.write_text("A={{ value }}\nB={{ value }}\n")
    value = "<&> {{ x }} {% y %} $z \\1"
    assert render("a.in", value=value, other=1) == f"A={value}\nB={value}\n"


def test_only_names_in_two_braces_mean_anything(template: Path) -> None:
    text = "$HOME ${HOME} $$ %i {{name}} { 1, 2 } }} {%\n".replace("{{name}}", "")
    template.write_text(text)
    assert render("a.in") == text


@pytest.mark.parametrize("broken", ["{{name}}", "{{ two words }}", "{{ name", "{{", "{{ a.b }}", "{{ a | b }}"])
def test_braces_without_a_name_are_an_error(template: Path, broken: str) -> None:
    template.write_text(f"A={broken}\n")
    with pytest.raises(ValueError, match="line 1"):
        render("a.in", name="x", a="x")


@pytest.mark.parametrize("name", [each for each in NAMES if "{{" in (TEMPLATES / each).read_text()])
def test_a_value_that_nobody_gave_is_an_error(name: str) -> None:
    with pytest.raises(KeyError):
        render(name)


@pytest.mark.parametrize("name", NAMES)
def test_templates_hold_names_and_no_logic(name: str) -> None:
    names = set(re.findall(r"\{\{ ([a-z_]+) \}\}", (TEMPLATES / name).read_text()))
    text = render(name, **dict.fromkeys(names, "value"))
    assert not re.search(r"\{\{|\}\}|\{%|\{#", text)
    assert text.endswith("\n")


def test_a_file_has_the_parts_that_apply_in_order(template: Path) -> None:
    for name in "abc":
        template.with_name(f"{name}.in").write_text(f"{name} {{{{ x }}}}\n")
    assert render_parts({"c.in": True, "a.in": False, "b.in": True}, x=1) == "c 1\nb 1\n"
