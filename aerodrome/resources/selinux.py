"""SELinux: what systemd may execute of an environment that lies in a home directory."""

from __future__ import annotations

from dataclasses import dataclass

from aerodrome.errors import AerodromeError
from aerodrome.resources.base import Change, Seen, quote

# What lies in a home directory is of these types. init_t (systemd) may neither execute such a file nor read such
# a link: selinux-policy's init.te allows it to delete them, and no more. From bin_t it starts unconfined_service_t.
HOME_TYPES = ("user_home_t", "data_home_t")


def relabel(path: str) -> str:
    """Return sh that gives what was just made the types that the host's rules say, where SELinux is on."""
    return f"! selinuxenabled 2>/dev/null || restorecon -RF {quote(path)}"


@dataclass(frozen=True)
class Executable:
    """A virtual environment, by its link, that SELinux lets systemd execute.

    The rules of SELinux are the operator's: none is made here, but the commands that make them are told.
    """

    link: str

    @property
    def key(self) -> str:
        return f"selinux {self.link}"

    def probe(self) -> str:
        # On the way to what a unit executes there are two links, the environment's own and its interpreter.
        paths = " ".join(quote(f"{self.link}{part}") for part in ("", "/bin/python", "/bin/airflow"))
        return f'[ "$(getenforce)" != Enforcing ] || stat -c "%C %n" {paths}'

    def changes(self, seen: Seen) -> list[Change]:
        if f"link {self.link}" in seen.changing:
            return []  # another environment is put in use: it is asked of that one, once it is there
        for line in seen.text.splitlines():
            context, path = line.split(" ", 1)
            kind = context.split(":")[2]
            if kind in HOME_TYPES:
                raise AerodromeError(f"SELinux does not let systemd execute {path}, which is {kind}", self._commands())
        return []

    def _commands(self) -> str:
        environments = f"{self.link}s"
        rules = [self.link, f"{environments}/[^/]+/bin(/.*)?"]
        add = "; ".join(f"semanage fcontext -a -t bin_t {quote(rule)}" for rule in rules)
        return (
            f"run as root on the host, then run the same again: {add}; restorecon -RF {quote(self.link)} "
            f"{quote(environments)} (semanage: dnf install policycoreutils-python-utils)"
        )
