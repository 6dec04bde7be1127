"""Ports that a unit is about to listen on."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from aerodrome.core.check import Finding, refused
from aerodrome.dataclass import dataclass
from aerodrome.resources.systemd import RUNS

EVERYWHERE = ("0.0.0.0", "*", "[::]")  # as ss prints them


@dataclass(frozen=True)
class FreePort:
    """A port that no other program holds when its unit starts for the first time.

    If `unit` (a pattern, where `*` stands for anything) is already running, nothing is asked. `address` is where it
    listens; empty means all of IPv4. `setting` is the key in hosts.yaml that sets the port.
    """

    number: int
    unit: str
    setting: str
    address: str = ""

    @property
    def key(self) -> str:
        return f"port {self.number} of {self.unit}"

    def probe(self) -> str:
        # The unit's name is unquoted so that the shell expands `postgresql*`; it contains no other special character.
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
        """Tell whether the unit, or one of another role that this run restarts or stops, holds the port."""
        of_all_roles = re.sub(r"@.*(?=\.service)", "@*", self.unit)
        return any(fnmatchcase(unit, of_all_roles) for unit in units)
