"""Which settings Airflow has: known_settings.txt, which tools/known_settings.py makes of the packages themselves."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from aerodrome.catalogue.settings import has_had_names

# Any key of these is handed on to another library, or belongs to a provider of which not all versions are known.
_OPEN = """
    azure_remote_logging celery_broker_transport_options celery_result_backend_transport_options elasticsearch
    elasticsearch_configs kubernetes kubernetes_executor postgres sentry standard"""
# A key of a known section that Airflow reads as what a command prints, or from a store: its name, and one of these.
_SUFFIXES = ("_cmd", "_secret")


@cache
def _known(major: int) -> Mapping[str, frozenset[str]]:
    """Return the keys of each section of a major version that Aerodrome was tested with."""
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
    """Tell whether a section of a major version is known, and this key of it is not; by the version's own names."""
    keys = _known(major).get(section.lower())
    plain = {key.lower().removesuffix(suffix) for suffix in ("", *_SUFFIXES)}
    # Those that have had several names are the last release's of a major version, which the tested one may not have.
    return keys is not None and not plain & keys and not any(has_had_names(section, name) for name in plain)


def nearest(major: int, section: str, key: str) -> str:
    """Return the setting that was probably meant, as section.key; nothing where none is near."""
    known = _known(major)
    if close := difflib.get_close_matches(key.lower(), known.get(section.lower(), ()), 1, 0.8):
        return f"{section}.{close[0]}"
    elsewhere = [name for name, keys in known.items() if key.lower() in keys]
    return f"{elsewhere[0]}.{key.lower()}" if len(elsewhere) == 1 else ""


def of_variable(major: int, name: str) -> tuple[str, str] | None:
    """Return section and key of a variable AIRFLOW__SECTION__KEY where the version knows the section."""
    prefix, _, rest = name.partition("__")
    written, _, key = rest.partition("__")
    sections = {section.replace(".", "_"): section for section in _known(major)}
    section = sections.get(written.lower())
    return (section, key.lower()) if prefix == "AIRFLOW" and section and key else None
