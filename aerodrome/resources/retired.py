"""Units that an earlier hosts.yaml had on a host, and this one has not."""

from __future__ import annotations

import re

from aerodrome.core.resource import Change, Seen, quote
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError
from aerodrome.resources.drain import Drain, stop_script
from aerodrome.resources.files import MARK
from aerodrome.resources.running import after_end
from aerodrome.resources.systemd import PROPERTIES, RECORDS, RUNS, UnitState

REASON = "no longer in hosts.yaml"
MOST = 64  # units that an answer is read for: there are not more roles
EVIDENCE = 500  # characters of an unexpected answer that are shown


@dataclass(frozen=True)
class Retired:
    """Units that neither run nor start with their machine; `units` of all `unwanted` on the host.

    A host is asked for all of them at once, whichever a resource is about, and by what systemd keeps in directories:
    links of enabled units (systemd.unit(5), [Install]) and of those that run (/run/systemd/units). If there are none,
    as nearly always, no process is started.
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
            f'[ -z "$found" ] || {{ echo "found$found"; date +Now=%s; echo; {self._show} 2>&1 || {self._show} 2>&1; }}'
        )

    @property
    def _show(self) -> str:
        return f"TZ=UTC systemctl show -p Id,{PROPERTIES} $found"

    def changes(self, seen: Seen) -> list[Change]:
        drains = dict(self.drains)
        return [_end(unit, state, drains.get(unit)) for unit, state in leftovers(seen.text) if unit in self.units]


@dataclass(frozen=True)
class RetiredFiles:
    """No file of ours with variables, and with them secrets, on a host that runs Airflow no longer.

    What does not begin with our mark was written by hand, and stays. So does everything while a unit that is none of
    `units`, which end before, runs or is enabled as an instance of the same template: it reads these files.
    """

    service: str
    files: tuple[str, ...]
    units: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"retired files of {self.service}"

    def probe(self) -> str:
        """Return sh that prints units of the template, and whose each file is; it starts no process."""
        files = " ".join(quote(path) for path in self.files)
        return (
            f"for link in {self._running} /etc/systemd/system/*.wants/{quote(self.service)}@*; do\n"
            '[ ! -h "$link" ] || echo "unit ${link##*[:/]}"; done\n'
            f'for file in {files}; do [ -e "$file" ] || continue; line=\n'
            '[ -h "$file" ] || [ ! -f "$file" ] || IFS= read -r line <"$file"\n'
            f'case $line in *{quote(MARK)}*) echo "ours $file" ;; *) echo "theirs $file" ;; esac; done'
        )

    @property
    def _running(self) -> str:
        return RUNS.format(f"{quote(self.service)}@*")

    def told(self, text: str, what: str) -> list[str]:
        """Return the units or files of a kind that the probe printed."""
        lines = [line.partition(" ") for line in text.splitlines()[:MOST]]
        return list(dict.fromkeys(name for kind, _, name in lines if kind == what))

    def others(self, text: str) -> list[str]:
        """Return the units that read the files and do not end by this run."""
        return [unit for unit in self.told(text, "unit") if unit not in self.units]

    def changes(self, seen: Seen) -> list[Change]:
        files = [path for path in self.told(seen.text, "ours") if path in self.files]
        if not files or self.others(seen.text):
            return []
        gone = [*files, *(f"{path}.asked" for path in files), *(f"{RECORDS}/{unit}" for unit in self.units)]
        script = (
            f'for link in {self._running}; do [ ! -h "$link" ] || {{ echo "${{link##*:}} runs"; exit 1; }}; done\n'
            f"rm -f {' '.join(quote(path) for path in gone)}"
        )
        return [Change(f"remove {', '.join(files)} (this host has no role of Airflow any more)", script)]


def leftovers(text: str) -> list[tuple[str, UnitState]]:
    """Read what the probe printed: the units that run or would start with their machine.

    Raises AerodromeError if systemd did not give the state of each: a unit must not be forgotten because of that.
    """
    head, *blocks = text.strip().split("\n\n", MOST)
    if not head.startswith("found "):  # none was; another probe's answer may follow
        return []
    found, _, now = head.removeprefix("found").partition("\nNow=")
    now = now if re.fullmatch(r"\d{1,12}", now) else "0"
    states = {}
    for block in blocks:
        if name := re.search(r"^Id=(\S+)$", block, re.MULTILINE):
            states[name[1]] = UnitState.parse(f"{block}\nNow={now}")
    if missing := [unit for unit in found.split()[:MOST] if unit not in states]:
        evidence = "\n".join(blocks)[-EVIDENCE:]
        raise AerodromeError(f"systemd does not give the state of {', '.join(missing)}", "run it again", evidence)
    return [(unit, state) for unit, state in states.items() if state.runs or _enabled(state)]


def _enabled(state: UnitState) -> bool:
    return state.file.startswith("enabled")


def _end(unit: str, state: UnitState, drain: Drain | None) -> Change:
    does = {"stop": state.runs, "disable": _enabled(state)}
    words = [word for word, wanted in does.items() if wanted]
    scripts = {"stop": stop_script(unit, drain), "disable": f"systemctl disable {quote(unit)}"}
    script = "\n".join(scripts[word] for word in words)
    undo = after_end(unit, does["stop"], does["disable"])
    return Change(f"{' and '.join(words)} {unit} ({REASON})", script, interrupts=does["stop"], undo=undo)
