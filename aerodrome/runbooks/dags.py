"""Copy the DAG folder to every node, and switch back to an earlier one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from aerodrome.checks.releases import Release, before
from aerodrome.components.inputs import Inputs
from aerodrome.components.node import dags
from aerodrome.components.releases import DAGS, kinds
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage, only
from aerodrome.core.step import Step
from aerodrome.errors import FleetError, HostError, InvalidInput
from aerodrome.resources.release import BY_HAND, NAME, Switched


def deploy_dags(inputs: Inputs, hosts: Collection[str], roles: Collection[str]) -> Runbook:
    """Copy the DAG folder and airflow.cfg to the nodes among `hosts`. Raises InvalidInput if neither is configured."""
    resources = dags(inputs)
    if not resources:
        raise InvalidInput(f"{inputs.fleet.source}: there is no DAG folder to deploy", "set deploy.dags")
    steps = {host.name: [Step("node.dags", resources)] for host in inputs.fleet.nodes()}
    return Runbook("deploy-dags", tuple(only([Stage("dags", steps, {})], hosts)), secrets=False)


def rollback_dags(inputs: Inputs, hosts: Collection[str], roles: Collection[str], to: str = "") -> Runbook:
    """Switch the nodes among `hosts` to the release `to` of the DAG folder.

    The next deploy-dags moves forward again. If a node does not have that release, nothing is changed on any node.
    """
    if not NAME.fullmatch(to):
        raise InvalidInput(f"--to: {to[:40]!r} is not the name of a release", "see them: fab releases")
    switched = Switched(kinds(inputs)[DAGS], to)
    steps = {host.name: [Step("node.dags", (switched,))] for host in inputs.fleet.nodes()}
    return Runbook("rollback-dags", tuple(only([Stage("dags", steps, {})], hosts)), secrets=False)


def previous_dags(found: Sequence[Release]) -> str:
    """Return the release before the one in use, which must be the same on all nodes.

    Raises InvalidInput, naming the nodes, if they differ or have none; FleetError if one could not be asked.
    """
    if failed := [HostError(each.host, "releases", each.detail) for each in found if not each.ok]:
        raise FleetError(failed)
    if not found:
        raise InvalidInput("no selected host has a release of the DAG folder", "copy one there: fab deploy-dags")
    before_each: dict[str, tuple[str, str]] = {}
    for host in dict.fromkeys(each.host for each in found):
        mine = [each for each in found if each.host == host and each.put and not each.name.startswith(BY_HAND)]
        current = next((each.name for each in mine if each.state == "in use"), "")
        before_each[host] = current, before(current, [each.name for each in mine])
    hint = "choose a release that all nodes have, by its name: fab releases; fab rollback-dags --to=NAME"
    if without := [host for host, (_, name) in before_each.items() if not name]:
        raise InvalidInput(f"{', '.join(without)}: there is no release before the one in use", hint)
    if len(set(before_each.values())) > 1:
        told = "; ".join(f"{host} uses {now}, and before that {name}" for host, (now, name) in before_each.items())
        raise InvalidInput(f"the nodes differ: {told}", hint)
    return next((name for _, name in before_each.values()), "")
