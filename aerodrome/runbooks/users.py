"""Create a web UI user, or reset the password of an existing one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from aerodrome.components.command import command_host
from aerodrome.components.inputs import Inputs
from aerodrome.components.users import user_created
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage
from aerodrome.core.step import Step
from aerodrome.errors import InvalidInput
from aerodrome.secrets import Secret


def create_user(
    inputs: Inputs,
    hosts: Sequence[str],
    roles: Collection[str],
    person: tuple[str, str, str, str, str],
    password: Secret,
    mark: str,
) -> Runbook:
    """Create a user on the first scheduler's host, or on the only one of `hosts`; `person` as in `user_created`.

    Raises InvalidInput if the name is not one line of printable characters.
    """
    if not person[0].isprintable():
        raise InvalidInput("--name contains a control character", "use printable characters only")
    host = command_host(inputs.fleet, hosts)
    step = Step("create-user", (user_created(inputs, host, person, password, mark),))
    return Runbook("create-user", (Stage("create-user", {host.name: [step]}, {}),), secrets=False)
