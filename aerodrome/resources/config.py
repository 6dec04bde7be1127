"""An airflow.cfg that another version of Airflow has written, or somebody for it: set aside, and put back."""

from __future__ import annotations

from aerodrome.core.resource import NOTE, Change, Seen, quote
from aerodrome.dataclass import dataclass
from aerodrome.resources.files import MARK, refuse_foreign


@dataclass(frozen=True)
class ConfigSetAside:
    """No airflow.cfg that Aerodrome has not written, in a directory of root's; upgrade `run` has set it aside.

    The first command of each version writes all of its defaults there as plain values, and every later version reads
    them as deliberate choices: 3.1's scheduler dies of 1.10's.
    """

    path: str
    run: str

    @property
    def key(self) -> str:
        return f"file {self.path} of another version"

    @property
    def aside(self) -> str:
        """The path of the file that was set aside."""
        return f"{self.path}.before-{self.run}"

    def probe(self) -> str:
        path = quote(self.path)
        return (
            f"if [ ! -h {path} ] && [ -f {path} ] && [ -O {path} ]; then line=; IFS= read -r line <{path} || :\n"
            f'case $line in *"{MARK}"*) ;; *) echo theirs ;; esac; fi'
        )

    def changes(self, seen: Seen) -> list[Change]:
        if seen.text.strip() != "theirs":
            return []
        why = f"{NOTE}{self.path} is set aside as {self.aside}: set what you need of it in hosts.yaml (airflow.config)"
        script = (
            f"{refuse_foreign(self.path)}\nmv -T {quote(self.path)} {quote(self.aside)}\nprintf '%s\\n' {quote(why)}"
        )
        return [Change(f"set {self.path} aside, which the other version would read", script)]


@dataclass(frozen=True)
class ConfigPutBack:
    """The airflow.cfg that an upgrade has set aside is in its place again."""

    of: ConfigSetAside

    @property
    def key(self) -> str:
        return f"file {self.of.aside}"

    def probe(self) -> str:
        return f"[ ! -f {quote(self.of.aside)} ] || echo aside"

    def changes(self, seen: Seen) -> list[Change]:
        if not seen.text.strip():
            return []
        script = f"{refuse_foreign(self.of.path)}\nmv -fT {quote(self.of.aside)} {quote(self.of.path)}"
        return [Change(f"put {self.of.path} back", script)]


@dataclass(frozen=True)
class NoConfigAside:
    """The airflow.cfg that an upgrade has set aside is gone: the upgrade is finished."""

    of: ConfigSetAside

    @property
    def key(self) -> str:
        return f"file {self.of.aside}"

    def probe(self) -> str:
        return ConfigPutBack(self.of).probe()

    def changes(self, seen: Seen) -> list[Change]:
        if not seen.text.strip():
            return []
        return [Change(f"remove {self.of.aside}", f"{refuse_foreign(self.of.aside)}\nrm -f {quote(self.of.aside)}")]
