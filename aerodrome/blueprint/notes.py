"""What an operator should know of a fleet before it is deployed, and what no change shows."""

from __future__ import annotations

from aerodrome.blueprint.inputs import Inputs, Settings
from aerodrome.settings import gone, unknown


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
    major = inputs.catalogue.major
    everywhere = [inputs.settings, *inputs.host_settings.values(), *inputs.role_settings.values()]
    config = [(section, key) for each in everywhere for section, keys in each.config.items() for key in keys]
    found = [
        f"airflow.config: no section of Airflow {inputs.catalogue.version} is called {name}; it is set all the same"
        for name in unknown(major, dict.fromkeys(section for section, _ in config))
    ]
    found += [
        f"airflow.config: Airflow {inputs.catalogue.version} has no setting {section}.{key} any more"
        for section, key in dict.fromkeys(config)
        if gone(major, section, key)
    ]
    if any(_is_simple(each) for each in everywhere):
        found.append("the simple auth manager is for development: its passwords lie readable in a file; leave it out")
    return found


def _is_simple(settings: Settings) -> bool:
    manager = settings.config.get("core", {}).get("auth_manager", "")
    return str(manager).endswith("SimpleAuthManager")
