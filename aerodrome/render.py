"""Templates to text: a name that a template uses and nobody gave is an error, never an empty string."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import BytecodeCache, Environment

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"


def render(template: str, **values: object) -> str:
    """Return the text of `templates/<template>`, with `values` put in."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # what is rendered is no HTML; values are quoted where they are made
        bytecode_cache=None if sys.dont_write_bytecode else _beside(TEMPLATES),
    )


def _beside(folder: Path) -> BytecodeCache:
    """Keep compiled templates where Python keeps compiled modules, and so exactly as trusted as the code itself.

    A template that has changed is compiled again: the cache holds a digest of the source.
    """
    from jinja2 import FileSystemBytecodeCache
    from jinja2.bccache import Bucket

    class Beside(FileSystemBytecodeCache):
        def dump_bytecode(self, bucket: Bucket) -> None:
            # As in Python itself, a checkout that is read-only or a full disk only costs time.
            with suppress(OSError):
                Path(self.directory).mkdir(exist_ok=True)
                super().dump_bytecode(bucket)

    return Beside(str(folder / "__pycache__"))
