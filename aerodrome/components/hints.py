"""Hints for failures that are recognized by their output."""

from __future__ import annotations

FULL = "the disk is full: free some space, and run the same command again"
NO_PACKAGE = "its package sources do not have it: check {}; for your own Python, set airflow.python to its path"

HINTS = {
    "No space left on device": FULL,
    "Wrote only": FULL,  # tar, if the last block fits only in part
    "password authentication failed": "the database rejects the password: fab setup-db sets it from hosts.yaml",
    "no pg_hba.conf entry": "the database does not allow this host: run fab setup-db",
    "Could not resolve host": "the host cannot resolve names: check its /etc/resolv.conf",
    "Couldn't resolve host": "the host cannot resolve names: check its /etc/resolv.conf",  # dnf
    "Temporary failure": "the host cannot resolve names, or cannot reach its package index",
    "Unable to locate package": NO_PACKAGE.format("/etc/apt/sources.list.d"),
    "has no installation candidate": NO_PACKAGE.format("/etc/apt/sources.list.d"),
    "No match for argument": NO_PACKAGE.format("dnf repolist"),
    "nothing provides": NO_PACKAGE.format("dnf repolist"),
    "Address already in use": "something else is using the port: ss -ltnp",
    # systemd's message if a path in ReadWritePaths= does not exist.
    "Failed to set up mount namespacing": "a path in read_write_paths is missing: create it",
    "Read-only file system": "a file system is mounted read-only, often after a disk error (dmesg); or a unit's "
    "sandbox allows writes only elsewhere (read_write_paths in hosts.yaml)",
}
