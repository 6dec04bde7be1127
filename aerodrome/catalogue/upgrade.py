"""Which upgrades of Airflow are supported, and in which steps."""

from __future__ import annotations

import re

FORM = re.compile(r"\d{1,4}(\.\d{1,4}){2}")
# The metadata database is migrated step by step: 3.3.2 knows no revision of 1.10, and 1.10.10 to 2.11.2 to 3.3.2 works
# (tried). Airflow's own guide asks for 2.7 or later before 3.
FROM_1 = "2.11.2"
SINCE = (2, 7)


def unsupported(before: str, after: str) -> str:
    """Return why an upgrade from one version to another is not supported, and what is; empty if it is."""
    if not FORM.fullmatch(after):
        return f"{after[:40]!r} is not a version such as 3.3.2"
    old, new = numbers(before), numbers(after)
    if new == old:
        return f"the fleet already runs Airflow {before}"
    if new < old:
        return f"{after} is older than {before}, which has migrated the database; fab upgrade --back undoes an upgrade"
    if old[0] == 1 and new[0] == 2 and new < numbers(FROM_1):
        return f"from {before}, upgrade to {FROM_1} or later"
    return ""


def steps(before: str, after: str) -> tuple[str, ...]:
    """Return the versions to which the database is migrated, one after another, on the way from one to another."""
    old, new = numbers(before), numbers(after)
    return (FROM_1, after) if new[0] == 3 and old[:2] < SINCE else (after,)


def may_roll(before: str, after: str) -> bool:
    """Tell whether processes of both versions may run side by side, if they use the same revision of the database.

    Tried within 3.3; from 3.1 to 3.3, tasks fail that begin while the scheduler is new and the API server is not.
    """
    return numbers(before)[:2] == numbers(after)[:2]


def needs_repair(before: str) -> bool:
    """Tell whether the database of a version has to be repaired before another one can migrate it."""
    return numbers(before)[:1] == (1,)


def leaves_unversioned(before: str, after: str) -> bool:
    """Tell whether tasks that one version has planned have no version of their DAG, which the other one needs."""
    return numbers(before) < (3,) <= numbers(after)


def numbers(version: str) -> tuple[int, ...]:
    """Return the first three numbers of a version."""
    return tuple(int(part) for part in re.findall(r"\d{1,9}", version)[:3])
