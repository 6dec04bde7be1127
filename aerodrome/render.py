"""Templates to text: {{ name }} stands for a value. A name that a template uses and nobody gave is an error."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import Template

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"


class _Text(Template):
    """Only {{ name }} means anything: $, % and single braces belong to the shell, systemd and nftables."""

    pattern = r"""\{\{\ (?P<named>[a-z_]+)\ \}\} | (?P<invalid>\{\{) | (?P<braced>(?!)) | (?P<escaped>(?!))"""  # type: ignore[assignment]


def render(template: str, **values: object) -> str:
    """Return the text of `templates/<template>`, with `values` put in.

    Raises KeyError for a name without a value, and ValueError for braces without a name.
    """
    return _template(TEMPLATES / template).substitute(values)


def render_parts(parts: dict[str, bool], **values: object) -> str:
    """Return the text of a file that consists of several templates: those that are true, in order."""
    return "".join(render(part, **values) for part, wanted in parts.items() if wanted)


@cache
def _template(path: Path) -> _Text:
    return _Text(path.read_text())
