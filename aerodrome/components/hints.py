"""What to do about failures that are known by what they print."""

from __future__ import annotations

NO_PACKAGE = "its package sources do not have it: see {}; a Python of your own is named by its path: airflow.python"

HINTS = {
    "No space left on device": "the disk is full: make room, and run the same again",
    "Wrote only": "the disk is full: make room, and run the same again",  # tar, of the last block that fits in part
    "password authentication failed": "the database refuses the password: fab setup-db sets it from hosts.yaml",
    "no pg_hba.conf entry": "the database does not let this host in: fab setup-db",
    "Could not resolve host": "the host cannot look up names: see its /etc/resolv.conf",
    "Couldn't resolve host": "the host cannot look up names: see its /etc/resolv.conf",  # dnf
    "Temporary failure": "the host cannot look up names, or reach its package index",
    "Unable to locate package": NO_PACKAGE.format("/etc/apt/sources.list.d"),
    "has no installation candidate": NO_PACKAGE.format("/etc/apt/sources.list.d"),
    "No match for argument": NO_PACKAGE.format("dnf repolist"),
    "nothing provides": NO_PACKAGE.format("dnf repolist"),
    "Address already in use": "something else uses the port: ss -ltnp",
    # systemd's own words, of a path that ReadWritePaths= names and that is not there.
    "Failed to set up mount namespacing": "a path of read_write_paths is missing: make it",
    "Read-only file system": "a file system is mounted read-only, often after a disk error (dmesg); or a unit's "
    "sandbox lets it write elsewhere only (read_write_paths in hosts.yaml)",
}
