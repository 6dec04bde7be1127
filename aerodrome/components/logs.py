"""The journals of units."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from aerodrome.components.inputs import Inputs
from aerodrome.core.resource import quote
from aerodrome.fleet.model import Host

# The unit that an entry is about (systemd.journal-fields(7)): in systemd's own messages it is in UNIT=.
UNIT_FIELDS = ("UNIT", "OBJECT_SYSTEMD_UNIT", "COREDUMP_UNIT", "_SYSTEMD_UNIT")
FIELDS = ",".join(("MESSAGE", "SYSLOG_IDENTIFIER", "_COMM", "_PID", *UNIT_FIELDS))
JOURNAL = f"journalctl --no-pager -q -a -o json --output-fields={FIELDS}"
# Follow from exactly where the last entries end: a cursor contains the time of its entry, in hexadecimal.
SINCE_NOW = """\
cursor=$(journalctl -q -n 0 --show-cursor); cursor=${cursor#-- cursor: }
time=${cursor##*;t=}; time=${time%%;*}; time=$((0x${time:-0}))
until=@$((time / 1000000)).$(printf %06d $((time % 1000000)))"""
SHOWN = "@shown"  # printed after the last entries; from here on the journal is followed


def journal_units(inputs: Inputs, host: Host, roles: Collection[str]) -> dict[str, str]:
    """Return the units of a host's roles by role, as `journalctl -u` accepts them."""
    here = [*inputs.roles(host), *(name for name in inputs.fleet.services if name in inputs.fleet.roles_of(host))]
    return {role: inputs.components[role].unit(inputs) for role in here if role in roles}


def journal_script(units: Mapping[str, str], lines: int, follow: bool) -> str:
    """Return sh that prints each unit's last entries; `follow` prints new ones until descriptor 3 is closed."""
    until = ' --until="$until"' if follow else ""
    last = [f"{JOURNAL} -n {int(lines)} -u {quote(unit)}{until}" for unit in units.values()] if lines else []
    if not follow:
        return "\n".join(last)
    options = " ".join(f"-u {quote(unit)}" for unit in units.values())
    following = f'{JOURNAL} -f --no-tail ${{cursor:+--after-cursor="$cursor"}} {options}'
    # journalctl would outlive our connection: stop it when our side of the channel closes.
    return "\n".join(
        [SINCE_NOW, *last, f"echo {SHOWN}", f"{following} & journal=$!", "cat <&3 >/dev/null", "kill $journal"]
    )


@dataclass(frozen=True, order=True)
class Entry:
    """One journal entry; `time` is in microseconds since the epoch, by the host's clock."""

    time: int
    host: str
    role: str
    text: str

    def lines(self) -> Iterator[str]:
        """Yield the lines to show, each with time and program, because a message may have several lines."""
        time = datetime.fromtimestamp(self.time // 1000 / 1000, UTC).isoformat(timespec="milliseconds")
        for line in self.text.splitlines() or [""]:
            yield f"{time.replace('+00:00', 'Z')} {line}"


def read_entry(host: str, units: Mapping[str, str], line: str) -> Entry | None:
    """Parse one line of journalctl's JSON; None if it concerns none of `units` or cannot be parsed."""
    try:
        found: Any = json.loads(line)
        time = int(found["__REALTIME_TIMESTAMP"])
        datetime.fromtimestamp(time // 1_000_000, UTC)
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        return None
    names = [str(found.get(field)) for field in UNIT_FIELDS]
    role = next((role for name in names for role, unit in units.items() if fnmatchcase(name, unit)), "")
    if not role:
        return None
    speaker = found.get("SYSLOG_IDENTIFIER") or found.get("_COMM") or "?"
    pid = f"[{found['_PID']}]" if found.get("_PID") else ""
    return Entry(time, host, role, "\n".join(f"{speaker}{pid}: {each}" for each in _message(found).splitlines()))


def _message(found: Mapping[str, Any]) -> str:
    """Return an entry's message; if it is not valid UTF-8, journalctl prints it as a list of byte values."""
    message = found.get("MESSAGE")
    if isinstance(message, list):
        return bytes(byte for byte in message if isinstance(byte, int) and 0 <= byte < 256).decode("utf-8", "replace")
    return message if isinstance(message, str) else ""
