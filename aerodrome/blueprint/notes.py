"""What an operator should know of a fleet before it is deployed, and what no change shows."""

from __future__ import annotations

from aerodrome.airflow import Catalogue
from aerodrome.blueprint.inputs import Inputs, Settings
from aerodrome.settings import gone, rename, unknown


def notes(inputs: Inputs) -> list[str]:
    """Return the notes, a line each."""
    airflow = inputs.fleet.airflow
    found = list(inputs.catalogue.notes)
    if inputs.broker_is_database:
        found.append(
            "Celery over PostgreSQL has no remote control, and with more than a few workers it may run a message twice;"
            " the role redis in hosts.yaml is the way out"
        )
    if airflow.extra_index_url and (airflow.constraints or not airflow.pinned):
        found.append(
            "airflow.extra_index_url without a lock file: whoever can put a package of the same name on one of the"
            " indexes can replace it; the hashes of a lock file (fab lock, airflow.lock) protect"
        )
    return found + _settings(inputs)


def _settings(inputs: Inputs) -> list[str]:
    catalogue = inputs.catalogue
    everywhere = [inputs.settings, *inputs.host_settings.values(), *inputs.role_settings.values()]
    given = dict.fromkeys(
        (section, key) for each in everywhere for section, keys in each.config.items() for key in keys
    )
    today = [rename(catalogue.major, section, key) for section, key in given]
    found = [
        f"config: no section of Airflow {catalogue.version} is called {section}; {meant}it is set all the same"
        for section, near in unknown(catalogue.major, (section for section, _ in today)).items()
        for meant in [f"was {near} meant? " if near else ""]
    ]
    found += [
        f"config: Airflow {catalogue.version} has no {section}.{key} any more; it is set all the same"
        for section, key in given
        if gone(catalogue.major, section, key)
    ]
    if any(_is_simple(each, catalogue) for each in everywhere):
        found.append("the simple auth manager is for development: its passwords lie readable in a file; leave it out")
    return found


def _is_simple(settings: Settings, catalogue: Catalogue) -> bool:
    manager = settings.variables(catalogue.variable).get(catalogue.variable("core", "auth_manager"), "")
    return str(manager).endswith("SimpleAuthManager")
