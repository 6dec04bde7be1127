"""Find and read the files on this machine that the operator names, with clear errors."""

from __future__ import annotations

import os
from pathlib import Path

from aerodrome.errors import InvalidInput

LARGEST = 16 << 20  # bytes; no hand-written file is larger, and /dev/zero never ends
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
UTF_8_MARK = "\ufeff"  # Windows editors put it at the start of a file


def hosts_file() -> Path:
    """Return hosts.yaml of the current directory, or else the one next to the fabfile that Fabric finds further up."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        found = folder / "hosts.yaml"
        if found.exists():
            return Path(os.path.relpath(found))
        if (folder / "fabfile.py").exists():
            break
    return Path("hosts.yaml")


def expand(path: str, where: str) -> str:
    """Return a path with `~` and `~name` expanded; `where` starts the error about an unknown name."""
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        name = expanded.partition("/")[0]
        raise InvalidInput(
            f"{where}{name}: this machine has no such user", f"for a directory of that name, write ./{name}"
        )
    return expanded


def read_text(file: Path, where: str, hint: str = "") -> str:
    """Return the text of a file; InvalidInput says why it cannot be read."""
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST + 1)
    except FileNotFoundError:
        raise InvalidInput(f"{where}there is no file {file.absolute()}", hint) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidInput(f"{where}{file} cannot be read: {reason}", hint) from None
    if len(content) > LARGEST:
        raise InvalidInput(f"{where}{file} is larger than {LARGEST >> 20} MB", hint)
    try:
        return content.decode().removeprefix(UTF_8_MARK)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{where}{file}{_not_utf_8(content, error.start)}: save it as UTF-8", hint) from None


def _not_utf_8(content: bytes, place: int) -> str:
    if content.startswith(UTF_16):
        return " is UTF-16"
    line = content.count(b"\n", 0, place) + 1
    column = place - content.rfind(b"\n", 0, place)
    return f":{line}: byte {column} of the line (0x{content[place]:02X}) is not UTF-8 text"
