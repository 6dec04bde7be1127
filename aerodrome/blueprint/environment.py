"""The environment file: which variables a node gets, and how systemd wants them written."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aerodrome.blueprint.inputs import Inputs, Text
from aerodrome.errors import InvalidInput
from aerodrome.fleet import Host
from aerodrome.render import render
from aerodrome.secrets import MASK, Secret

# Settings whose names only look as if a secrets backend or a command gave them.
SETTINGS = {"AIRFLOW__API_AUTH__JWT_SECRET"}
# A value of these characters alone means the same to systemd with and without quotes.
PLAIN = re.compile(r"[A-Za-z0-9_./:@%+=,-]*")


def environment(inputs: Inputs, host: Host) -> dict[str, Text]:
    """Return the variables of a host, in the order of the file; what is more particular comes later and wins."""
    airflow, variable = inputs.fleet.airflow, inputs.catalogue.variable
    variables: dict[str, Text] = {
        "AIRFLOW_HOME": airflow.home,
        # Written out: systemd does not expand $PATH (systemd.exec(5)), and without it no task finds a program.
        "PATH": f"{inputs.venv}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    for (section, key), value in _settings(inputs).items():
        variables[variable(section, key)] = value
    for section, keys in inputs.config.items():
        for key, value in keys.items():
            variables[variable(section, key)] = value
    variables |= inputs.environment
    variables |= inputs.host_environment.get(host.name, {})
    _refuse_what_airflow_expands(variables)
    return variables


def _settings(inputs: Inputs) -> dict[tuple[str, str], Text]:
    airflow, catalogue = inputs.fleet.airflow, inputs.catalogue
    settings: dict[tuple[str, str], Text] = {
        ("core", "executor"): airflow.executor,
        ("core", "load_examples"): "False",
        ("core", "fernet_key"): inputs.fernet_key,
        ("database", "sql_alchemy_conn"): inputs.database_url("postgresql+psycopg2"),
        ("api", "secret_key"): inputs.secret_key,
        ("api", "port"): str(airflow.web_port),
        ("api", "base_url"): airflow.base_url or inputs.web_url,
    }
    if airflow.web_workers:
        settings["api", "workers"] = str(airflow.web_workers)
    if airflow.executor == "CeleryExecutor":
        settings["celery", "broker_url"] = inputs.database_url("sqla+postgresql")
        settings["celery", "result_backend"] = inputs.database_url("db+postgresql")
    if catalogue.major >= 3:
        settings["api_auth", "jwt_secret"] = inputs.jwt_secret
        settings["core", "execution_api_server_url"] = f"{inputs.web_url}/execution/"
    return settings | dict(catalogue.fixed)


def environment_file(inputs: Inputs, host: Host) -> str:
    """Return the text of the environment file, secrets and all."""
    variables = [(name, escape(_reveal(value))) for name, value in environment(inputs, host).items()]
    return render("environment.j2", variables=variables)


def mask_environment(variables: Mapping[str, Text], text: str) -> str:
    """Mask an environment file, ours or one that was found: only what is known to be no secret stays."""
    shown = {name for name, value in variables.items() if not isinstance(value, Secret)}
    lines: list[str] = []
    goes_on = shows = False  # whether a value of the lines before goes on, and whether it is shown
    state = ""
    for line in text.split("\n"):
        name, equals, value = line.partition("=")
        if goes_on:
            lines.append(line if shows else MASK)
            state, goes_on = _value_goes_on(line, state)
        elif line.startswith(("#", ";")) or not line.strip():
            lines.append(line)
        else:
            shows = bool(equals) and name.strip() in shown
            lines.append(line if shows else f"{name}={MASK}" if equals else MASK)
            state, goes_on = _value_goes_on(value, "start")
    return "\n".join(lines)


def _value_goes_on(text: str, state: str) -> tuple[str, bool]:
    """Tell in which state a value is at the end of its line, and whether the next line belongs to it.

    `state` is `start`, `plain`, or the quote that is open. As systemd reads it (src/basic/env-file.c), a quote opens
    only where a value begins or another quote has just closed, and a backslash at the end joins the next line.
    """
    escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\" and state != "'":
            escaped, state = True, "plain" if state == "start" else state
        elif state in ("'", '"'):
            state = "start" if char == state else state
        elif state == "start" and char in "'\"":
            state = char
        elif not (state == "start" and char.isspace()):
            state = "plain"
    return state, escaped or state in ("'", '"')


def escape(value: str) -> str:
    """Write a value for systemd's EnvironmentFile= (systemd.exec(5)): in double quotes where it needs any.

    Within them a backslash is wanted before `"`, `\\`, `$` and the backtick, and a newline stands for itself.
    """
    if PLAIN.fullmatch(value):
        return value
    return '"' + re.sub(r'(["\\$`])', r"\\\1", value) + '"'


def _refuse_what_airflow_expands(variables: Mapping[str, Text]) -> None:
    """Refuse a setting that would not arrive as it is: Airflow expands `$NAME` and a leading `~` in each."""
    problems = [
        f"{name}: Airflow would expand {_named(value, found.group())} in its value"
        for name, value in variables.items()
        if name.startswith("AIRFLOW__") and (name in SETTINGS or not name.endswith(("_CMD", "_SECRET")))
        if (found := re.search(r"\$\w+|\$\{[^}]*\}|^~[\w-]*(?=/|$)", _reveal(value)))
    ]
    if problems:
        hint = "give it by a command (the variable's name with _CMD at its end), whose output Airflow takes as it is"
        raise InvalidInput(problems, hint)


def _named(value: Text, part: str) -> str:
    return "a name" if isinstance(value, Secret) else f"the “{part}”"


def _reveal(value: Text) -> str:
    return value.reveal() if isinstance(value, Secret) else value
