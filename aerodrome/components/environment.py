"""The environment files: which variables a node and each of its roles get, and how systemd expects them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import inf

from aerodrome.catalogue.version import (
    BROKER_URL,
    DATABASE_URL,
    FERNET_KEY,
    JWT_SECRET,
    RESULT_BACKEND,
    SECRET_KEY,
    Setting,
)
from aerodrome.components.inputs import Inputs, Settings, Text
from aerodrome.errors import InvalidInput
from aerodrome.fleet.model import Host
from aerodrome.render import render
from aerodrome.resources.environment import assignments, escape
from aerodrome.secrets import MASK, Redactor, Secret

# Settings that are ordinary values although their names end like those of a secrets backend or a command.
SETTINGS = {"AIRFLOW__API_AUTH__JWT_SECRET"}
# An assignment that has been commented out, as people do with an old password.
COMMENTED_OUT = re.compile(r"^(\s*[#;][#;\s]*(?:export\s+)?\w+\s*=).*")
# A setting in a line of airflow.cfg, possibly commented out.
SETTING = re.compile(r"(?P<name>[#;\s]*(?P<key>[\w.-]+)\s*[=:])\s*(?P<value>.*)")
SOUNDS_SECRET = re.compile(r"key|secret|passw|token|conn|url|backend|dsn|credential|basic_auth", re.IGNORECASE)
# Of those, what the name of a variable that hosts.yaml openly gives a value may have.
OFTEN_OPEN = re.compile(r"conn|url|backend", re.IGNORECASE)
# A value of words and numbers, such as paths, names and versions; a generated one mixes letters and digits.
ORDINARY = re.compile(r"([A-Za-z]{1,16}|\d{1,16})?([ \n\"'_.,:/+=-]([A-Za-z]{1,16}|\d{1,16})?)*")


def environment(inputs: Inputs, host: Host) -> dict[str, Text]:
    """Return the variables that all roles of a host share, in the order of the file.

    More specific ones come later and win. Secrets that only some roles need are in the roles' own files.
    """
    variable = inputs.catalogue.variable
    variables: dict[str, Text] = {
        "AIRFLOW_HOME": inputs.fleet.airflow.home,
        # Literal, because systemd does not expand $PATH (systemd.exec(5)), and without it tasks find no programs.
        "PATH": f"{inputs.venv}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    if not inputs.catalogue.secrets_differ:
        variables |= secrets(inputs)
    for (section, key), value in _settings(inputs).items():
        variables[variable(section, key)] = value
    for role in inputs.roles_on(host):
        variables |= role.host_variables(inputs, host)
    variables |= inputs.settings.variables(variable)
    variables |= _of_host(inputs, host)
    _refuse_what_airflow_expands(variables)
    return variables


def role_environment(inputs: Inputs, host: Host, role: str) -> dict[str, Text]:
    """Return the variables of one role's processes on a host, which override those in the host's own file.

    The role's own secrets come first, if not every role needs all secrets. Settings of the host in hosts.yaml win over
    settings of the role.
    """
    variable = inputs.catalogue.variable
    variables = secrets(inputs, role) if inputs.catalogue.secrets_differ else {}
    own = _of_host(inputs, host)
    given = inputs.role_settings.get(role, Settings()).variables(variable)
    variables |= {name: value for name, value in given.items() if name not in own}
    variables |= inputs.role(role).variables(inputs, host)
    _refuse_what_airflow_expands(variables)
    return variables


def _of_host(inputs: Inputs, host: Host) -> dict[str, Text]:
    return inputs.host_settings.get(host.name, Settings()).variables(inputs.catalogue.variable)


def _settings(inputs: Inputs) -> dict[tuple[str, str], Text]:
    airflow, catalogue = inputs.fleet.airflow, inputs.catalogue
    settings: dict[tuple[str, str], Text] = {
        ("core", "executor"): airflow.executor,
        ("core", "load_examples"): "False",
        ("api", "port"): str(airflow.web_port),
        ("api", "base_url"): airflow.base_url or inputs.web_url,
    }
    if airflow.web_workers:
        settings["api", "workers"] = str(airflow.web_workers)
    if catalogue.major >= 3:
        settings["core", "execution_api_server_url"] = f"{inputs.web_url}/execution/"
    return settings | dict(catalogue.fixed)


def commands(inputs: Inputs, role: str = "") -> dict[str, str]:
    """Return the variables that name a command on the node which prints a secret, and those commands.

    With a `role`, return only those that its processes need.
    """
    database, broker = inputs.fleet.database, inputs.fleet.broker
    given = {
        FERNET_KEY: inputs.fleet.airflow.fernet_key_command,
        DATABASE_URL: database.connection_command,
        BROKER_URL: broker.url_command,
        RESULT_BACKEND: broker.result_backend_command,
    }
    return {
        f"{inputs.catalogue.variable(*setting)}_CMD": command
        for setting, command in given.items()
        if command and (not role or inputs.needs(role, setting))
    }


def secrets(inputs: Inputs, role: str = "") -> dict[str, Text]:
    """Return the secret variables, or the commands from which Airflow gets them.

    With a `role`, return only those that its processes need.
    """
    asked = commands(inputs)
    makers: dict[Setting, Callable[[], Secret | None]] = {
        FERNET_KEY: lambda: inputs.fernet_key,
        DATABASE_URL: lambda: inputs.database_url("postgresql+psycopg2"),
    }
    if inputs.fleet.airflow.executor == "CeleryExecutor":
        makers |= {BROKER_URL: inputs.celery_broker_url, RESULT_BACKEND: inputs.celery_result_backend}
    makers[SECRET_KEY] = lambda: inputs.secret_key
    if inputs.catalogue.major >= 3:
        makers[JWT_SECRET] = lambda: inputs.jwt_secret
    variables: dict[str, Text] = {}
    for setting, make in makers.items():
        if role and not inputs.needs(role, setting):
            continue
        name = inputs.catalogue.variable(*setting)
        if command := asked.get(f"{name}_CMD"):
            variables[f"{name}_CMD"] = command
        elif value := make():
            variables[name] = value
    return variables


def render_variables(variables: Mapping[str, Text]) -> str:
    """Return the text of a file for systemd's EnvironmentFile=, secrets included."""
    lines = [f"{name}={escape(_reveal(value))}\n" for name, value in variables.items()]
    return render("environment.in") + "".join(lines)


def mask_environment(variables: Mapping[str, Text], text: str) -> str:
    """Mask an environment file, whether ours or found on the host: only values known not to be secret stay."""
    shown = {name for name, value in variables.items() if not isinstance(value, Secret)}
    lines: list[str] = []
    for name, found in assignments(text):
        if name is None:
            lines += [COMMENTED_OUT.sub(rf"\1{MASK}", line) for line in found]
        elif name in shown:
            lines += found
        else:
            lines += [f"{found[0].partition('=')[0]}={MASK}" if name else MASK, *[MASK for _ in found[1:]]]
    return "\n".join(lines)


def mask_secrets(inputs: Inputs, variables: Mapping[str, Text], text: str) -> str:
    """Mask what may be a secret in an environment file, as no undo may keep it.

    Of a variable that `variables` lack, nobody knows whether it was one: it stays if its name and value are plain.
    """
    redactor = Redactor()
    for secret in inputs.known_secrets():
        redactor.know(secret)
    lines: list[str] = []
    for name, found in assignments(text):
        if name is None:
            lines += [COMMENTED_OUT.sub(rf"\1{MASK}", line) for line in found]
        elif _may_be_secret(variables, name, "\n".join(found)) or redactor.hide("\n".join(found)) != "\n".join(found):
            lines += [MASK for _ in found]
        else:
            lines += found
    return "\n".join(lines)


def _may_be_secret(variables: Mapping[str, Text], name: str, lines: str) -> bool:
    """Tell whether an assignment that was found may be of a secret, by what `variables` say today, name and value."""
    value = lines.partition("=")[2].strip()
    if isinstance(today := variables.get(name), Secret) or ("://" in value and "@" in value):
        return True
    if today is not None:
        return bool(SOUNDS_SECRET.search(OFTEN_OPEN.sub("", name)))
    return bool(not name or SOUNDS_SECRET.search(name) or not ORDINARY.fullmatch(value))


def mask_config(text: str) -> str:
    """Mask the settings of an airflow.cfg that sound secret, including their continuation lines.

    As in Python's configparser, a line that is indented deeper than its setting continues the value, even after an
    empty line or a comment.
    """
    lines: list[str] = []
    hides, depth = False, inf  # whether the setting above is secret, and its indentation
    for line in text.split("\n"):
        indented, comment = len(line) - len(line.lstrip()), line.lstrip().startswith(("#", ";"))
        setting = SETTING.fullmatch(line)
        if not line.strip():
            lines.append(line)
        elif indented > depth and not comment:
            lines.append(MASK if hides else line)
        else:
            secret = bool(setting and sounds_secret(setting["key"], setting["value"]))
            lines.append(f"{setting['name']} {MASK}" if setting and secret and setting["value"] else line)
            if not comment:
                hides, depth = secret, indented if setting else inf
    return "\n".join(lines)


def sounds_secret(key: str, value: str) -> bool:
    """Tell whether a setting may be secret, by its name or because it is a URL with a login."""
    return bool(SOUNDS_SECRET.search(key)) or ("://" in value and "@" in value)


def _refuse_what_airflow_expands(variables: Mapping[str, Text]) -> None:
    """Refuse a value that would not arrive unchanged: Airflow expands `$NAME` and a leading `~`."""
    problems = [
        f"{name}: Airflow would expand {_named(value, found.group())} in its value"
        for name, value in variables.items()
        if name.startswith("AIRFLOW__") and (name in SETTINGS or not name.endswith(("_CMD", "_SECRET")))
        if (found := re.search(r"\$\w+|\$\{[^}]*\}|^~[\w-]*(?=/|$)", _reveal(value)))
    ]
    if problems:
        hint = "use a command (the variable's name with _CMD appended), whose output Airflow uses unchanged"
        raise InvalidInput(problems, hint)


def _named(value: Text, part: str) -> str:
    return "a name" if isinstance(value, Secret) else f"the “{part}”"


def _reveal(value: Text) -> str:
    return value.reveal() if isinstance(value, Secret) else value
