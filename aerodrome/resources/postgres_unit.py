"""The drop-in of PostgreSQL's own unit, whatever its name is on this distribution."""

from __future__ import annotations

from aerodrome.core.resource import Change, Seen
from aerodrome.dataclass import dataclass
from aerodrome.resources.files import File, probe_path

# Debian's postgresql.service only stands for its clusters, which are instances of a template.
DEBIAN, OTHERS = (
    f"/etc/systemd/system/{unit}.d/10-aerodrome.conf" for unit in ("postgresql@.service", "postgresql.service")
)
KEY = "postgresql drop-in"


@dataclass(frozen=True)
class PostgresDropin:
    """A drop-in with this content. It restarts nothing: PostgresServer does, because it knows who is connected."""

    content: str

    @property
    def key(self) -> str:
        return KEY

    def probe(self) -> str:
        return (
            f"if command -v apt-get >/dev/null; then echo {DEBIAN}; {probe_path(DEBIAN)}; "
            f"else echo {OTHERS}; {probe_path(OTHERS)}; fi"
        )

    def changes(self, seen: Seen) -> list[Change]:
        path, _, found = seen.text.partition("\n")
        return File(path, self.content, reload=True).changes(Seen(found))
