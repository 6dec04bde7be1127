"""Backups that the database's host makes by itself, with or without a controller: a script of root's, and its timer."""

from __future__ import annotations

from aerodrome.core.plan import RUNTIME
from aerodrome.core.resource import PRELUDE, Change, Seen, quote
from aerodrome.dataclass import dataclass
from aerodrome.resources.backup import GLOB, MAKE, OLD, SPARE, About, Place, check_place
from aerodrome.resources.files import MARK
from aerodrome.resources.postgres import literal, sql

UNITS = "/etc/systemd/system"

# Runs change nothing on the host meanwhile, but may ask it: their probes share the lock.
_SCRIPT = f"""\
#!/bin/sh
# {MARK}: makes a backup of the metadata database, and removes old ones (hosts.yaml, backup).
set -eu
{PRELUDE}{RUNTIME}umask 077
exec 9>>/run/aerodrome/lock
flock -s -w 900 9 || {{{{ echo 'a run has been at work on this host for 15 minutes'; exit 75; }}}}
{{variables}}unsafe=$({{ask}}
)
[ -z "$unsafe" ] || {{{{ echo "only root may be able to change the directory of the backups: $unsafe"; exit 1; }}}}
name=$(date -u +%Y%m%dT%H%M%SZ)-$(head -c 2 /dev/urandom | od -An -tx1 | tr -d ' \\n')
size=$({{size}}
)
free=$(($(stat -f -c '%a * %S' "$folder")))
[ "$free" -ge $((size / 2 + {SPARE})) ] || {{{{ echo "not enough space in $folder: $free bytes are free"; exit 1; }}}}
(
{{make}}) 9<&-
cd "$folder"
ls -1d {GLOB} | sort -r | tail -n +$((keep + 1)) | while IFS= read -r old; do
mv -T "$old" "{OLD}$old"
rm -rf "{OLD}$old"
echo "removed the old backup $old"
done
echo "made backup $name"
"""


def script(place: Place, database: str, about: About, keep: int) -> str:
    """Return the script that makes a backup as `fab backup` does."""
    given = {"folder": place.folder, "database": database, "about": about.members(), "keep": str(keep)}
    variables = "".join(f"{name}={quote(value)}\n" for name, value in given.items())
    size = sql(f"SELECT pg_database_size({literal(database)});")
    return _SCRIPT.format(variables=variables, ask=place.ask(), size=size, make=MAKE)


@dataclass(frozen=True)
class BackupFolder:
    """The directory of the backups; one that is there is left as it is, but only root may be able to change it."""

    place: Place

    @property
    def key(self) -> str:
        return f"directory {self.place.folder}"

    def probe(self) -> str:
        return f"{self.place.ask()}\n[ ! -d {quote(self.place.folder)} ] || echo there"

    def changes(self, seen: Seen) -> list[Change]:
        lines = seen.text.splitlines()
        check_place(self.place, lines)
        return [] if "there" in lines else [Change(f"make directory {self.place.folder}", self.place.make())]


@dataclass(frozen=True)
class Timer:
    """A timer that is enabled and waits, with what its file says now."""

    unit: str

    @property
    def key(self) -> str:
        return f"timer {self.unit}"

    def probe(self) -> str:
        return f"systemctl show -p UnitFileState,ActiveState,NeedDaemonReload {quote(self.unit)}"

    def changes(self, seen: Seen) -> list[Change]:
        there = {"UnitFileState=enabled", "ActiveState=active", "NeedDaemonReload=no"} <= set(seen.text.splitlines())
        if there and f"file {UNITS}/{self.unit}" not in seen.changing:
            return []
        unit = quote(self.unit)
        return [
            Change(
                f"start {self.unit}", f"systemctl daemon-reload\nsystemctl enable -q {unit}\nsystemctl restart {unit}"
            )
        ]


@dataclass(frozen=True)
class NoTimer:
    """No timer with this name, nor what it starts, of which a failure is forgotten."""

    unit: str
    service: str
    files: tuple[str, ...]  # the timer's own among them

    @property
    def key(self) -> str:
        return f"timer {self.unit}"

    def probe(self) -> str:
        return f"[ ! -e {UNITS}/{quote(self.unit)} ] || echo there"

    def changes(self, seen: Seen) -> list[Change]:
        if not seen.text.strip():
            return []
        files = " ".join(map(quote, self.files))
        script = (
            f"systemctl disable -q --now {quote(self.unit)}\nrm -f {files}\nsystemctl daemon-reload\n"
            f"systemctl reset-failed {quote(self.service)} 2>/dev/null || :"
        )
        return [Change(f"remove {self.unit}", script)]
