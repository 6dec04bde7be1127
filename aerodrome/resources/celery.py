"""Where a host looks for Celery's broker and results. Queued and running tasks do not move with them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aerodrome.core.resource import quote
from aerodrome.dataclass import dataclass
from aerodrome.resources.environment import assignments, escape

BROKER, RESULTS = "AIRFLOW__CELERY__BROKER_URL", "AIRFLOW__CELERY__RESULT_BACKEND"
COMMAND = "_CMD"
PARTS = ("broker", "results")
KEEP = "broker.separate: false keeps them where they are"
# The dialect and driver that Celery uses (SQLAlchemy) do not matter for the place.
WAYS = {"sqla", "db", "psycopg2", "psycopg"}
PORTS = {"postgresql": "5432", "redis": "6379", "amqp": "5672"}


@dataclass(frozen=True)
class Places:
    """Where broker and results are, according to a host's environment files, and where they should be.

    `files` are in the order in which systemd reads them. Logins do not count, so a new password moves nothing. `wanted`
    are places as `places` returns them, with the addresses of `names` (name, address) instead of names. Places in
    `before` move because nothing in hosts.yaml sets them.
    """

    files: tuple[str, ...]
    wanted: tuple[str, str]
    lines: tuple[str, str] = ("", "")  # the wanted lines, each without the part before the @ of a login
    names: tuple[tuple[str, str], ...] = ()
    before: tuple[str, str] = ("", "")

    def look(self, then: str = ":") -> str:
        """Return sh that prints the lines that set them and runs `then`, if one of them is not as wanted.

        If all of them are, or there is no broker, it starts no process.
        """
        files = " ".join(quote(path) for path in self.files)
        return (
            f"broker= results=; for file in {files}; do\n"
            '[ ! -r "$file" ] || while IFS= read -r line; do case $line in\n'
            f"{BROKER}*) broker=${{line##*@}} ;; {RESULTS}*) results=${{line##*@}} ;; esac\n"
            'done <"$file"; done\n'
            f"case $broker@$results in @* | {quote('@'.join(self.lines))}) ;;\n"
            f"*) grep -hs '^AIRFLOW__CELERY__\\(BROKER_URL\\|RESULT_BACKEND\\)' {files}\n{then} ;; esac"
        )

    def reason(self, text: str) -> str:
        """Return which of them moves; nothing if none does, or if the host has never had a broker."""
        found = {name: lines[0].partition("=")[2] for name, lines in assignments(text) if name}
        variables = {name: _unquoted(value) for name, value in found.items()}
        broker, results = found_at = places(variables, dict(self.names))
        moving = [what for what, now, then in zip(PARTS, found_at, self.wanted, strict=True) if now != then]
        if not broker or not moving:
            return ""
        reason = f"Celery's {' and '.join(moving)} move{'s' if moving == ['broker'] else ''}"
        return reason + (f"; {KEEP}" if found_at == self.before else "")


def places(variables: Mapping[str, str], names: Mapping[str, str]) -> tuple[str, str]:
    """Return the places of broker and results among these variables: without a login, or the command that prints them.

    Servers in `names` are replaced by their addresses.
    """
    return _place(variables, BROKER, names), _place(variables, RESULTS, names)


def lines(variables: Mapping[str, str]) -> tuple[str, str]:
    """Return the lines that set broker and results in a file of these variables, without the part before an @."""
    found = {name: f"{name}={escape(value)}".rpartition("@")[2] for name, value in variables.items()}
    broker, results = (found.get(name) or found.get(name + COMMAND, "") for name in (BROKER, RESULTS))
    return broker, results


def _place(variables: Mapping[str, str], name: str, names: Mapping[str, str]) -> str:
    # Airflow prefers the variable itself to the command.
    if not (url := variables.get(name, "")):
        return variables.get(name + COMMAND, "")
    scheme, _, rest = url.partition("://")
    kind = "+".join(part for part in scheme.split("+") if part not in WAYS).removeprefix("py")
    kind = "postgresql" if kind == "postgres" else kind
    server, slash, path = rest.rpartition("@")[2].partition("?")[0].partition("/")
    host, port = re.fullmatch(r"(.*?)(?::(\d+))?", server).groups()  # type: ignore[union-attr]  # it matches all
    server = f"{names.get(host, host)}:{port or PORTS.get(kind, '')}".removesuffix(":")
    return f"{kind}://{server}{slash}{path}"


def _unquoted(value: str) -> str:
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return re.sub(r"\\(.)", r"\1", value[1:-1]) if value[0] == '"' else value[1:-1]
    return value
