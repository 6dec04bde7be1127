"""Clients of a Redis that has to restart at another address."""

from __future__ import annotations

import re

from aerodrome.core.check import Finding, refused
from aerodrome.core.resource import quote
from aerodrome.dataclass import dataclass

SHOWN = 8  # how many clients' addresses to name
STOP = "run fab stop --role=scheduler,worker, which waits for running tasks; then fab deploy"
WHOLE = "run fab deploy for the whole fleet, without -H and --role: it waits for all tasks first"


@dataclass(frozen=True)
class RedisInUse:
    """Redis already listens where hosts.yaml says, or no client is connected to it.

    `halts`: if the port changes, this run stops Celery's schedulers and workers first, because their own settings name
    it. They do not name the address that Redis listens on (hosts.NAME.listen), so nothing stops if only that changes.
    """

    config: str
    address: str
    port: int
    halts: bool = False

    @property
    def key(self) -> str:
        return f"clients of {self.config}"

    def probe(self) -> str:
        """Return sh that prints where Redis was configured to listen, then its clients. No process if nothing moves."""
        return (
            "bind= port=\n"
            f"[ ! -r {quote(self.config)} ] || while read -r name value; do case $name in\n"
            f"bind) bind=$value ;; port) port=$value ;; esac; done <{quote(self.config)}\n"
            f"case $bind:$port in : | {quote(f'{self.address}:{self.port}')}) ;; *)\n"
            'echo "$bind $port"; ss -Htn state established "sport = :$port" ;; esac'
        )

    def judge(self, answer: str) -> list[Finding]:
        was, _, lines = answer.strip().partition("\n")
        bind, _, port = was.partition(" ")
        peers = [line.split()[3].rpartition(":")[0] for line in lines.splitlines() if len(line.split()) > 3]
        if not peers or (self.halts and port != str(self.port)):
            return []
        clients = [re.sub(r"^\[(::ffff:)?|\]$", "", peer) for peer in dict.fromkeys(peers)]
        shown = ", ".join(clients[:SHOWN]) + (f" and {len(clients) - SHOWN} more" if len(clients) > SHOWN else "")
        return refused(
            self,
            f"Redis would restart to listen on {self.address} port {self.port} instead of {bind} port {port}, and "
            f"running tasks would lose their broker: {shown} {'is' if len(clients) == 1 else 'are'} connected",
            STOP if port == str(self.port) else WHOLE,
        )
