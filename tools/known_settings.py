"""Write catalogue/known_settings.txt from installed Airflows: python tools/known_settings.py 1=FOLDER 2=FOLDER 3=FOLDER

Each FOLDER is the site-packages of a major version's tested release, as installed by `fab deploy`. Its sources are
config_templates/config.yml, default_airflow.cfg, `config` of each provider, and the names that the code passes to conf,
because some settings are in no template.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import yaml

TARGET = Path(__file__).resolve().parent.parent / "aerodrome" / "catalogue" / "known_settings.txt"
HEADER = """\
# The settings that Airflow 1.10.10, 2.11.2 and 3.3.2 read: section, key, and the major versions that have it.
# Made by tools/known_settings.py from these packages themselves: do not change it by hand.
"""
ASKED = re.compile(
    r"""\bconf\.(?:get\w*|has_option)\(\s*["']([a-z_.]+)["'],\s*(?:key=)?["']([a-z0-9_]+)["']""", re.IGNORECASE
)
NAMED = re.compile(r"""section=["']([a-z_.]+)["'],\s*key=["']([a-z0-9_]+)["']""")


def settings(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield section and key of every setting that the packages in a directory know."""
    for template in folder.glob("airflow/config_templates/config.yml"):
        loaded = yaml.safe_load(template.read_text())
        sections = loaded.items() if isinstance(loaded, dict) else ((each["name"], each) for each in loaded)
        for section, found in sections:
            options = found["options"] or {}
            names = options if isinstance(options, dict) else [option["name"] for option in options]
            yield from ((section, name) for name in names)
    for template in folder.glob("airflow/config_templates/default_airflow.cfg"):
        section = ""
        for line in template.read_text().splitlines():
            if found := re.fullmatch(r"\[([\w.]+)\]", line.strip()):
                section = found[1]
            elif found := re.match(r"(?:# )?([a-z][a-z0-9_]+) =", line):
                yield section, found[1]
    for info in folder.glob("airflow/providers/**/get_provider_info.py"):
        yield from of_provider(info.read_text())
    for program in [*folder.glob("airflow/**/*.py")]:
        text = program.read_text(errors="replace")
        yield from ASKED.findall(text)
        yield from NAMED.findall(text)


def of_provider(program: str) -> Iterator[tuple[str, str]]:
    """Yield the settings in a provider's own description."""
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Dict):
            for section, found in ast.literal_eval(node.value).get("config", {}).items():
                yield from ((section, key) for key in found["options"])


def main(arguments: list[str]) -> None:
    """Write the file."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for argument in arguments:
        major, _, folder = argument.partition("=")
        for section, key in settings(Path(folder)):
            found[section.lower()][key.lower()].add(major)
    lines = [HEADER]
    for section in sorted(found):
        lines.append(f"[{section}]\n")
        lines += [f"{key} {''.join(sorted(majors))}\n" for key, majors in sorted(found[section].items())]
    TARGET.write_text("".join(lines))


main(sys.argv[1:])
