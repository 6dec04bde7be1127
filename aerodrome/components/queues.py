"""The queues of a worker, in a broker that is a database."""

from __future__ import annotations

from aerodrome.components.command import python_program
from aerodrome.components.inputs import Inputs
from aerodrome.core.resource import Change
from aerodrome.fleet.model import Host
from aerodrome.program import program


def declared(inputs: Inputs, host: Host) -> tuple[Change, ...]:
    """Return what is done before the worker of a host is started, so that all workers can start at once.

    Celery's workers each look for their queue's row and make it where there is none: of two that do so at once one
    dies of the other's row (kombu's sqlalchemy transport; seen with 5.6.2). Whether the broker is a database is seen
    on the node, for hosts.yaml may name a command that knows its URL.
    """
    if inputs.fleet.roles["redis"]:
        return ()
    queues = list(host.worker.queues)
    section = inputs.catalogue.variable("operators", "default_queue").split("__")[1].lower()
    declare = program("queues", queues=queues, section=section)
    what = f"the queues {', '.join(queues)}" if queues else "the default queue"
    return (Change(f"declare {what} in the broker", python_program(inputs, declare, "worker")),)
