"""SELinux: the types of what was made where its policy has rules of its own."""

from __future__ import annotations

from aerodrome.core.resource import as_user, quote


def relabel(*paths: str, user: str = "root") -> str:
    """Return sh that gives what was made the types that the host's rules say, where SELinux is on.

    The policy calls `bin` below /opt bin_t, which systemd may execute; what root makes there is usr_t until then.
    What belongs to another `user` is relabelled by that user: restorecon goes by path names, so while it walks, a
    directory could be swapped for a link, or a file for a hard link to one of root's. An owner may relabel what is
    its own, and nothing else.
    """
    restorecon = f"restorecon -RF {' '.join(quote(path) for path in paths)}"
    return f"! selinuxenabled 2>/dev/null || {restorecon if user == 'root' else as_user(user, restorecon)}"
