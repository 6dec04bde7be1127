"""SELinux: what systemd may execute of an environment that lies in a home directory."""

from __future__ import annotations

from dataclasses import dataclass

from aerodrome.errors import AerodromeError
from aerodrome.resources.base import Change, Seen, quote

# What lies in a home directory is of these types. init_t (systemd) may neither execute such a file nor read such
# a link: selinux-policy's init.te allows it to delete them, and no more. From bin_t it starts unconfined_service_t.
HOME_TYPES = ("user_home_t", "data_home_t")


def relabel(*paths: str) -> str:
    """Return sh that gives what was made the types that the host's rules say, where SELinux is on."""
    return f"! selinuxenabled 2>/dev/null || restorecon -RF {' '.join(quote(path) for path in paths)}"


@dataclass(frozen=True)
class Executable:
    """A virtual environment, by its link, that SELinux lets systemd execute.

    The rules of SELinux are the operator's: none is made here, but the commands that make them are told.
    """

    link: str

    @property
    def key(self) -> str:
        return f"selinux {self.link}"

    @property
    def environments(self) -> str:
        """The directory of the environments that the link points to."""
        return f"{self.link}s"

    def probe(self) -> str:
        # On the way to what a unit executes there are two links, the environment's own and its interpreter.
        found = " ".join(quote(f"{self.link}{part}") for part in ("", "/bin/python", "/bin/airflow"))
        made = " ".join(quote(path) for path in (self.link, f"{self.environments}/any/bin/airflow"))
        return (
            'if [ "$(getenforce)" = Enforcing ]; then\n'
            f"stat --printf 'is %C\\n' {found}\n"
            f"matchpathcon -n {made} | sed 's/^/becomes /'\nfi"
        )

    def changes(self, seen: Seen) -> list[Change]:
        wrong, wrong_rules = (_home_types(seen.text, word) for word in ("is", "becomes"))
        if f"link {self.link}" in seen.changing:
            wrong = wrong_rules  # another environment is put in use, which gets what the rules say
        elif wrong and "becomes " in seen.text and not wrong_rules:
            return [Change("give the environment the types of SELinux's rules", relabel(self.link, self.environments))]
        if wrong:
            message = f"SELinux does not let systemd execute {self.link}, which is of type {wrong[0]}"
            raise AerodromeError(message, self._commands())
        return []

    def _commands(self) -> str:
        rules = (self.link, f"{self.environments}/[^/]+/bin(/.*)?")
        add = "; ".join(f"semanage fcontext -a -t bin_t {quote(rule)}" for rule in rules)
        return f"as root on the host: {add} (semanage: dnf install policycoreutils-python-utils), then the same again"


def _home_types(text: str, word: str) -> list[str]:
    contexts = [line for line in text.splitlines() if line.startswith(f"{word} ")]
    return [kind for kind in HOME_TYPES if any(f":{kind}:" in context for context in contexts)]
