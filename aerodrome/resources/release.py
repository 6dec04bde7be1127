"""Releases: directories named by the digest of their content, a link to the one in use, older ones for the way back."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Protocol

from aerodrome.core.resource import NOTE, Change, Resource, Seen, as_user, heredoc, quote
from aerodrome.core.undo import Undo
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError

KEEP = 3  # releases of a kind on a host, the one in use among them
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
BY_HAND = "by-hand"  # a directory that was made by hand is put aside under a name that begins so
LEFT = ".old-"  # begins the name of a release that is being removed

PATIENCE = 10  # seconds for a look at all processes: one of them could make it wait forever

# Prints `unused NAME` for each of $names of which no process has anything open or mapped, and which no unit names. The
# command line is that of a Python that has loaded no library of its environment yet. $real is $folder as /proc has it.
# Patterns are in no command line, where another look would find them.
UNUSED = """\
paths() { printf '%s\\n' "$folder/$1/" "$real/$1/" "$folder/.old-$1/" "$real/.old-$1/"; }
for name in $names; do
paths "$name" | grep -rqsF -f - /etc/systemd/system && continue
cd /proc && find [0-9]*/cwd [0-9]*/exe [0-9]*/root [0-9]*/fd -maxdepth 1 -type l -printf '%l/\\n' 2>/dev/null |
grep -qF -f /dev/fd/4 4<<END && continue
$(paths "$name")
END
paths "$name" | grep -qsF -f - /proc/[0-9]*/maps /proc/[0-9]*/cmdline && continue
printf 'unused %s\\n' "$name"
done
"""


@dataclass(frozen=True)
class Held:
    """A release that a host has."""

    name: str
    put: int  # when it was put in use by a deploy, seconds since the epoch by the host's clock; 0: it is not complete
    unused: bool  # no process and no unit uses it, as far as can be seen
    left: bool  # a run that was to remove it has been killed


@dataclass(frozen=True)
class Releases:
    """The releases of one kind on a host: directories in `folder`, which is root's, and `link` to the one in use.

    `keep` are kept, and beyond these whatever is in use. `marker` ends the name of the file beside a release that
    says that it is complete; without one, a release is complete as soon as it is there. `given` is the directory
    that has, by the name of each release, what it was made of. `owner` is the user to whom their content belongs.
    """

    what: str  # one of them, in words: `environment`
    link: str
    folder: str
    keep: int = KEEP
    owner: str = "root"
    marker: str = ""
    given: str = ""

    def path(self, name: str) -> str:
        """Return the path of a release."""
        return f"{self.folder}/{name}"

    def name_of(self, target: str) -> str:
        """Return the name of the release that the link's target is; empty if it is none."""
        folder, _, name = target.rpartition("/")
        return name if folder == self.folder else ""

    @property
    def _ours(self) -> str:
        """Sh that tests whether the folder is root's, and nobody else can put anything in its place."""
        parent = self.folder.rpartition("/")[0]
        return f"[ ! -h {quote(self.folder)} ] && [ -O {quote(self.folder)} ] && [ -O {quote(parent)} ]"

    def probe(self, wanted: Collection[str]) -> str:
        """Return sh that describes the releases if there are more than are kept, or will be.

        `wanted` are the names of which one is going to be in use. If there are no more, it costs no process.
        """
        there = " || ".join(f"[ -d {quote(self.path(name))} ]" for name in wanted)
        coming = f"{there} || n=$((n+1))\n" if there else ""
        return f"{self._count()}\n{coming}if [ $n -gt {self.keep} ] && {self._ours}; then\n{self._describe()}\nfi"

    def describe(self) -> str:
        """Return sh that prints the time and the link's target, and describes all releases."""
        asked = f"if {self._ours}; then\n{self._count()}\n{self._describe()}\nfi"
        return f"date +%s\nreadlink {quote(self.link)} || echo none\n{asked}"

    def _count(self) -> str:
        """Return sh that sets `n` to how many releases there are, and `names` to their names."""
        folder = quote(self.folder)
        return (
            f"n=0 names=\nfor each in {folder}/*/ {folder}/{LEFT}*/; do each=${{each%/}}; name=${{each##*/}}\n"
            '[ -d "$each" ] && [ ! -h "$each" ] || continue\n'
            f"case $name in {BY_HAND}*|*[!A-Za-z0-9._+-]*) continue;; {LEFT}*) n=999 name=${{name#{LEFT}}};; esac\n"
            'n=$((n+1)) names="$names $name"; done'
        )

    def _describe(self) -> str:
        folder = quote(self.folder)
        unused = self._unused('"$names"')
        return f"stat -c 'entry %Y|%U|%F|%n' {folder}/* {folder}/{LEFT}*\n{unused}"

    def _unused(self, names: str) -> str:
        folder = quote(self.folder)
        return (
            f"folder={folder} real=$(cd -P {folder} && pwd -P) names={names} timeout -s KILL {PATIENCE} sh "
            f"{heredoc(UNUSED)}"
        )

    def read(self, text: str) -> list[Held]:
        """Read what `probe` or `describe` has printed: the releases, the one put in use last first."""
        lines = text.splitlines()
        entries = [line.removeprefix("entry ").split("|", 3) for line in lines if line.startswith("entry ")]
        unused = {line.removeprefix("unused ") for line in lines if line.startswith("unused ")}
        # Not from its path: whatever a folder is called, names are what is left of it.
        found = [(path.rpartition("/")[2], int(at), owner, kind) for at, owner, kind, path in entries if at.isdigit()]
        times = {name: at for name, at, _, _ in found}
        held = []
        for entry, at, owner, kind in found:
            name, left = entry.removeprefix(LEFT), entry.startswith(LEFT)
            ours = owner == self.owner or name.startswith(BY_HAND)
            if kind == "directory" and ours and NAME.fullmatch(name):
                put = at if not self.marker else times.get(name + self.marker, 0)
                held.append(Held(name, put, name in unused, left))
        return sorted(held, key=lambda each: (-each.put, each.name))

    def prune(self, text: str, target: str, wanted: str) -> list[Change]:
        """Return the change that removes old releases; `target` is where the link leads, `wanted` where it will."""
        held = [each for each in self.read(text) if not each.name.startswith(BY_HAND)]
        there = [each.name for each in held if not each.left]
        kept = {wanted, self.name_of(target)} - {""}
        for name in there:
            if len(kept) < self.keep:
                kept.add(name)
        # What a run that was killed has moved aside is moved back if it is in use.
        old = [
            each.name
            for each in held
            if (each.unused and (each.left or each.name not in kept)) or (each.left and each.name not in there)
        ]
        if not old:
            return []
        names = list(dict.fromkeys(reversed(old)))
        plural = "s" if len(names) > 1 else ""
        return [Change(f"remove the old {self.what}{plural} {', '.join(names)}", self._remove(names))]

    def _remove(self, names: Sequence[str]) -> str:
        """Return sh that removes releases; one that has come into use since it was asked stays.

        Each is first moved aside, so that nothing can start in it any more, and then looked at again.
        """
        folder, link = quote(self.folder), quote(self.link)
        beside = [f'{folder}/"$1"{quote(self.marker)}'] if self.marker else []
        beside += [f'{quote(self.given)}/"$1"'] if self.given else []
        forget = f'[ -e {folder}/"$1" ] || rm -rf {" ".join(beside)}\n' if beside else ""
        return (
            f"if {self._ours}; then\n{remover(self.owner)}\n"
            "drop() {\n"
            f"old={folder}/{LEFT}$1\n"
            f'[ -d "$old" ] || [ ! {folder}/"$1" -ef {link} ] || return 0\n'
            f'[ -d "$old" ] || [ -d {folder}/"$1" ] || return 0\n'
            f'[ -d "$old" ] || mv -T {folder}/"$1" "$old"\n'
            f"unused=$(exec 2>/dev/null; ! {self._unused('$1')}\n:)\n"
            'if [ -z "$unused" ]; then\n'
            f'[ -e {folder}/"$1" ] || mv -T "$old" {folder}/"$1"\n'
            f"printf '%s\\n' {quote(NOTE)}\"the old {self.what} $1 stays: something uses it\"\nreturn 0\nfi\n"
            f"{forget}"
            'remove "$old"\n}\n'
            f'for name in {" ".join(map(quote, names))}; do drop "$name"; done\nfi'
        )

    def switch(self, name: str) -> str:
        """Return sh that puts a release in use, in one rename."""
        new = quote(f"{self.link}.new")
        return f"rm -f {new}\nln -s {quote(self.path(name))} {new}\nmv -fT {new} {quote(self.link)}"

    def back(self, name: str, target: str, then: str = "") -> Undo | None:
        """Return how the link leads to `target` again, and what is done `then`, after `switch` to `name`.

        `target` is `none` if there was no link; None if it was something else than a release.
        """
        link, then = quote(self.link), f"\n{then}" if then else ""
        state = f"if [ -h {link} ]; then readlink {link}; elif [ -e {link} ]; then echo other; else echo none; fi"
        if target == "none":
            return Undo(f"remove the link {self.link}", f"rm -f {link}", state, target, self.path(name))
        if not (old := self.name_of(target)):
            return None
        gone = f"{target} has been removed since"
        script = f"[ -d {quote(target)} ] || {{ echo {quote(gone)}; exit 1; }}\n{self.switch(old)}{then}"
        return Undo(f"switch {self.link} back to {old}", script, state, target, self.path(name))


def remover(user: str) -> str:
    """Return sh that defines `remove PATH`: the entry of a directory of root's, whoever it belongs to.

    Root goes into no folder that another user can change meanwhile: `user` empties it, root removes what is left.
    """
    empty = as_user(user, 'timeout 60 find "$1" -mindepth 1 -delete')
    return (
        'remove() {\nif [ ! -d "$1" ] || [ -h "$1" ] || [ -O "$1" ]; then rm -rf "$1"; return; fi\n'
        f'{empty} || :\nrmdir "$1"\n}}'
    )


class Released(Resource, Protocol):
    """A resource that puts a release in use."""

    @property
    def releases(self) -> Releases:
        """The releases, one of which it puts in use."""

    def in_use(self, seen: Seen) -> tuple[str, str]:
        """Return where the link leads, and the name of the release that is wanted; empty if it is not known yet."""


@dataclass(frozen=True)
class Pruned:
    """Old releases are gone, beyond those that are kept. It asks what the resource does that puts one in use."""

    of: Released

    @property
    def key(self) -> str:
        return f"old releases of {self.of.releases.link}"

    def probe(self) -> str:
        return self.of.probe()

    def changes(self, seen: Seen) -> list[Change]:
        target, wanted = self.of.in_use(seen)
        return self.of.releases.prune(seen.text, target, wanted) if wanted else []


@dataclass(frozen=True)
class Switched:
    """The link leads to a release that the host has already."""

    releases: Releases
    name: str

    @property
    def key(self) -> str:
        return f"link {self.releases.link}"

    def probe(self) -> str:
        of = self.releases
        marked = f" && [ -e {quote(of.path(self.name) + of.marker)} ]" if of.marker else ""
        return (
            f"readlink {quote(of.link)} || echo none\n"
            f"{of._ours} && [ -d {quote(of.path(self.name))} ]{marked} && echo there || echo missing"
        )

    def changes(self, seen: Seen) -> list[Change]:
        of, wanted = self.releases, self.releases.path(self.name)
        target, *there = seen.text.splitlines()
        if there != ["there"]:
            raise AerodromeError(f"there is no {of.what} {self.name} of {of.link}", "see what there is: fab releases")
        if target == wanted:
            return []
        diff = f"-{of.link} -> {target}\n+{of.link} -> {wanted}"
        undo = of.back(self.name, target)
        return [Change(f"switch {of.link} to {self.name}", of.switch(self.name), diff, undo=undo)]
