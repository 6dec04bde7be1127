"""Who performs a run, as shown to other runs and on hosts."""

from __future__ import annotations

import getpass
import os


def performer() -> str:
    """Return $AERODROME_PERFORMER, or else user@machine, as one line of at most 200 characters."""
    try:
        who = os.environ.get("AERODROME_PERFORMER") or f"{getpass.getuser()}@{os.uname().nodename}"
    except (KeyError, OSError):  # a user without a name, as in containers
        who = f"uid {os.getuid()}@{os.uname().nodename}"
    return "".join(letter if letter.isprintable() else "?" for letter in who)[:200]
