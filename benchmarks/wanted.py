"""The state that a deploy of a whole hosts.yaml should leave on each host, according to Aerodrome itself."""

from __future__ import annotations

from pathlib import Path

from aerodrome.components.inputs import Inputs
from aerodrome.components.registry import components
from aerodrome.controller.hosts_file import load
from aerodrome.controller.keyring import Vault
from aerodrome.core.resource import Resource
from aerodrome.core.stage import by_host
from aerodrome.core.step import Step
from aerodrome.resources.module import Module
from aerodrome.runbooks.deploy import stages
from tasks.values import look_up


def inputs_of(hosts_yaml: Path) -> Inputs:
    """Read hosts.yaml and look up its values. Generated secrets are stored, so that `fab deploy` uses the same ones."""
    fleet = load(components().values(), str(hosts_yaml))
    vault = Vault(fleet)
    inputs = look_up(fleet, vault)
    vault.keep()
    return inputs


def steps(inputs: Inputs) -> dict[str, list[Step]]:
    """Return all steps of each host."""
    return by_host(stages(inputs, list(inputs.fleet.hosts), list(inputs.fleet.roles)))


def resources(inputs: Inputs) -> dict[str, list[Resource]]:
    """Return all resources of each host; a module is a file like any other."""
    return {
        host: [each.file if isinstance(each, Module) else each for step in own for each in step.resources]
        for host, own in steps(inputs).items()
    }
