"""All of Airflow's settings: known_settings.txt, generated from the packages by tools/known_settings.py."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from aerodrome.catalogue.settings import has_had_names

# Keys of these sections are passed to other libraries, or belong to providers whose versions are not all known.
_OPEN = """
    azure_remote_logging celery_broker_transport_options celery_result_backend_transport_options elasticsearch
    elasticsearch_configs kubernetes kubernetes_executor postgres sentry standard"""
# Suffixes of keys that Airflow reads from a command or a store.
_SUFFIXES = ("_cmd", "_secret")


@cache
def _known(major: int) -> Mapping[str, frozenset[str]]:
    """Return the keys of each section of a major version, as tested with Aerodrome."""
    found: dict[str, set[str]] = {}
    section = ""
    for line in Path(__file__).with_suffix(".txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif not line.startswith("#"):
            key, majors = line.split()
            if str(major) in majors:
                found.setdefault(section, set()).add(key)
    return {name: frozenset(keys) for name, keys in found.items() if name not in _OPEN.split()}


def is_unknown(major: int, section: str, key: str) -> bool:
    """Tell whether a major version has this section but not this key, by the version's own names."""
    keys = _known(major).get(section.lower())
    plain = {key.lower().removesuffix(suffix) for suffix in ("", *_SUFFIXES)}
    # Renamed settings are those of a major version's last release; the tested one may not have them.
    return keys is not None and not plain & keys and not any(has_had_names(section, name) for name in plain)


def nearest(major: int, section: str, key: str) -> str:
    """Return the setting that was probably meant, as section.key, or "" if none is similar."""
    known = _known(major)
    if close := difflib.get_close_matches(key.lower(), known.get(section.lower(), ()), 1, 0.8):
        return f"{section}.{close[0]}"
    elsewhere = [name for name, keys in known.items() if key.lower() in keys]
    return f"{elsewhere[0]}.{key.lower()}" if len(elsewhere) == 1 else ""


def of_variable(major: int, name: str) -> tuple[str, str] | None:
    """Return section and key of a variable AIRFLOW__SECTION__KEY if the version has the section."""
    prefix, _, rest = name.partition("__")
    written, _, key = rest.partition("__")
    sections = {section.replace(".", "_"): section for section in _known(major)}
    section = sections.get(written.lower())
    return (section, key.lower()) if prefix == "AIRFLOW" and section and key else None
