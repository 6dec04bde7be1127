"""SELinux: the types of what was made where its policy has rules of its own."""

from __future__ import annotations

from aerodrome.resources.base import quote


def relabel(*paths: str) -> str:
    """Return sh that gives what was made the types that the host's rules say, where SELinux is on.

    The policy calls `bin` below /opt bin_t, which systemd may execute; what root makes there is usr_t until then.
    """
    return f"! selinuxenabled 2>/dev/null || restorecon -RF {' '.join(quote(path) for path in paths)}"
