"""Ports that a unit is going to listen on."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from aerodrome.core.check import Finding, refused
from aerodrome.dataclass import dataclass
from aerodrome.resources.systemd import RUNS

EVERYWHERE = ("0.0.0.0", "*", "[::]")  # as ss prints them


@dataclass(frozen=True)
class FreePort:
    """A port that no other program holds, before the unit that wants it is started for the first time.

    `unit` may hold it, and is not asked for where it runs; `*` in it stands for anything. `address` is the one that
    it listens on; empty: on all of IPv4. `setting` is what decides the port.
    """

    number: int
    unit: str
    setting: str
    address: str = ""

    @property
    def key(self) -> str:
        return f"port {self.number} of {self.unit}"

    def probe(self) -> str:
        # The unit's name is not quoted, so that the shell finds `postgresql*`; it holds nothing else that is special.
        return (
            f"for unit in {RUNS.format(self.unit)}; do break; done\n"
            f"[ -h \"$unit\" ] || ss -H -ltnp 'sport = :{self.number}' | while read -r line; do\n"
            'pid=${line#*pid=}; pid=${pid%%[!0-9]*}; printf "%s\\n" "$line"\n'
            '[ -z "$pid" ] || while read -r group; do\n'
            'case $group in *.service*|*.scope*) printf "in %s\\n" "$group" ;; esac\n'
            "done </proc/$pid/cgroup\ndone"
        )

    def judge(self, answer: str) -> list[Finding]:
        for listener in re.split(r"\n(?!in )", answer.strip()):
            line, _, groups = listener.partition("\n")
            fields = line.split()
            if len(fields) < 4 or not self._is_in_the_way(fields[3].rpartition(":")[0]):
                continue
            units = re.findall(r"/([^/]+\.(?:service|scope))$", groups, re.MULTILINE)
            if self._is_ours(units):
                continue
            holder = re.search(r'\("(?P<program>[^"]*)",pid=(?P<pid>\d+)', line)
            who = "{program} (process {pid})".format(**holder.groupdict()) if holder else "another program"
            of = f" of {units[0]}" if units else ""
            return refused(
                self,
                f"{who}{of} listens on port {self.number}, which {self.unit} needs",
                f"stop it, or set {self.setting} in hosts.yaml",
            )
        return []

    def _is_in_the_way(self, address: str) -> bool:
        plain = address.partition("%")[0].strip("[]")  # ss adds the interface: 127.0.0.53%lo
        if address in EVERYWHERE:
            return True
        return plain == self.address if self.address else ":" not in plain

    def _is_ours(self, units: list[str]) -> bool:
        """Tell whether the unit itself holds it, or that of another role, which this run restarts or ends."""
        of_all_roles = re.sub(r"@.*(?=\.service)", "@*", self.unit)
        return any(fnmatchcase(unit, of_all_roles) for unit in units)
