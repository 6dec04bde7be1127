"""The fleet's secrets: given in hosts.yaml, stored, generated, or adopted from hosts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from aerodrome.controller import keyring
from aerodrome.controller.keyring import Vault
from aerodrome.controller.secrets_file import SecretsFile
from aerodrome.errors import AerodromeError, InvalidInput
from aerodrome.secrets import FERNET_KEY, Secret
from tests.unit.controller.conftest import HOSTS, Terminal, fleet, reference
from tests.unit.make import load

pytestmark = pytest.mark.usefixtures("folder")


def test_several_runs_at_once_keep_one_secret(folder: Path) -> None:
    fleet(folder)
    ask = (
        "from tests.unit.make import load; from aerodrome.controller.keyring import Vault;"
        "vault = Vault(load());"
        "made = [vault.secret(name).reveal() for name in ('fernet_key', 'database_password', 'jwt_secret')];"
        "vault.keep(); print(made)"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(keyring.__file__).parents[2])}
    runs = [
        subprocess.Popen([sys.executable, "-c", ask], stdout=subprocess.PIPE, cwd=folder, env=env) for _ in range(6)
    ]
    said = [run.communicate(timeout=60)[0].decode().strip() for run in runs]
    kept = yaml.safe_load((folder / "secrets.yaml").read_text())
    wanted = str([kept[name] for name in ("fernet_key", "database_password", "jwt_secret")])
    # The first run to store them wins; a run that generated others fails before it changes anything.
    won = [answer for run, answer in zip(runs, said, strict=True) if run.returncode == 0]
    assert won and set(won) == {wanted}


NAMES = ("database_password", "fernet_key", "secret_key", "jwt_secret")


def test_secrets_that_nobody_gave_are_made_once_and_kept(folder: Path) -> None:
    hosts = fleet(folder)
    vault = Vault(hosts)
    made = {name: vault.secret(name) for name in NAMES}
    assert vault.made == made
    vault.keep()
    assert vault.made == {}
    assert {name: Vault(hosts).secret(name) for name in NAMES} == made
    assert yaml.safe_load((folder / "secrets.yaml").read_text()) == {n: s.reveal() for n, s in made.items()}
    assert len({secret.reveal() for secret in made.values()}) == 4
    assert re.fullmatch(FERNET_KEY, made["fernet_key"].reveal())
    assert all(len(made[name].reveal()) == 64 for name in NAMES if name != "fernet_key")


def test_a_plan_makes_secrets_and_writes_nothing(folder: Path) -> None:
    vault = Vault(fleet(folder))
    assert vault.secret("jwt_secret") is vault.secret("jwt_secret")
    assert os.listdir(folder) == ["hosts.yaml"]


def test_a_secret_that_another_run_has_kept_meanwhile_is_not_replaced(folder: Path) -> None:
    mine, other = Vault(fleet(folder)), Vault(fleet(folder))
    mine.secret("jwt_secret")
    kept = other.secret("jwt_secret")
    other.keep()
    with pytest.raises(InvalidInput, match="another run has generated jwt_secret in the meantime"):
        mine.keep()
    assert Vault(fleet(folder)).secret("jwt_secret") == kept


def test_a_run_that_needs_no_new_secret_writes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Vault(fleet(folder))
    made = [first.secret(name) for name in NAMES]
    first.keep()
    monkeypatch.setattr(SecretsFile, "_write", lambda *_: pytest.fail("written"))
    second = Vault(fleet(folder))
    assert [second.secret(name) for name in NAMES] == made
    second.keep()
    first.keep()
    Vault(fleet(folder)).keep()


def test_only_the_secrets_that_were_made_are_added(folder: Path) -> None:
    first = Vault(fleet(folder))
    key = first.secret("fernet_key")
    first.keep()
    second = Vault(fleet(folder))
    assert second.secret("fernet_key") == key
    jwt = second.secret("jwt_secret")
    assert second.made == {"jwt_secret": jwt}
    second.keep()
    assert yaml.safe_load((folder / "secrets.yaml").read_text()) == {
        "fernet_key": key.reveal(), "jwt_secret": jwt.reveal(),
    }  # fmt: skip


def test_a_secret_that_another_run_has_made_meanwhile_stays_and_ends_this_run(folder: Path) -> None:
    mine, theirs = Vault(fleet(folder)), Vault(fleet(folder))
    made = {name: theirs.secret(name) for name in NAMES}
    lost = mine.secret("fernet_key")
    theirs.keep()
    # A second attempt is refused too: a secret that lost is never treated as stored.
    for _ in range(2):
        with pytest.raises(InvalidInput) as caught:
            mine.keep()
        assert caught.value.message == f"{folder}/secrets.yaml: another run has generated fernet_key in the meantime"
        assert caught.value.hint == "run the same command again"
        assert lost.reveal() not in str(caught.value)
    # A secret that this run has not asked for before is already the other run's.
    assert mine.secret("jwt_secret") == made["jwt_secret"]
    again = Vault(fleet(folder))
    assert {name: again.secret(name) for name in NAMES} == made
    again.keep()
    assert yaml.safe_load((folder / "secrets.yaml").read_text()) == {n: s.reveal() for n, s in made.items()}


def test_two_runs_that_were_told_the_same_password_do_not_disagree(folder: Path, terminal: Terminal) -> None:
    terminal.answers = ["pw"] * 4
    hosts = fleet(folder, "database: {password: !prompt }")
    vaults = [Vault(hosts), Vault(hosts)]
    assert [vault.secret("database_password") for vault in vaults] == [Secret("pw")] * 2
    for vault in vaults:
        vault.keep()


def test_secrets_that_hosts_yaml_gives_are_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "from env")
    vault = Vault(fleet(folder, "database: {password: plain}\nairflow: {secret_key: !env SECRET_KEY}"))
    assert vault.secret("database_password") == Secret("plain")
    assert vault.secret("secret_key") == Secret("from env")
    assert vault.made == {}
    vault.keep()
    assert os.listdir(folder) == ["hosts.yaml"]


def test_a_prompted_password_is_asked_once_and_kept(folder: Path, terminal: Terminal) -> None:
    terminal.answers = ["pw", "pw"]
    hosts = fleet(folder, "database: {password: !prompt }")
    vault = Vault(hosts)
    assert vault.secret("database_password") == Secret("pw")
    assert os.listdir(folder) == ["hosts.yaml"]
    vault.keep()
    assert Vault(hosts).secret("database_password") == Secret("pw")
    assert terminal.asked == ["database.password: ", "database.password, again: "]


def test_a_prompt_without_a_terminal_keeps_nothing(folder: Path) -> None:
    hosts = fleet(folder, "database: {password: !prompt }")
    with pytest.raises(InvalidInput, match="^hosts.yaml:6: database.password: !prompt needs a terminal"):
        Vault(hosts).secret("database_password")
    assert os.listdir(folder) == ["hosts.yaml"]


def test_a_fernet_key_that_is_none_is_refused_and_not_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = (
        "not a Fernet key; expected 32 bytes as URL-safe base64 (43 characters and =), or several, separated by commas"
    )
    monkeypatch.setenv("KEY", "hunter2")
    with pytest.raises(InvalidInput) as caught:
        Vault(fleet(folder, "airflow: {fernet_key: !env KEY}")).secret("fernet_key")
    assert caught.value.message == f"hosts.yaml:6: airflow.fernet_key: {right}"
    SecretsFile(folder / "secrets.yaml").put("fernet_key", Secret("hunter2"))
    with pytest.raises(InvalidInput) as caught:
        Vault(fleet(folder)).secret("fernet_key")
    assert caught.value.message == f"{folder}/secrets.yaml: fernet_key: {right}"


OLD, OLDER = Secret("o" * 43 + "="), Secret("+/" + "r" * 41 + "=")


def test_adopted_keys_come_after_the_one_that_encrypts_and_are_kept(folder: Path) -> None:
    hosts = fleet(folder)
    vault = Vault(hosts)
    key = vault.secret("fernet_key").reveal()
    assert vault.fernet_keys().reveal() == key
    vault.adopt(each for each in [OLD, OLDER, OLD])
    together = f"{key},{OLD.reveal()},{OLDER.reveal()}"
    assert vault.fernet_keys().reveal() == together
    assert os.listdir(folder) == ["hosts.yaml"]  # a plan keeps nothing

    vault.keep()
    assert yaml.safe_load((folder / "secrets.yaml").read_text()) == {
        "fernet_key": key,
        "adopted_fernet_keys": f"{OLD.reveal()},{OLDER.reveal()}",
    }
    assert vault.fernet_keys().reveal() == together
    again = Vault(hosts)
    assert again.fernet_keys().reveal() == together
    assert again.made == {}


def test_a_run_that_adopts_nothing_writes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = Vault(fleet(folder))
    vault.fernet_keys()
    vault.adopt([OLD])
    vault.keep()
    monkeypatch.setattr(SecretsFile, "_write", lambda *_: pytest.fail("written"))
    vault.keep()
    again = Vault(fleet(folder))
    again.fernet_keys()
    again.keep()


def test_keys_of_later_hosts_are_added(folder: Path) -> None:
    for found in (OLD, OLDER, OLD):
        vault = Vault(fleet(folder))
        vault.adopt([found])
        vault.keep()
    assert SecretsFile(folder / "secrets.yaml").get("adopted_fernet_keys") == Secret(f"{OLD.reveal()},{OLDER.reveal()}")


def test_no_key_is_lost_where_two_runs_adopt_some(folder: Path) -> None:
    mine, theirs = Vault(fleet(folder)), Vault(fleet(folder))
    mine.adopt([OLD])
    theirs.adopt([OLDER])
    mine.fernet_keys()
    theirs.fernet_keys()
    mine.made.clear()  # another test covers the fleet's own key
    theirs.keep()
    mine.keep()
    assert SecretsFile(folder / "secrets.yaml").get("adopted_fernet_keys") == Secret(f"{OLDER.reveal()},{OLD.reveal()}")


def test_keys_that_hosts_yaml_gives_come_first_and_none_comes_twice(folder: Path) -> None:
    new = "n" * 43 + "="
    vault = Vault(fleet(folder, f"airflow: {{fernet_key: '{new},{OLD.reveal()}'}}"))
    vault.adopt([OLD, OLDER])
    assert vault.fernet_keys().reveal() == f"{new},{OLD.reveal()},{OLDER.reveal()}"


def test_adopted_keys_that_someone_broke_are_refused_and_not_shown(folder: Path) -> None:
    SecretsFile(folder / "secrets.yaml").put("adopted_fernet_keys", Secret("hunter2"))
    with pytest.raises(InvalidInput) as caught:
        Vault(fleet(folder)).fernet_keys()
    assert caught.value.message.startswith(f"{folder}/secrets.yaml: adopted_fernet_keys: not a Fernet key; ")
    assert "hunter2" not in caught.value.message


def test_the_password_of_redis_is_made_and_kept_as_the_others(folder: Path) -> None:
    vault = Vault(fleet(folder))
    made = vault.secret("redis_password")
    vault.keep()
    assert Vault(fleet(folder)).secret("redis_password") == made
    (folder / "hosts.yaml").write_text(HOSTS.replace("{database", "{redis: [db1], database") + "broker: {password: x}")
    assert Vault(load()).secret("redis_password") == Secret("x")


def test_values_are_text_or_a_secret_looked_up_once(folder: Path) -> None:
    (folder / "count").write_text("#!/bin/sh\necho x >> asked\necho value\n")
    (folder / "count").chmod(0o755)
    hosts = fleet(folder, "airflow: {environment: {A: plain, B: !command ./count}}")
    vault, environment = Vault(hosts), hosts.airflow.environment
    assert vault.value(environment["A"]) == "plain"
    assert vault.value(Secret("s")) == Secret("s")
    got: list[Any] = []
    threads = [threading.Thread(target=lambda: got.append(vault.value(environment["B"]))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [Secret("value")] * 8
    assert (folder / "asked").read_text() == "x\n"


def test_different_values_are_looked_up_at_the_same_time(folder: Path) -> None:
    """Two commands that wait for each other can only end if they run at the same time."""
    wait = "#!/bin/sh\ntouch $1\nwhile [ ! -e $2 ]; do sleep 0.01; done\necho $1\n"
    (folder / "wait").write_text(wait)
    (folder / "wait").chmod(0o755)
    vault = Vault(fleet(folder))
    pair = [reference("command", "./wait a b", folder), reference("command", "./wait b a", folder)]
    threads = [threading.Thread(target=vault.value, args=[one], daemon=True) for one in pair]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    assert [vault.value(one) for one in pair] == [Secret("a"), Secret("b")]


def test_a_failed_lookup_is_tried_again_by_the_next_who_asks(folder: Path) -> None:
    vault = Vault(fleet(folder))
    late = reference("file", "late", folder)
    with pytest.raises(AerodromeError):
        vault.value(late)
    (folder / "late").write_text("here")
    assert vault.value(late) == Secret("here")
