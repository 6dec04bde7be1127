"""System users."""

from __future__ import annotations

from aerodrome.core.resource import Change, Seen, quote
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError


@dataclass(frozen=True)
class User:
    """A system user with a group of the same name, a home directory and no login.

    A new home gets the line `profile` at the end of its .bashrc; from then on that file is the user's alone.
    """

    name: str
    home: str
    shell: str = "/bin/false"
    profile: str = ""

    @property
    def key(self) -> str:
        return f"user {self.name}"

    def probe(self) -> str:
        return f"getent passwd {quote(self.name)}; [ ! -d {quote(self.home)} ] || echo home"

    def changes(self, seen: Seen) -> list[Change]:
        entry, _, rest = seen.text.partition("\n")
        if entry.count(":") != 6:
            return [Change(f"add system user {self.name}", self._add())]
        home, shell = entry.split(":")[5:]
        if home != self.home:
            raise AerodromeError(
                f"user {self.name} has the home {home}, and {self.home} is expected",
                f"set another user in hosts.yaml (airflow.user), or run: usermod --home {self.home} {self.name}",
            )
        changes = []
        if shell not in (self.shell, "/usr/sbin/nologin", "/sbin/nologin"):
            script = f"usermod --shell {quote(self.shell)} {quote(self.name)}"
            changes.append(Change(f"take the login shell {shell} from {self.name}", script))
        if "home" not in rest:
            home, name = quote(self.home), quote(self.name)
            changes.append(Change(f"make home {self.home}", f"install -d -o {name} -g {name} -m 0755 {home}"))
        return changes

    def _add(self) -> str:
        # A killed useradd may leave the group behind; --user-group would then refuse.
        name, skeleton = quote(self.name), ""
        before = f"getent group {name} >/dev/null || groupadd --system {name}\n"
        if self.profile:
            before += (
                'skeleton=$(mktemp -d)\n[ ! -d /etc/skel ] || cp -a /etc/skel/. "$skeleton"\n'
                f"printf '%s\\n' {quote(self.profile)} >>\"$skeleton/.bashrc\"\n"
            )
            skeleton = '--skel "$skeleton" '
        return (
            f"{before}useradd --system --gid {name} --home-dir {quote(self.home)} --create-home {skeleton}"
            f"--shell {quote(self.shell)} {name}\n"
            f"chmod 0755 {quote(self.home)}"
        ) + ('\nrm -rf "$skeleton"' if self.profile else "")
