"""Templates to text."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from aerodrome.render import TEMPLATES, render

PROJECT = TEMPLATES.parent


def test_values_are_put_in_as_they_are() -> None:
    text = render("environment.j2", variables=[("A", "<&> {{ x }} {% y %}")])
    assert text.endswith("\nA=<&> {{ x }} {% y %}\n")


@pytest.mark.parametrize("template", sorted(file.name for file in TEMPLATES.glob("*.j2")))
def test_a_value_that_nobody_gave_is_an_error(template: str) -> None:
    with pytest.raises(UndefinedError):
        render(template)


def cached(folder: Path) -> str:
    """Render a template of a folder in a separate process, in which Python may store compiled files."""
    program = (
        "import sys; from pathlib import Path; from aerodrome import render; sys.dont_write_bytecode = False\n"
        f"render.TEMPLATES = Path({str(folder)!r}); print(render.render('a.j2', x=1), end='')"
    )
    command = [sys.executable, "-B", "-c", program]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60).stdout


def test_a_compiled_template_is_kept_beside_it_until_it_changes(tmp_path: Path) -> None:
    template = tmp_path / "a.j2"
    template.write_text("one {{ x }}")
    assert cached(tmp_path) == "one 1"
    (compiled,) = (tmp_path / "__pycache__").iterdir()
    written = compiled.stat()
    assert cached(tmp_path) == "one 1"
    assert (compiled.stat().st_ino, compiled.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    template.write_text("two {{ x }}")
    # Even if both have the same time.
    os.utime(template, ns=(written.st_mtime_ns, written.st_mtime_ns))
    assert cached(tmp_path) == "two 1"


def test_a_folder_where_nothing_can_be_kept_only_costs_time(tmp_path: Path) -> None:
    (tmp_path / "a.j2").write_text("one {{ x }}")
    # Root may write anywhere, but not where the folder cannot be created.
    (tmp_path / "__pycache__").symlink_to("nowhere")
    assert cached(tmp_path) == "one 1"
