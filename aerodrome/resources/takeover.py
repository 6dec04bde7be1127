"""Manual setups that followed the guide: adopted or put aside, but never lost."""

from __future__ import annotations

from aerodrome.core.resource import Change, Seen, quote
from aerodrome.dataclass import dataclass
from aerodrome.resources.files import Found, probe_path, put_back, set_attributes


@dataclass(frozen=True)
class Superseded:
    """No drop-in of the guide's that has only the lines of one of `texts`, which our own drop-in replaces."""

    path: str
    texts: tuple[tuple[str, ...], ...]

    @property
    def key(self) -> str:
        return f"file {self.path}"

    def probe(self) -> str:
        return probe_path(self.path)

    def changes(self, seen: Seen) -> list[Change]:
        found = Found.parse(seen.text, self.path)
        stripped = [line.strip() for line in found.content.splitlines()]
        lines = tuple(line for line in stripped if line and not line.startswith(("#", ";")))
        if lines not in self.texts:
            return []
        diff = "\n".join(f"-{line}" for line in lines)
        script = f"rm -f {quote(self.path)}\nsystemctl daemon-reload"
        undo = put_back(self.path, found, Found(), "systemctl daemon-reload")
        return [Change(f"remove {self.path}, which ours replaces", script, diff, undo=undo)]


@dataclass(frozen=True)
class PutAside:
    """Files that were written by hand and have been put aside: root's alone, since they may hold secrets."""

    paths: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"files put aside {' '.join(self.paths)}"

    def probe(self) -> str:
        """Return sh that prints owner, group and mode of each existing one; it starts no process if there are none."""
        paths = " ".join(quote(path) for path in self.paths)
        return f'for file in {paths}; do [ -h "$file" ] || [ ! -f "$file" ] || stat -c \'%U:%G %a %n\' "$file"; done'

    def changes(self, seen: Seen) -> list[Change]:
        lines = seen.text.splitlines()
        return [
            Change(f"own {path} root:root 0600", set_attributes(path, "root", "root", 0o600), attributes=True)
            for path in self.paths
            if any(line.endswith(f" {path}") and line != f"root:root 600 {path}" for line in lines)
        ]
