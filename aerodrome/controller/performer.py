"""Who runs this, as other runs and hosts are told."""

from __future__ import annotations

import getpass
import os


def performer() -> str:
    """Return who runs this: $AERODROME_PERFORMER, else the user and machine, as one line of at most 200 characters."""
    try:
        who = os.environ.get("AERODROME_PERFORMER") or f"{getpass.getuser()}@{os.uname().nodename}"
    except (KeyError, OSError):  # a user without a name, as containers have
        who = f"uid {os.getuid()}@{os.uname().nodename}"
    return "".join(letter if letter.isprintable() else "?" for letter in who)[:200]
