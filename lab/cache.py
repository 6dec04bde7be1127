"""The download caches that all hosts of all labs share: uv's and pip's, bound into each host."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path

from lab.layout import CACHE

# Folder in CACHE, and where the hosts see it.
BINDS = {"uv": "/var/cache/uv", "pip": "/var/cache/pip"}

# The service user is 1000 on one host and 1001 on the next: the uids that useradd gives first,
# to people from 1000 up, to system users from 999 down.
WRITERS = range(990, 1021)

_VERSION = 2  # of the attribute: linux/posix_acl_xattr.h
_OWNER, _USER, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_NO_ID = 0xFFFFFFFF


def acl(writers: Iterable[int]) -> bytes:
    """Return the POSIX ACL under which all these users may write, as the kernel stores it.

    World-writable (1777) folders would not do: the folders that uv makes in them are its user's
    alone. A default ACL is inherited. It names users, and does not say "other: write", because uv
    copies modes, and the virtual environments would be writable for everybody.
    """
    entries = [
        (_OWNER, 7, _NO_ID),
        *((_USER, 7, uid) for uid in sorted(writers)),
        (_GROUP, 5, _NO_ID),
        (_MASK, 7, _NO_ID),
        (_OTHER, 5, _NO_ID),
    ]
    return struct.pack("<I", _VERSION) + b"".join(struct.pack("<HHI", *each) for each in entries)


def prepare() -> None:
    """Make the shared caches."""
    for name in BINDS:
        _share(CACHE / name)


def _share(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for attribute in ("system.posix_acl_default", "system.posix_acl_access"):
        os.setxattr(folder, attribute, acl(WRITERS))
