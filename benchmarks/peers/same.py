"""Compare the state that two ways of deploying left: a host's fingerprint by line, with permitted differences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Failed
from benchmarks.practice import HOSTS
from lab.fleet import Lab

SCRIPT = Path(__file__).with_name("fingerprint.sh")
Fingerprint = Mapping[str, str]  # kind and key → value


@dataclass(frozen=True)
class MayDiffer:
    """An exception to the comparison: lines whose kind and key fully match `pattern`."""

    pattern: str
    reason: str


ALWAYS = (
    MayDiffer(r"file /usr/local/airflow/dags", "Aerodrome has a link to a release there, the others a folder"),
    MayDiffer(r"file /usr/local/airflow/dags-releases.*", "the same: the releases of that link"),
    MayDiffer(r"file /usr/local/airflow/airflow\.(cfg|db).*", "Airflow itself writes them when it first starts"),
    MayDiffer(r"python (pip|setuptools)", "Aerodrome's environment has no installer of its own"),
)
ANSIBLE = (
    MayDiffer(
        r"package (python3-apt|python-apt-common|distro-info-data)", "Ansible's module apt installs it for itself"
    ),
    MayDiffer(r"package acl", "Ansible needs it to become the service user"),
    MayDiffer(r"package python3-packaging", "Ansible's module pip needs it"),
    MayDiffer(r"package (python3-psycopg2|libpq5)", "the modules of community.postgresql need it"),
)
BY_HAND = (MayDiffer(r"python uv", "by hand, the environment has the uv that filled it"),)


def fingerprints(lab: Lab) -> dict[str, dict[str, str]]:
    """Return the fingerprint of each host of the fleet."""
    script = SCRIPT.read_text()
    found = {}
    for host in HOSTS:
        done = lab.run(host, script)
        if done.returncode:
            raise Failed(f"{host}: the fingerprint cannot be taken: {done.stderr.strip()}")
        found[host] = parse(done.stdout)
    return found


def parse(text: str) -> dict[str, str]:
    """Return the lines of fingerprint.sh as a mapping of kind and key to value; ValueError for any other line."""
    lines = [line.split("\t") for line in text.splitlines() if line]
    return {f"{kind} {key}": value for kind, key, value in lines}


def differences(wanted: Fingerprint, found: Fingerprint, may: Iterable[MayDiffer] = ()) -> list[str]:
    """Return the lines in which a host differs from the expected state, in order of their keys."""
    left_out = [re.compile(each.pattern) for each in may]
    keys = [key for key in sorted({*wanted, *found}) if not any(pattern.fullmatch(key) for pattern in left_out)]
    return [
        f"{key}: {found.get(key, 'missing')}, not {wanted.get(key, 'missing')}"
        for key in keys
        if wanted.get(key) != found.get(key)
    ]


def assert_same(
    wanted: Mapping[str, Fingerprint], found: Mapping[str, Fingerprint], who: str, may: Iterable[MayDiffer] = ()
) -> None:
    """Raise Failed with every difference if `who` did not leave a fleet in the expected state."""
    may = [*ALWAYS, *may]
    wrong = [f"{host}: {each}" for host in wanted for each in differences(wanted[host], found[host], may)]
    if wrong:
        raise Failed(f"{who} did not leave what Aerodrome leaves:\n" + "\n".join(wrong))
