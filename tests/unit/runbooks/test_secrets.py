"""Which runbooks put the fleet's secrets on hosts, and so store generated ones before they change anything."""

from __future__ import annotations

from contextlib import suppress

import pytest

from aerodrome.core.resource import Seen
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import by_host
from aerodrome.errors import AerodromeError
from aerodrome.resources.tree import Tree
from aerodrome.runbooks.dags import deploy_dags, rollback_dags
from aerodrome.runbooks.deploy import deploy
from aerodrome.runbooks.undo import undo
from aerodrome.runbooks.units import restart, start, stop
from aerodrome.runbooks.users import create_user
from aerodrome.secrets import Secret
from tests.unit.make import AWKWARD, FERNET_KEY, HOSTS, ROLES, inputs
from tests.unit.test_trust import SEEN

GIVEN = inputs(dags=Tree("/usr/local/airflow/dags", "new", 1, lambda: b"archive", "astro"), config_file="[core]\n")
SECRETS = [FERNET_KEY, AWKWARD, "web-secret", "jwt-secret", "celery-secret"]
PERSON = ("ada", "a@b", "Ada", "L", "Admin")
WITHOUT = [
    start(GIVEN, list(HOSTS), ROLES),
    restart(GIVEN, list(HOSTS), ROLES),
    stop(GIVEN, list(HOSTS), ROLES),
    deploy_dags(GIVEN, list(HOSTS), ROLES),
    rollback_dags(GIVEN, list(HOSTS), ROLES, "abc"),
    undo(GIVEN, list(HOSTS), ROLES, "20261124T181500Z-1f3a", {}),  # it sends what hosts have recorded themselves
    create_user(GIVEN, list(HOSTS), ROLES, PERSON, Secret("of-the-user"), "1f3a"),
]


def sent(book: Runbook) -> str:
    """Return everything that a runbook can send to hosts, for every state in which they may be found."""
    steps = [step for steps in by_host(book.stages).values() for step in steps]
    parts = [probe for step in steps for probe in step.probes]
    for resource in [resource for step in steps for resource in step.resources]:
        for text in SEEN:
            with suppress(AerodromeError, ValueError, IndexError, KeyError):
                for change in resource.changes(Seen(text)):
                    parts += [change.script, change.payload.decode()]
    return "\n".join(parts)


@pytest.mark.parametrize("book", WITHOUT, ids=lambda book: book.name)
def test_a_run_that_stores_no_secret_sends_none(book: Runbook) -> None:
    assert not book.secrets
    text = sent(book)
    assert [secret for secret in SECRETS if secret in text] == []


def test_a_deploy_sends_secrets_and_stores_them_first() -> None:
    book = deploy(GIVEN, list(HOSTS), ROLES)
    assert book.secrets
    text = sent(book)
    assert FERNET_KEY in text and "jwt-secret" in text
