"""The system user that installs virtual environments, and root's directories that hold them."""

from __future__ import annotations

import shlex

from aerodrome.core.resource import Change, Seen, as_user, quote
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError

# It runs installers and the build code of source distributions, so neither root nor the service user has to.
INSTALLER = "aerodrome"
CACHE = "/var/cache/aerodrome"  # its home: the caches of uv and pip, and uv itself
ROOT = "/opt/aerodrome"

LONGEST = 20_000  # characters of an answer to read: it is a handful of paths
OTHERS_WRITE, OTHERS_READ = 0o022, 0o055


def as_installer(command: str) -> str:
    """Return sh that runs a command, quoted already, as the installer."""
    return as_user(INSTALLER, command, CACHE)


@dataclass(frozen=True)
class Installer:
    """The installer with its cache, and root's directories that everybody can read."""

    directories: tuple[str, ...]  # parents first

    @property
    def key(self) -> str:
        return f"user {INSTALLER}"

    def probe(self) -> str:
        paths = " ".join(quote(path) for path in (CACHE, *self.directories))
        return (
            f"found=$(stat -c '%U %a %N' {paths})\n"
            # The account itself is asked for only if its cache does not already prove it.
            f'case $found in "{INSTALLER} "*) ;; *) getent passwd {INSTALLER};; esac\n'
            "printf '%s\\n' \"$found\""
        )

    def changes(self, seen: Seen) -> list[Change]:
        found = _read(seen.text)
        self._refuse_other(seen.text)
        changes = []
        if not _fits(found.get(CACHE), INSTALLER):
            changes.append(Change(f"add system user {INSTALLER}, which installs Airflow, with {CACHE}", self._add()))
        wrong = [path for path in self.directories if not _fits(found.get(path), "root")]
        if wrong:
            paths = " ".join(quote(path) for path in wrong)
            script = f"install -d -o root -g root -m 0755 {paths}"
            changes.append(Change(f"make root's {', '.join(wrong)}", script))
        return changes

    def _refuse_other(self, text: str) -> None:
        """Raise AerodromeError if an unrelated account has the installer's name."""
        for line in text.splitlines():
            if line.startswith(f"{INSTALLER}:") and line.count(":") == 6 and line.split(":")[5] != CACHE:
                raise AerodromeError(
                    f"the host already has a user {INSTALLER}, with the home {line.split(':')[5]}",
                    f"Aerodrome installs Airflow as a system user of that name with the home {CACHE}: rename the other",
                )

    def _add(self) -> str:
        # A killed useradd may leave the group behind; --user-group would then refuse.
        return (
            f"getent group {INSTALLER} >/dev/null || groupadd --system {INSTALLER}\n"
            f"getent passwd {INSTALLER} >/dev/null || useradd --system --gid {INSTALLER} --home-dir {CACHE} "
            f"--no-create-home --shell /usr/sbin/nologin {INSTALLER}\n"
            f"install -d -o {INSTALLER} -g {INSTALLER} -m 0755 {CACHE}"
        )


def _read(text: str) -> dict[str, tuple[str, int, bool]]:
    """Return owner, mode and whether it is a link, by path."""
    found = {}
    for line in text[:LONGEST].splitlines():
        try:
            owner, mode, path, *target = shlex.split(line)
            found[path] = owner, int(mode, 8), bool(target)
        except ValueError:
            continue  # getent's line
    return found


def _fits(found: tuple[str, int, bool] | None, owner: str) -> bool:
    """Return whether a directory belongs to `owner` alone and all can read it; root's link is the operator's."""
    if found is None or found[0] != owner:
        return False
    _, mode, link = found
    return link or (not mode & OTHERS_WRITE and mode & OTHERS_READ == OTHERS_READ)
