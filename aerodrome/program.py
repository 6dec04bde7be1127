"""The namespace: which task has which name. No logic, and no input or output, because tab completion imports this."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

PROBES = Path(__file__).resolve().parent.parent / "probes"

# An import of a module of ours, which its text replaces, or of `typing`, which only the type checker needs and which
# takes a node milliseconds to import.
IMPORT = re.compile(r"^from (?:probes\.(\w+)|typing) import .*\n", re.MULTILINE)
# Docstrings and comments are removed, because every run sends these programs to every node.
# @fabfile.py
WORDS = re.compile(r'^ *(?:"""(?:.|\n)*?"""|#.*)\n', re.MULTILINE)
GAP = re.compile(r"\n{3,}")


def program(name: str, /, **parameters: object) -> str:
    """Return the program `probes/<name>.py`, with a last line that calls its `main` with these parameters, as JSON."""
    given = f"**json.loads({json.dumps(parameters)!r})" if parameters else ""
    return f"# Aerodrome's probes/{name}.py\n{_text(name)}\nimport json\nmain({given})\n"


@cache
def _text(name: str) -> str:
    """Return the text of a module and of what it imports from `probes/`, each once, without docstrings and comments."""
    inlined: set[str] = set()

    def inline(module: str | None) -> str:
        if module is None or module in inlined:
            return ""
        inlined.add(module)
        text = (PROBES / f"{module}.py").read_text(encoding="utf-8")
        return IMPORT.sub(lambda found: inline(found[1]), WORDS.sub("", text))

    return GAP.sub("\n\n", inline(name)).strip("\n") + "\n"
