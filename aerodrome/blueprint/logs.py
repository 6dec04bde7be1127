"""What units say: their journals."""

from __future__ import annotations

from collections.abc import Collection

from aerodrome.blueprint.inputs import Inputs
from aerodrome.blueprint.redis import redis_unit
from aerodrome.fleet import Host
from aerodrome.resources.base import quote


def journal_script(inputs: Inputs, host: Host, roles: Collection[str], lines: int, follow: bool) -> str:
    """Return sh that prints the last lines of a host's units; with `follow` until its descriptor 3 is closed."""
    units = [inputs.unit(role) for role in inputs.roles(host) if role in roles]
    if host.name in inputs.fleet.roles["database"] and "database" in roles:
        units.append("postgresql*")
    if host.name in inputs.fleet.roles["redis"] and "redis" in roles:
        units.append(redis_unit(inputs))
    options = " ".join(f"-u {quote(unit)}" for unit in units)
    journal = f"journalctl --no-pager -q -o short-iso -n {int(lines)} {options}"
    if not follow:
        return journal
    # The journal would be followed for ever after we are gone: end it when our side of the channel closes.
    return f"{journal} -f & journal=$!\ncat <&3 >/dev/null\nkill $journal"
