"""Settings of a fleet that another version of Airflow has renamed, removed or reads differently."""

from __future__ import annotations

import configparser
from collections.abc import Iterator, Sequence

from aerodrome.catalogue.changed_settings import advice, changed_defaults, changed_value
from aerodrome.catalogue.known_settings import is_unknown, of_variable
from aerodrome.catalogue.settings import gone, rename
from aerodrome.checks.kept_settings import KeptSettings, SetByHand
from aerodrome.components.environment import environment
from aerodrome.components.inputs import Inputs, Settings
from aerodrome.core.check import Look
from aerodrome.dataclass import dataclass
from aerodrome.fleet.model import Host

_PLACES = "\0"
MANY = 100  # settings in an airflow.cfg that nobody has written by hand


@dataclass(frozen=True)
class _Set:
    """A setting, where it is set, and whether Aerodrome renames it for each version."""

    section: str
    key: str
    place: str
    mapped: bool = False
    value: str = ""  # empty if it is a secret, or not known


def settings_changed(inputs: Inputs, new: Inputs, by_hand: Sequence[SetByHand] = ()) -> list[str]:
    """Return one sentence for each setting that changes with the version of `new`: what it becomes, and who does it.

    `by_hand` is what hosts set outside hosts.yaml (`set_by_hand`).
    """
    major, found = inputs.catalogue.major, dict[str, list[_Set]]()
    rows = [*_in_hosts_yaml(inputs), *_in_config_file(inputs)]
    for each in by_hand:
        if len(each.names) > MANY:
            continue
        rows += [row for name in each.names for row in _by_hand(major, name, f"{each.file} on {each.host}")]
    for row in rows:
        if sentence := _change(inputs, new, row):
            found.setdefault(sentence, []).append(row)
    sentences = [
        sentence.replace(_PLACES, ", ".join(dict.fromkeys(row.place for row in rows)))
        for sentence, rows in found.items()
    ]
    return [*sentences, *_generated(by_hand), *_defaults(inputs, new, rows)]


def set_by_hand(inputs: Inputs, hosts: Sequence[Host], look: Look) -> list[SetByHand]:
    """Ask the nodes among `hosts` for the names of the settings that they have outside hosts.yaml."""
    config = f"{inputs.fleet.airflow.home}/airflow.cfg" if inputs.config_file is None else ""
    found = look(
        {
            host.name: [KeptSettings(host.name, inputs.kept_file, config, inputs.fleet.airflow.user)]
            for host in inputs.fleet.nodes()
            if host in hosts
        }
    )
    return [each for findings in found.values() for each in findings if isinstance(each, SetByHand)]


def _in_hosts_yaml(inputs: Inputs) -> Iterator[_Set]:
    places: dict[str, Settings] = {"airflow": inputs.settings}
    places |= {f"hosts.{name}": settings for name, settings in inputs.host_settings.items()}
    places |= {f"roles.{name}": settings for name, settings in inputs.role_settings.items()}
    for place, settings in places.items():
        for section, keys in settings.config.items():
            for key, value in keys.items():
                yield _Set(section, key, f"hosts.yaml: {place}.config", True, value if isinstance(value, str) else "")
        for name, text in settings.environment.items():
            if setting := _of_variable(inputs.catalogue.major, name):
                value = text if isinstance(text, str) else ""
                yield _Set(*setting, f"hosts.yaml: {place}.environment", value=value)


def _in_config_file(inputs: Inputs) -> Iterator[_Set]:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(inputs.config_file or "")
    except configparser.Error:
        return  # Airflow itself says where it is wrong
    for section in parser.sections():
        for key, value in parser.items(section):
            yield _Set(section, key, "airflow.config_file", value=value or "")


def _by_hand(major: int, name: str, place: str) -> Iterator[_Set]:
    section, dot, key = name.rpartition(".")
    if dot:
        yield _Set(section, key, place)
    elif setting := _of_variable(major, name):
        yield _Set(*setting, place)


def _of_variable(major: int, name: str) -> tuple[str, str] | None:
    """Return the setting of a variable, by the sections of its version, or else of any."""
    return next((found for each in (major, 1, 2, 3) if (found := of_variable(each, name))), None)


def _change(inputs: Inputs, new: Inputs, row: _Set) -> str:
    """Return the fate of a setting, with _PLACES for where it is set; empty if it stays as it is."""
    before, after, version = inputs.catalogue.major, new.catalogue.major, new.fleet.airflow.version
    name, given = (row.section, row.key), f"[{row.section}] {row.key} ({_PLACES})"
    today, earlier = rename(after, *name), rename(before, *name)
    if gone(after, *name):
        instead = advice(before, after, *name)
        return f"{given} is removed in {version}: delete it{f'; {instead}' if instead else ''}"
    if wrong := changed_value(before, after, *name, row.value):
        return f"{given} has a value that {version} reads differently: {wrong}"
    if today not in (name, earlier):
        who = (
            "Aerodrome maps it" if row.mapped else f"rename it after the upgrade, as {version} may ignore the old name"
        )
        return f"{given} is [{today[0]}] {today[1]} in {version}: {who}"
    if is_unknown(after, *today) and not is_unknown(before, *earlier):
        return f"{given} is unknown to {version}, which ignores it: delete it"
    return ""


def _generated(by_hand: Sequence[SetByHand]) -> list[str]:
    return [
        f"{each.file} on {each.host} sets {len(each.names)} settings, as if Airflow itself had written it: a later "
        "version reads them as deliberate; move it aside"
        for each in by_hand
        if len(each.names) > MANY
    ]


def _defaults(inputs: Inputs, new: Inputs, rows: Sequence[_Set]) -> list[str]:
    """Return a sentence for each default that changes, unless the setting is set."""
    after, version = new.catalogue.major, new.fleet.airflow.version
    names = {tuple(map(str.lower, rename(after, row.section, row.key))) for row in rows}
    ours = {name for host in new.fleet.nodes() for name in environment(new, host)}
    return [
        f"[{section}] {key} is not set: its default was {each.before} and is {each.after} in {version} ({each.effect})"
        for (section, key), each in changed_defaults(inputs.catalogue.major, after)
        if (section, key) not in names
        and not gone(after, section, key)
        and new.catalogue.variable(section, key) not in ours
    ]
