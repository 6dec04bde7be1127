"""SELinux: set the types of new files for which the host's policy has its own rules."""

from __future__ import annotations

from aerodrome.core.resource import as_user, quote


def relabel(*paths: str, user: str = "root") -> str:
    """Return sh that gives new files the types of the host's policy, if SELinux is enabled.

    The policy calls `bin` below /opt bin_t, which systemd may execute; until then, files that root creates there are
    usr_t. Files that belong to another `user` are relabelled by that user: restorecon goes by path names, so while it
    walks, a directory could be swapped for a link, or a file for a hard link to one of root's. An owner may relabel
    only their own files.
    """
    restorecon = f"restorecon -RF {' '.join(quote(path) for path in paths)}"
    return f"! selinuxenabled 2>/dev/null || {restorecon if user == 'root' else as_user(user, restorecon)}"
