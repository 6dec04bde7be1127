"""The step node.environment of a host that was set up by hand, or by a checkout whose secrets are not here."""

from __future__ import annotations

from typing import Any

import pytest

from aerodrome.checks.celery import Unmoved
from aerodrome.checks.claims import OwnEnvironment
from aerodrome.checks.keys import FoundKeys
from aerodrome.core.resource import Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.environment import KeptVariables
from aerodrome.resources.files import File
from aerodrome.resources.takeover import PutAside
from aerodrome.secrets import Secret
from tests.unit.components.node_steps import ALL, environment_file, requires, resources
from tests.unit.make import FERNET_KEY, fleet, inputs

HEAD = "regular file|root|root|600\n"
NO_KEY_GIVEN = (
    "the host has a Fernet key, but this checkout has none: a new one would make stored connections unreadable"
)


def test_a_key_in_the_file_of_a_role_is_not_replaced_by_one_that_nobody_gave() -> None:
    file = environment_file(inputs(made=frozenset({"fernet_key"})), "/etc/default/airflow-scheduler", "s1")
    assert len(file.changes(Seen(""))) == 1
    with pytest.raises(AerodromeError, match=NO_KEY_GIVEN):
        file.changes(Seen(HEAD + "# Written by Aerodrome\nAIRFLOW__CORE__FERNET_KEY=old\n"))


@pytest.mark.parametrize(
    "found, made, airflow, refused",
    [
        # Ours, from a run whose secrets.yaml is not here.
        ("# Written by Aerodrome\nAIRFLOW__CORE__FERNET_KEY=old\n", True, {}, True),
        ("# Written by Aerodrome\nAIRFLOW__CORE__FERNET_KEY_CMD=vault\n", True, {}, True),
        ("# Written by Aerodrome\nAIRFLOW__CORE__FERNET_KEY=old\n", False, {}, False),
        ("# Written by Aerodrome\nAIRFLOW__CORE__FERNET_KEY=old\n", True, {"fernet_key": Secret("given")}, False),
        ("# Written by Aerodrome\nAIRFLOW__CORE__FERNET_KEY=\n", True, {}, False),
        # Written by hand: a key is adopted; the output of a command cannot be.
        ("AIRFLOW__CORE__FERNET_KEY=old\n", True, {}, False),
        ("AIRFLOW__CORE__FERNET_KEY_CMD=vault\n", True, {}, True),
        (" AIRFLOW__CORE__FERNET_KEY_CMD = vault\n", False, {}, True),
        ("AIRFLOW__CORE__FERNET_KEY_CMD=vault\n", False, {"fernet_key": Secret("given")}, False),
        ("AIRFLOW__CORE__FERNET_KEY_CMD=vault\n", False, {"fernet_key_command": "vault"}, False),
        ("PATH=/bin\n", True, {}, False),
    ],
)
def test_a_key_that_nobody_gave_does_not_replace_one_that_a_host_has(
    found: str, made: bool, airflow: dict[str, Any], refused: bool
) -> None:
    file = environment_file(inputs(fleet(**airflow), made=frozenset({"fernet_key"} if made else ())))
    if refused:
        with pytest.raises(AerodromeError, match=NO_KEY_GIVEN):
            file.changes(Seen(HEAD + found))
    else:
        assert file.changes(Seen(HEAD + found)) != []


def test_keys_and_variables_are_taken_over_before_the_file_is_replaced() -> None:
    given = inputs(fleet(service="ac", home="/srv/air"))
    kept, file, *of_roles, aside = resources("node.environment", given)
    own, found, place = requires("node.environment", given)
    assert own == OwnEnvironment("/etc/default/ac")
    assert found == FoundKeys(
        "/etc/default/ac", "/srv/air/airflow.cfg", "AIRFLOW__CORE__FERNET_KEY", Secret(FERNET_KEY), "astro"
    )
    assert isinstance(kept, KeptVariables)
    assert (kept.path, kept.found_in) == ("/etc/default/ac.local", "/etc/default/ac")
    assert (file.path, file.keep) == ("/etc/default/ac", True)
    assert aside == PutAside(
        (
            "/etc/default/ac.by-hand",
            "/etc/systemd/system/ac@.service.by-hand",
            "/srv/air/airflow.cfg.by-hand",
        )
    )
    assert len(of_roles) == len(ALL)
    assert isinstance(place, Unmoved)


@pytest.mark.parametrize(
    "version, ours, not_ours",
    [
        (
            "3.3.2",
            "PATH AIRFLOW_HOME AIRFLOW__CORE__EXECUTOR AIRFLOW__API__PORT AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
            " AIRFLOW__API_AUTH__JWT_SECRET AIRFLOW__API_AUTH__JWT_SECRET_CMD"
            # under older names
            " AIRFLOW__CORE__SQL_ALCHEMY_CONN AIRFLOW__CORE__SQL_ALCHEMY_CONN_CMD AIRFLOW__WEBSERVER__WEB_SERVER_PORT"
            # as for a secrets backend
            " AIRFLOW__CORE__FERNET_KEY_CMD AIRFLOW__CELERY__BROKER_URL_SECRET AIRFLOW__WEBSERVER__SECRET_KEY_SECRET",
            "ZONE TEAM_NAME AIRFLOW__CORE__PARALLELISM CORE__FERNET_KEY AIRFLOW__API_AUTH__JWT AIRFLOW__",
        ),
        (
            "1.10.10",
            # under newer names
            "AIRFLOW__CORE__SQL_ALCHEMY_CONN AIRFLOW__DATABASE__SQL_ALCHEMY_CONN AIRFLOW__API__SECRET_KEY"
            " AIRFLOW__WEBSERVER__RBAC",
            "AIRFLOW__API_AUTH__JWT_SECRET AIRFLOW__SMTP__SMTP_PASSWORD",
        ),
    ],
)
def test_what_hosts_yaml_has_its_say_about_is_not_kept(version: str, ours: str, not_ours: str) -> None:
    (kept,) = [
        each
        for each in resources("node.environment", inputs(fleet(version=version)))
        if isinstance(each, KeptVariables)
    ]
    assert [name for name in ours.split() if not kept.ours(name)] == []
    assert [name for name in not_ours.split() if kept.ours(name)] == []


def test_a_key_of_before_does_not_outlive_the_command_that_gives_it() -> None:
    given = inputs(fleet(fernet_key_command="vault"), fernet_key=None)
    (kept,) = [each for each in resources("node.environment", given) if isinstance(each, KeptVariables)]
    assert kept.ours("AIRFLOW__CORE__FERNET_KEY")  # Airflow would prefer it to the command
    assert kept.ours("AIRFLOW__CORE__FERNET_KEY_CMD")


@pytest.mark.parametrize("line", ["AIRFLOW_HOME=/opt/airflow/", 'AIRFLOW_HOME="/opt/airflow"'])
def test_a_host_by_hand_with_another_home_is_refused(line: str) -> None:
    file = next(each for each in resources("node.environment") if isinstance(each, File))
    with pytest.raises(AerodromeError, match="set up by hand with AIRFLOW_HOME=/opt/airflow") as caught:
        file.changes(Seen(f"regular file|root|root|600\n{line}\n"))
    assert caught.value.hint.startswith("set airflow.home: /opt/airflow (")


def test_a_host_by_hand_with_the_same_home_or_none_is_not() -> None:
    file = next(each for each in resources("node.environment") if isinstance(each, File))
    for text in ("AIRFLOW_HOME=/usr/local/airflow/\n", "A=b\n", "# Written by Aerodrome\nAIRFLOW_HOME=/opt/x\n"):
        assert len(file.changes(Seen(f"regular file|root|root|600\n{text}"))) == 1
