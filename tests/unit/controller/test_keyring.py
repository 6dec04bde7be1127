"""The controller's machine: the sources of values, and the storage of secrets."""

from __future__ import annotations

import getpass
import io
import os
import re
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from aerodrome.controller import keyring, references
from aerodrome.controller.keyring import Vault
from aerodrome.controller.references import resolve
from aerodrome.controller.secrets_file import SecretsFile
from aerodrome.errors import AerodromeError, InvalidInput
from aerodrome.fleet.model import Fleet
from aerodrome.secrets import FERNET_KEY, Reference, Secret
from tests.unit.make import load

WHERE = "hosts.yaml:7: database.password"
HOSTS = """\
roles: {database: [db1], scheduler: [s1], webserver: [s1], worker: [w1]}
hosts:
  db1: {address: 10.0.0.1, key: ~/.ssh/db1}
  s1: {address: !env S1}
  w1: {address: 10.0.0.3, key: keys/w1}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run each test in its own folder, with another home and without a terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("S1", "10.0.0.2")
    monkeypatch.delenv("AERODROME_HOSTS", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return tmp_path


def reference(kind: Literal["env", "file", "command", "prompt"], argument: str, folder: Path | str = "") -> Reference:
    return Reference(kind, argument, WHERE, str(folder))


def failure(wanted: Reference) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as caught:
        resolve(wanted)
    return caught.value.message, caught.value.hint


def fleet(folder: Path, more: str = "") -> Fleet:
    (folder / "hosts.yaml").write_text(HOSTS + more)
    return load()


# load


def test_load_takes_hosts_yaml_of_the_current_folder(folder: Path) -> None:
    got = fleet(folder, "ssh: {known_hosts: ~/known}\nairflow: {lock: a.lock}\ndeploy: {dags: ~/dags}\n")
    assert fleet(folder, "airflow: {constraints: ~/c.txt}").airflow.constraints == "/home/me/c.txt"
    assert got.source == "hosts.yaml"
    assert [(host.address, host.key) for host in got.hosts.values()] == [
        ("10.0.0.1", "/home/me/.ssh/db1"),
        ("10.0.0.2", None),
        ("10.0.0.3", f"{folder}/keys/w1"),
    ]
    assert (got.ssh.known_hosts, got.airflow.lock) == ("/home/me/known", f"{folder}/a.lock")
    assert got.deploy.dags == "/home/me/dags"


def test_load_prefers_the_path_given_then_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("hosts", "production", "other"):
        (folder / f"{name}.yaml").write_text(HOSTS)
    monkeypatch.setenv("AERODROME_HOSTS", "production.yaml")
    assert load().source == "production.yaml"
    assert load("other.yaml").source == "other.yaml"
    monkeypatch.setenv("AERODROME_HOSTS", "")
    assert load().source == "hosts.yaml"


def test_load_begins_paths_and_commands_at_the_folder_of_the_file(folder: Path) -> None:
    (folder / "fleets").mkdir()
    (folder / "fleets" / "address").write_text("10.0.0.9\n")
    text = HOSTS.replace("!env S1", '!command "cat address"')
    (folder / "fleets" / "hosts.yaml").write_text(text)
    got = load("fleets/hosts.yaml")
    assert got.hosts["s1"].address == "10.0.0.9"
    assert got.hosts["w1"].key == f"{folder}/fleets/keys/w1"


def test_load_says_every_mistake_with_those_of_references(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S1")
    with pytest.raises(InvalidInput) as caught:
        fleet(folder, "bogus: 1")
    assert caught.value.problems == [
        "hosts.yaml:4: hosts.s1.address: !env S1: the variable is not set",
        "hosts.yaml:6: bogus: unknown key; known: hosts, roles, ssh, airflow, database, broker, network, deploy",
    ]


def test_load_says_which_file_is_not_there(folder: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        load()
    assert caught.value.message == f"hosts.yaml: there is no file {folder}/hosts.yaml"
    assert "AERODROME_HOSTS=" in caught.value.hint


def test_load_says_why_a_file_cannot_be_read(folder: Path) -> None:
    (folder / "hosts.yaml").mkdir()
    with pytest.raises(InvalidInput, match="^hosts.yaml: hosts.yaml cannot be read: Is a directory$"):
        load()
    (folder / "latin.yaml").write_bytes(b"hosts:\n  # caf\xe9\n")
    (folder / "wide.yaml").write_bytes("hosts:\n".encode("utf-16"))
    (folder / "endless").write_bytes(b"#" * (17 << 20))
    for name, told in {
        "latin.yaml": ":2: byte 8 of the line (0xE9) is not UTF-8 text: save it as UTF-8",
        "wide.yaml": " is UTF-16: save it as UTF-8",
        "endless": " is larger than 16 MB",
    }.items():
        with pytest.raises(InvalidInput) as caught:
            load(name)
        assert caught.value.message == f"{name}: {name}{told}"


def test_a_hosts_file_of_windows_may_begin_with_its_mark(folder: Path) -> None:
    (folder / "hosts.yaml").write_bytes(b"\xef\xbb\xbf" + HOSTS.encode())
    assert "db1" in load().hosts


def test_hosts_yaml_is_found_beside_the_fabfile_from_a_folder_below(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "fabfile.py").touch()
    below = folder / "docs" / "deep"
    below.mkdir(parents=True)
    fleet(folder)
    monkeypatch.chdir(below)
    assert load().source == "../../hosts.yaml"
    (below.parent / "fabfile.py").touch()  # another project's: its hosts are not ours
    with pytest.raises(InvalidInput, match=r"^hosts.yaml: there is no file"):
        load()


def test_a_home_folder_of_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AERODROME_HOSTS", "~nosuch/x")
    with pytest.raises(InvalidInput, match=r"^AERODROME_HOSTS: ~nosuch: this machine has no such user$"):
        load()
    monkeypatch.delenv("AERODROME_HOSTS")
    with pytest.raises(InvalidInput, match=r"^hosts.yaml: deploy.dags: ~nosuch: this machine"):
        fleet(folder, "deploy: {dags: ~nosuch/dags}\n")


# resolve


def test_env_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "p 'w\"$%\n")
    assert resolve(reference("env", "PW")) == "p 'w\"$%\n"


def test_env_that_is_missing_or_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PW", raising=False)
    assert failure(reference("env", "PW")) == (
        f"{WHERE}: !env PW: the variable is not set", "export PW=… before you run fab",
    )  # fmt: skip
    monkeypatch.setenv("PW", "")
    assert failure(reference("env", "PW"))[0] == f"{WHERE}: !env PW: the variable is empty"


@pytest.mark.parametrize(
    "content, value", [("a b\n", "a b"), ("a\n\n", "a\n"), ("a", "a"), ("ü\r\n", "ü"), (" a ", " a ")]
)
def test_a_file_is_read_without_its_last_newline(folder: Path, content: str, value: str) -> None:
    (folder / "pw").write_bytes(content.encode())
    assert resolve(reference("file", "pw", folder)) == value
    assert resolve(reference("file", str(folder / "pw"), "/nowhere")) == value


def test_a_file_of_the_home_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    (folder / "pw").write_text("x")
    assert resolve(reference("file", "~/pw", "/nowhere")) == "x"


def test_a_file_that_cannot_be_used(folder: Path) -> None:
    assert failure(reference("file", "pw", folder))[0] == f"{WHERE}: !file: there is no file {folder}/pw"
    (folder / "pw").write_text("\n")
    assert failure(reference("file", "pw", folder))[0] == f"{WHERE}: !file is empty"
    (folder / "pw").write_bytes(b"a\0b")
    message = f"{WHERE}: !file contains a control character; only tabs and newlines are allowed"
    assert failure(reference("file", "pw", folder))[0] == message


def test_a_command_runs_without_a_shell() -> None:
    assert resolve(reference("command", "printf '%s\\n' '$HOME;' \"a  b\"")) == "$HOME;\na  b"


def test_a_command_that_fails_shows_its_last_words_and_not_its_output(folder: Path) -> None:
    (folder / "vault").write_text("#!/bin/sh\necho hunter2\necho first >&2\necho no route to vault >&2\nexit 3\n")
    (folder / "vault").chmod(0o755)
    message, hint = failure(reference("command", "./vault --token=hunter3", folder))
    assert message == f"{WHERE}: !command ./vault: exit code 3: no route to vault"
    assert "hunter" not in message + hint


def test_a_command_that_does_not_exist_or_says_nothing() -> None:
    message = f"{WHERE}: !command no-such-program: cannot run: No such file or directory"
    assert failure(reference("command", "no-such-program a"))[0] == message
    assert failure(reference("command", "true"))[0] == f"{WHERE}: !command is empty"
    assert failure(reference("command", "false"))[0] == f"{WHERE}: !command false: exit code 1"


def test_a_command_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "COMMAND_TIMEOUT", 0.1)
    assert failure(reference("command", "sleep 60"))[0] == f"{WHERE}: !command sleep: no answer within 0.1 s"


class Terminal:
    """A stand-in for a person at a terminal who gives these answers in turn."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def isatty(self) -> bool:
        return True

    def getpass(self, question: str) -> str:
        self.asked.append(question)
        if not self.answers:
            raise EOFError
        return self.answers.pop(0)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    person = Terminal()
    monkeypatch.setattr(sys, "stdin", person)
    monkeypatch.setattr(getpass, "getpass", person.getpass)
    yield person


def test_a_prompt_asks_twice_and_again_when_the_answers_differ(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.answers = ["one", "two", "", "three", "three"]
    assert resolve(reference("prompt", "database.password")) == "three"
    first, again = "database.password: ", "database.password, again: "
    assert terminal.asked == [first, again, first, first, again]
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "They do not match.\nNothing was entered.\n")


@pytest.mark.parametrize("answers", [["a", "b"] * 3, ["a"], []])
def test_a_prompt_gives_up(terminal: Terminal, answers: list[str]) -> None:
    terminal.answers = answers
    assert failure(reference("prompt", "x"))[0] == f"{WHERE}: !prompt did not get the same answer twice"


def test_a_prompt_needs_a_terminal() -> None:
    assert failure(reference("prompt", "x")) == (
        f"{WHERE}: !prompt needs a terminal",
        "run fab in a terminal, or use !env NAME, !file PATH or !command",
    )


# secrets.yaml


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_secrets_are_kept_for_the_owner_only(folder: Path, open_umask: None) -> None:
    file = SecretsFile(folder / "secrets.yaml")
    assert file.get("fernet_key") is None
    assert not file.path.exists()
    for name, text in (("fernet_key", "abc="), ("odd", " 'ü\"\n: #\t"), ("number", "0123"), ("truth", "no")):
        file.put(name, Secret(text))
        assert SecretsFile(file.path).get(name) == Secret(text)
    file.put("number", Secret("4"))
    assert yaml.safe_load(file.path.read_text()) == {
        "fernet_key": "abc=", "odd": " 'ü\"\n: #\t", "number": "4", "truth": "no",
    }  # fmt: skip
    assert file.path.read_text().startswith("# Secrets of this fleet")
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert os.listdir(folder) == ["secrets.yaml"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_secrets_that_others_can_reach_are_refused(folder: Path, mode: int) -> None:
    file = SecretsFile(folder / "secrets.yaml")
    file.put("a", Secret("hunter2"))
    file.path.chmod(mode)
    uses: list[Callable[[], object]] = [lambda: file.get("a"), lambda: file.put("b", Secret("x"))]
    for use in uses:
        with pytest.raises(InvalidInput) as caught:
            use()
        assert caught.value.message == f"{file.path}: other users can read or write it (mode {mode:04o})"
        assert caught.value.hint.startswith(f"chmod 600 {file.path}; ")
    assert "b:" not in file.path.read_text()


@pytest.mark.parametrize(
    "text, problem",
    [("a: hunter2: b", ":1: invalid YAML"), ("- hunter2", ": not a mapping of names to texts"),
     ("a: 123", ": a: not text; quote it"), ("a: *hunter2", ":1: invalid YAML")],
)  # fmt: skip
def test_secrets_that_someone_broke_are_refused_without_showing_them(folder: Path, text: str, problem: str) -> None:
    path = folder / "secrets.yaml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(InvalidInput) as caught:
        SecretsFile(path).get("a")
    assert caught.value.message == f"{path}{problem}"


def test_a_failed_write_leaves_what_was_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = SecretsFile(folder / "secrets.yaml")
    file.put("a", Secret("x"))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InvalidInput, match="secrets.yaml: cannot be written: No space left on device$"):
        file.put("b", Secret("y"))
    assert os.listdir(folder) == ["secrets.yaml"]
    assert (file.get("a"), file.get("b")) == (Secret("x"), None)


def test_a_link_to_the_secrets_stays_a_link(folder: Path) -> None:
    (folder / "safe").mkdir()
    (folder / "secrets.yaml").symlink_to("safe/secrets.yaml")
    SecretsFile(folder / "secrets.yaml").put("a", Secret("x"))
    assert (folder / "secrets.yaml").is_symlink()
    assert "a: x" in (folder / "safe" / "secrets.yaml").read_text()


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


# Vault

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


# Fernet keys on hosts

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


def test_a_secrets_file_that_is_no_file(folder: Path) -> None:
    (folder / "secrets.yaml").mkdir(mode=0o700)
    with pytest.raises(InvalidInput, match="secrets.yaml: not a file, but the fleet's secrets belong there$"):
        SecretsFile(folder / "secrets.yaml").get("a")


def test_a_secrets_file_that_leads_in_a_circle(folder: Path) -> None:
    (folder / "secrets.yaml").symlink_to("secrets.yaml")
    with pytest.raises(InvalidInput, match="secrets.yaml: cannot be read: Too many levels of symbolic links$"):
        SecretsFile(folder / "secrets.yaml").get("a")


@pytest.mark.parametrize("text", ["a: " + "9" * 5000, "a: 2020-99-99", "a: !!binary hunter2", "[" * 9000])
def test_a_secrets_file_that_yaml_cannot_make_values_of(folder: Path, text: str) -> None:
    path = folder / "secrets.yaml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(InvalidInput) as caught:
        SecretsFile(path).get("a")
    assert caught.value.message.startswith(str(path))
    assert len(caught.value.message) < len(str(path)) + 60
    assert "hunter2" not in caught.value.message


def test_what_a_killed_run_left_of_the_secrets_is_removed_by_the_next_that_writes(folder: Path) -> None:
    left, another = folder / ".secrets.yaml.abcd1234", folder / ".secrets.yaml.wxyz5678"
    for path in (left, another):
        path.write_text("a: old\n")
    os.utime(left, (0, 0))
    SecretsFile(folder / "secrets.yaml").put("a", Secret("x"))
    assert not left.exists()
    assert another.exists()  # so recent that another run may still be writing it
