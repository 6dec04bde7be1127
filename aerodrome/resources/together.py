"""Files of a host that are read together: two processes in its probe, instead of two for each file."""

from __future__ import annotations

import base64
from functools import cached_property

from aerodrome.core.resource import quote
from aerodrome.dataclass import dataclass
from aerodrome.resources.reading import read_whole


@dataclass(frozen=True)
class Together:
    """Paths of files, each with the SHA-256 of the wanted content: only other content is sent.

    The host computes the digests, and therefore only of root's files in root's directories: the owner of another
    directory could replace the file by a link.
    """

    files: tuple[tuple[str, str], ...]

    @cached_property
    def probe(self) -> str:
        """Return sh that prints kind, owner, group and mode of all, an empty line, then differing content in base64."""
        paths = " ".join(quote(path) for path, _ in self.files)
        wanted = " ".join(quote(f"{digest}  {path}") for path, digest in self.files)
        content = read_whole('"$file"')
        return (
            f"stat -c '%n|%F|%U|%G|%a' {paths} 2>/dev/null; echo\nset --\n"
            f'for file in {paths}; do [ -h "$file" ] || [ ! -f "$file" ] ||\n'
            '[ ! -O "$file" ] || [ ! -O "${file%/*}" ] || set -- "$@" "$file"; done\n'
            "n='\n'; sums=; [ $# = 0 ] || sums=$(sha256sum \"$@\")$n\n"
            f'for sum in {wanted}; do file=${{sum#*  }}; case $n$sums in *"$n$sum$n"*) ;; *)\n'
            f'[ -h "$file" ] || [ ! -f "$file" ] || {{ echo "content $file"; {content} | base64; echo; }} ;; esac; done'
        )

    def own(self, path: str, text: str, content: str) -> str:
        """Return the text that `probe_path` would print about a path whose wanted content is `content`."""
        stated, _, rest = text.partition("\n\n")
        about = dict(line.split("|", 1) for line in stated.splitlines() if "|" in line).get(path)
        if about is None:
            return ""
        _, differs, encoded = f"\n{rest}".partition(f"\ncontent {path}\n")
        if differs:
            found = base64.b64decode("".join(f"\n{encoded}".partition("\n\n")[0].split()), validate=True)
            content = found.decode("utf-8", "surrogateescape")
        elif not about.startswith("regular "):
            content = ""
        return f"{about}\n{content}"
