"""What a deploy of a whole hosts.yaml wants on each host, as Aerodrome itself works it out."""

from __future__ import annotations

from pathlib import Path

from aerodrome.blueprint.inputs import Inputs
from aerodrome.blueprint.stages import by_host, stages
from aerodrome.blueprint.step import Step
from aerodrome.controller import Vault, load
from aerodrome.fleet import ROLES
from aerodrome.resources.base import Resource
from aerodrome.resources.module import Module
from tasks.values import look_up


def inputs_of(hosts_yaml: Path) -> Inputs:
    """Read hosts.yaml, and look up its values; the secrets that are made are kept, for `fab deploy` to use the same."""
    fleet = load(str(hosts_yaml))
    vault = Vault(fleet)
    inputs = look_up(fleet, vault)
    vault.keep()
    return inputs


def steps(inputs: Inputs) -> dict[str, list[Step]]:
    """Return all steps of each host."""
    return by_host(stages(inputs, list(inputs.fleet.hosts), list(ROLES)))


def resources(inputs: Inputs) -> dict[str, list[Resource]]:
    """Return all resources of each host; a module is a file as any other."""
    return {
        host: [each.file if isinstance(each, Module) else each for step in own for each in step.resources]
        for host, own in steps(inputs).items()
    }
