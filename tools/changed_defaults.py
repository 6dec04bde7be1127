"""List settings whose default differs between two Airflows: python tools/changed_defaults.py 2=FOLDER 3=FOLDER

Each FOLDER is a site-packages, as for known_settings.py. What matters of the list is in catalogue/changed_settings.py.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from aerodrome.catalogue.settings import Name, rename


def defaults(folder: Path) -> dict[Name, Any]:
    """Return the default of each setting in config.yml."""
    loaded = yaml.safe_load((folder / "airflow/config_templates/config.yml").read_text())
    sections = loaded.items() if isinstance(loaded, dict) else ((each["name"], each) for each in loaded)
    found: dict[Name, Any] = {}
    for section, given in sections:
        options = given["options"] or {}
        pairs = options.items() if isinstance(options, dict) else ((each["name"], each) for each in options)
        found |= {(section, key): option.get("default") for key, option in pairs}
    return found


def main(arguments: list[str]) -> None:
    """Print the list."""
    (_, _, old), (major, _, new) = (each.partition("=") for each in arguments)
    before, after = defaults(Path(old)), defaults(Path(new))
    for name, value in sorted(before.items()):
        today = rename(int(major), *name)
        if today in after and str(after[today]) != str(value):
            print(f"{'.'.join(today)}: {value!r} -> {after[today]!r}")


main(sys.argv[1:])
