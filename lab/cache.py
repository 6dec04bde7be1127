"""The download caches that all hosts of all labs share: uv's and pip's, bound into each host."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path

from lab.layout import CACHE

# Directory in CACHE → mount point on the hosts.
BINDS = {"uv": "/var/cache/uv", "pip": "/var/cache/pip"}

# The service user's uid differs between hosts, such as 1000 and 1001. These are the uids that useradd
# assigns first: to people from 1000 up, to system users from 999 down.
WRITERS = range(990, 1021)

_VERSION = 2  # of the attribute: linux/posix_acl_xattr.h
_OWNER, _USER, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_NO_ID = 0xFFFFFFFF


def acl(writers: Iterable[int]) -> bytes:
    """Return the POSIX ACL that lets all these users write, in the kernel's format.

    World-writable (1777) directories are not enough: directories that uv creates in them belong to its
    user alone. A default ACL is inherited. It names users instead of allowing "other" to write, because
    uv copies modes, which would make the virtual environments world-writable.
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
    """Create the shared caches."""
    for name in BINDS:
        _share(CACHE / name)


def _share(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for attribute in ("system.posix_acl_default", "system.posix_acl_access"):
        os.setxattr(folder, attribute, acl(WRITERS))
