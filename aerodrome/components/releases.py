"""The releases that nodes keep: DAG folders and virtual environments."""

from __future__ import annotations

from collections.abc import Sequence

from aerodrome.checks.releases import HeldReleases, Release
from aerodrome.components.inputs import Inputs
from aerodrome.core.check import Look
from aerodrome.fleet.model import Host
from aerodrome.resources.python import environment_releases
from aerodrome.resources.release import Releases
from aerodrome.resources.tree import tree_releases

# Runs checks on each host, by name, and returns their findings.
DAGS, ENVIRONMENT = "dags", "environment"


def kinds(inputs: Inputs) -> dict[str, Releases]:
    """Return the releases of each kind on a node."""
    keep = inputs.fleet.deploy.keep_releases
    return {
        DAGS: tree_releases(f"{inputs.fleet.airflow.home}/dags", keep),
        ENVIRONMENT: environment_releases(inputs.place, keep),
    }


def held(inputs: Inputs, hosts: Sequence[Host], look: Look, kind: str = "") -> list[Release]:
    """Return the releases on the nodes among `hosts`, or only those of one kind."""
    nodes = [host for host in inputs.fleet.nodes() if host in hosts]
    wanted = {name: releases for name, releases in kinds(inputs).items() if kind in ("", name)}
    found = look(
        {host.name: [HeldReleases(host.name, name, releases) for name, releases in wanted.items()] for host in nodes}
    )
    return [
        each if isinstance(each, Release) else Release(each.subject, "failed", each.detail, host=host)
        for host, findings in found.items()
        for each in findings
    ]
