"""Notes on a fleet that an operator should read before deploying it, and would not see from the changes."""

from __future__ import annotations

from collections.abc import Iterable

from aerodrome.catalogue.known_settings import is_unknown, nearest, of_variable
from aerodrome.catalogue.packages import DATES
from aerodrome.catalogue.settings import Name, gone, rename, unknown
from aerodrome.catalogue.version import Catalogue
from aerodrome.components.inputs import Inputs, Settings


def notes(inputs: Inputs) -> list[str]:
    """Return the notes, one line each."""
    airflow = inputs.fleet.airflow
    found = list(inputs.catalogue.notes)
    if inputs.broker_is_postgres:
        found.append(
            "Celery over PostgreSQL has no remote control, and with more than a few workers it may run a message twice;"
            " use Redis instead (the role redis in hosts.yaml)"
        )
    if airflow.extra_index_url and (airflow.constraints or not airflow.pinned):
        found.append(
            "airflow.extra_index_url without a lock file: whoever can put a package of the same name on one of the"
            " indexes can replace it; a lock file with hashes (fab pin, airflow.lock) prevents that"
        )
    return found + setting_notes(inputs)


def setting_notes(inputs: Inputs) -> list[str]:
    """Return notes on settings that Airflow does not read, or that should not be set."""
    catalogue = inputs.catalogue
    everywhere = [inputs.settings, *inputs.host_settings.values(), *inputs.role_settings.values()]
    given = dict.fromkeys(
        (section, key) for each in everywhere for section, keys in each.config.items() for key in keys
    )
    today = [rename(catalogue.major, section, key) for section, key in given]
    found = [
        f"config: no section of Airflow {catalogue.version} is called {section}; {meant}it is set anyway"
        for section, near in unknown(catalogue.major, (section for section, _ in today)).items()
        for meant in [f"was {near} meant? " if near else ""]
    ]
    found += [
        f"config: Airflow {catalogue.version} no longer has {section}.{key}; it is set anyway"
        for section, key in given
        if gone(catalogue.major, section, key)
    ]
    found += _unknown_keys(inputs, everywhere, given)
    if any(_is_simple(each, catalogue) for each in everywhere):
        found.append(
            "the simple auth manager is for development: its passwords are in a world-readable file; remove it"
        )
    return found + _shared_database(inputs)


def _shared_database(inputs: Inputs) -> list[str]:
    """Return a note if workers get a login to the metadata database that hosts.yaml does not ask for (Airflow 3)."""
    if not (inputs.celery_is_separate and inputs.celery_shares_database):
        return []
    keys = {"broker": "broker.url"} if inputs.broker_is_postgres else {}
    keys |= {"results": "broker.result_backend"} if inputs.results_are_in_postgres else {}
    why = "database.connection_command" if inputs.fleet.database.managed else "database.managed: false"
    return [
        f"workers can log in to the metadata database, which also holds Celery's {' and '.join(keys)}: with {why} "
        f"Celery gets no database of its own. To change this, set {' and '.join(keys.values())} or add the role redis; "
        "broker.separate: false accepts it"
    ]


def _unknown_keys(inputs: Inputs, everywhere: Iterable[Settings], given: Iterable[Name]) -> list[str]:
    """Return notes on keys that Airflow does not have in a known section: it ignores typos silently."""
    major, version = inputs.catalogue.major, inputs.fleet.airflow.version
    places = {f"config: {section}.{key}": (section, key) for section, key in given}
    for variable in (name for each in everywhere for name in each.environment):
        if setting := of_variable(major, variable):
            places[f"environment: {variable}"] = setting
    tested = next(release for release in DATES if release.startswith(f"{major}."))
    found = []
    for place, setting in places.items():
        today = rename(major, *setting)
        if not is_unknown(major, *today) or gone(major, *setting):
            continue
        near = nearest(major, *today)
        meant = f"was {near} meant? " if near else ""
        if version.startswith(tested):
            found.append(f"{place}: Airflow {version} has no such setting; {meant}it is set anyway")
        elif near:  # another version may have settings that the tested one lacks
            found.append(f"{place}: Airflow {tested} has no such setting, and {version} may have none; {meant}")
    return [note.rstrip("; ") for note in found]


def _is_simple(settings: Settings, catalogue: Catalogue) -> bool:
    manager = settings.variables(catalogue.variable).get(catalogue.variable("core", "auth_manager"), "")
    return str(manager).endswith("SimpleAuthManager")
