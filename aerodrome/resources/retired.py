"""Units that an earlier hosts.yaml had on a host, and this one has not."""

from __future__ import annotations

import re

from aerodrome.core.resource import Change, Seen, quote
from aerodrome.dataclass import dataclass
from aerodrome.resources.drain import Drain, stop_script
from aerodrome.resources.systemd import PROPERTIES, RUNS, UnitState

REASON = "no longer in hosts.yaml"
MOST = 64  # units that an answer is read for: there are not more roles


@dataclass(frozen=True)
class Retired:
    """Units that neither run nor start with their machine; `units` of all `unwanted` on the host.

    A host is asked for all of them at once, whichever a resource is about, and by what systemd keeps in directories:
    links of enabled units (systemd.unit(5), [Install]) and of those that run (/run/systemd/units). Where there are
    none, as nearly always, no process is started.
    """

    unwanted: tuple[str, ...]
    units: tuple[str, ...]
    drains: tuple[tuple[str, Drain], ...] = ()  # how those of them stop that run tasks

    @property
    def key(self) -> str:
        return f"retired {' '.join(self.units)}"

    def probe(self) -> str:
        names, link = " ".join(quote(unit) for unit in self.unwanted), RUNS.format('"$unit"')
        return (
            f"found=; for unit in {names}; do\n"
            f'for link in /etc/systemd/system/*.wants/"$unit" {link}; do\n'
            '[ ! -h "$link" ] || { found="$found $unit"; break; }; done; done\n'
            f'[ -z "$found" ] || {{ date +Now=%s; echo; TZ=UTC systemctl show -p Id,{PROPERTIES} $found; }}'
        )

    def changes(self, seen: Seen) -> list[Change]:
        drains = dict(self.drains)
        return [_end(unit, state, drains.get(unit)) for unit, state in leftovers(seen.text) if unit in self.units]


def leftovers(text: str) -> list[tuple[str, UnitState]]:
    """Read what the probe printed: the units that run or would start with their machine."""
    head, *blocks = text.strip().split("\n\n", MOST)
    now = re.search(r"^Now=(\d{1,12})$", head, re.MULTILINE)
    found = []
    for block in blocks:
        name = re.search(r"^Id=(\S+)$", block, re.MULTILINE)
        state = UnitState.parse(f"{block}\nNow={now[1] if now else 0}")
        if name and (state.runs or _enabled(state)):
            found.append((name[1], state))
    return found


def _enabled(state: UnitState) -> bool:
    return state.file.startswith("enabled")


def _end(unit: str, state: UnitState, drain: Drain | None) -> Change:
    does = {"stop": state.runs, "disable": _enabled(state)}
    words = [word for word, wanted in does.items() if wanted]
    scripts = {"stop": stop_script(unit, drain), "disable": f"systemctl disable {quote(unit)}"}
    script = "\n".join(scripts[word] for word in words)
    return Change(f"{' and '.join(words)} {unit} ({REASON})", script, interrupts=does["stop"])
