"""The components' inputs: every value of hosts.yaml is looked up, and secrets are masked in all output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.components.inputs import Inputs, Settings
from aerodrome.controller.keyring import Vault
from aerodrome.errors import InvalidInput
from aerodrome.report.terminal import redactor
from aerodrome.secrets import MASK, Secret
from tasks.values import look_up
from tests.unit.make import load

ROLES = "roles: {database: [one], scheduler: [one], webserver: [one], worker: [one]}\n"
HOSTS = f"hosts: {{one: {{address: 127.0.0.1}}}}\n{ROLES}"

LookUp = Callable[..., Inputs]


@pytest.fixture
def looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LookUp:
    """Look up the values of a hosts.yaml in the test's own folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AERODROME_HOSTS", raising=False)

    def look(text: str, adopt: tuple[str, ...] = ()) -> Inputs:
        Path("hosts.yaml").write_text(text)
        fleet = load()
        vault = Vault(fleet)
        vault.adopt(Secret(key) for key in adopt)
        return look_up(fleet, vault)

    return look


def test_secrets_that_nobody_gave_are_made(looked_up: LookUp) -> None:
    given = looked_up(HOSTS)
    assert given.made == {"database_password", "celery_password", "fernet_key", "secret_key", "jwt_secret"}
    assert (given.redis_password, given.broker_url, given.result_backend) == (None, None, None)
    for secret in (given.password, given.celery_password, given.fernet_key, given.secret_key, given.jwt_secret):
        assert isinstance(secret, Secret)
        assert redactor.hide(f"it is {secret.reveal()}.") == f"it is {MASK}."


def test_the_role_redis_has_a_password(looked_up: LookUp) -> None:
    given = looked_up(HOSTS.replace("{database", "{redis: [one], database"))
    assert given.redis_password
    assert "redis_password" in given.made
    assert given.celery_password is None  # Celery keeps nothing in PostgreSQL


def test_celery_has_a_password_of_its_own_from_airflow_3_where_it_may(looked_up: LookUp) -> None:
    assert looked_up(HOSTS + "airflow: {version: 2.11.2}\n").celery_password is None
    assert looked_up(HOSTS + "broker: {separate: false}\n").celery_password is None
    assert looked_up(HOSTS + "broker: {url: 'amqp://b'}\n").celery_password


def test_what_only_the_nodes_know_is_neither_looked_up_nor_made(looked_up: LookUp) -> None:
    given = looked_up(
        HOSTS + "airflow: {fernet_key_command: v}\ndatabase: {connection_command: v}\n"
        "broker: {url_command: v, result_backend_command: v}\n"
    )
    assert (given.password, given.fernet_key, given.broker_url) == (None, None, None)
    assert given.made == {"secret_key", "jwt_secret"}


def test_a_password_beside_the_command_is_for_setup_db(looked_up: LookUp) -> None:
    given = looked_up(
        HOSTS + "database: {connection_command: v, password: pw-of-db}\n"
        "broker: {url_command: v, result_backend_command: v}\n"
    )
    assert given.password == Secret("pw-of-db")


def test_urls_by_reference(looked_up: LookUp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URL", "amqp://u:hunter2@b")
    given = looked_up(HOSTS + "broker: {url: !env URL, result_backend: 'redis://:hunter3@r/0'}\n")
    assert (given.broker_url, given.result_backend) == (Secret("amqp://u:hunter2@b"), Secret("redis://:hunter3@r/0"))
    assert redactor.hide("to amqp://u:hunter2@b, redis://:hunter3@r/0") == f"to {MASK}, {MASK}"


def test_each_of_several_keys_is_hidden(looked_up: LookUp) -> None:
    one, two, three = (letter * 43 + "=" for letter in "123")
    given = looked_up(HOSTS + f"airflow: {{fernet_key: '{one},{two}'}}\n", adopt=(three,))
    assert given.fernet_key == Secret(f"{one},{two},{three}")
    assert redactor.hide(f"{one} {two} {three}") == f"{MASK} {MASK} {MASK}"


def test_settings_of_all_of_hosts_and_of_roles(looked_up: LookUp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZONE", "west-1")
    text = HOSTS.replace("127.0.0.1}", "127.0.0.1, environment: {A: host}, config: {core: {b: !env ZONE}}}")
    text = text.replace("worker: [one]", "worker: {hosts: [one], config: {celery: {c: 1}}}")
    given = looked_up(text + "airflow: {environment: {A: !env ZONE}, config: {core: {d: e}}}\n")
    assert given.settings == Settings({"A": Secret("west-1")}, {"core": {"d": "e"}})
    assert given.host_settings == {"one": Settings({"A": "host"}, {"core": {"b": Secret("west-1")}})}
    assert given.role_settings == {"worker": Settings(config={"celery": {"c": "1"}})}


def test_constraints_stand_in_for_lock_files_whatever_the_extras(looked_up: LookUp) -> None:
    Path("c.txt").write_text("celery==5.5\n")
    given = looked_up(HOSTS + "airflow: {constraints: c.txt, extras: [postgres, celery, amazon]}\n")
    assert (given.constraints, given.locks) == ("celery==5.5\n", {})
    with pytest.raises(InvalidInput, match="airflow.extras: the shipped lock file lacks amazon"):
        looked_up(HOSTS + "airflow: {extras: [postgres, celery, amazon]}\n")
    Path("c.txt").unlink()
    with pytest.raises(InvalidInput, match="airflow.constraints: there is no file .*/c.txt"):
        looked_up(HOSTS + "airflow: {constraints: c.txt}\n")
