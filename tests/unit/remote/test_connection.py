"""Connections: paramiko's errors become a host, what is wrong, and what to do."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import paramiko
import pytest
from paramiko.hostkeys import HostKeyEntry
from paramiko.ssh_exception import NoValidConnectionsError

from aerodrome.controller.known_hosts import KnownHosts
from aerodrome.errors import HostError
from aerodrome.fleet.model import Deploy, Fleet, Host, Ssh
from aerodrome.remote import connection
from aerodrome.remote.connection import Connections
from aerodrome.remote.transport import prompt_transport
from aerodrome.secrets import Reference, Secret
from tests.unit.make import ROLES_OF_FLEET
from tests.unit.remote.test_hostkeys import KEY

HOST = Host("w1", "10.0.0.4", user="ops", port=2222, key="/keys/w1")
JUMPED = Host("w2", "10.0.0.5", jump="w1")


def key() -> paramiko.PKey:
    entry = HostKeyEntry.from_line(f"h ssh-ed25519 {KEY}")
    assert entry is not None
    assert entry.key is not None
    return entry.key


class Connection:
    """A stand-in for fabric.Connection that fails with a given error."""

    made: list[Connection] = []
    error: Exception | None = None

    def __init__(self, address: str, **given: object) -> None:
        self.address, self.given = address, given
        self.client: Any = paramiko.SSHClient()
        self.opened = self.closed = 0
        self.transport = self.sock = self.packetizer = self
        self.heard = time.monotonic()
        self.channel_timeout = 3600
        Connection.made.append(self)

    def open(self) -> None:
        if Connection.error:
            raise Connection.error
        self.opened += 1

    def close(self) -> None:
        self.closed += 1

    def set_keepalive(self, seconds: int, ask: object) -> None:
        self.keepalive = seconds

    def settimeout(self, seconds: float) -> None:
        self.idle = seconds


@pytest.fixture
def connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Connections:
    monkeypatch.setattr(connection.fabric, "Connection", Connection)
    Connection.made, Connection.error = [], None
    (tmp_path / "known_hosts").write_text(f"[10.0.0.4]:2222 ssh-ed25519 {KEY}\n")
    hosts = {"w1": HOST, "w2": JUMPED}
    fleet = Fleet("hosts.yaml", hosts, ROLES_OF_FLEET, ssh=Ssh(str(tmp_path / "known_hosts"), 7))
    return Connections(fleet, lambda value: Secret(f"looked up {value}"), KnownHosts(fleet.ssh.known_hosts))


def test_a_host_is_connected_to_once_with_its_own_key_alone(connections: Connections) -> None:
    assert connections.to(HOST) is connections.to(HOST)
    (made,) = Connection.made
    assert (made.address, made.opened, made.keepalive, made.channel_timeout) == ("10.0.0.4", 1, 10, 7)
    assert (made.given["user"], made.given["port"], made.given["connect_timeout"]) == ("ops", 2222, 7)
    assert made.given["connect_kwargs"] == {
        "key_filename": ["/keys/w1"],
        "look_for_keys": False,
        "transport_factory": prompt_transport,
    }
    assert made.given["gateway"] is None


def test_a_host_without_a_key_of_its_own_is_offered_those_of_the_operator(connections: Connections) -> None:
    connections.to(Host("w2", "10.0.0.5"))
    assert Connection.made[0].given["connect_kwargs"] == {"look_for_keys": True, "transport_factory": prompt_transport}


def test_a_host_key_that_is_not_known_is_refused_on_jump_hosts_too(connections: Connections) -> None:
    connections.to(JUMPED)
    assert [made.address for made in Connection.made] == ["10.0.0.4", "10.0.0.5"]
    assert Connection.made[1].given["gateway"] is Connection.made[0]
    for made in Connection.made:
        assert isinstance(made.client._policy, paramiko.RejectPolicy)
        assert made.client._host_keys is connections.host_keys


def test_a_host_is_known_by_its_address_and_port(connections: Connections) -> None:
    assert connections.knows(HOST)
    assert not connections.knows(JUMPED)


def test_connections_through_another_host_close_first(connections: Connections) -> None:
    order: list[str] = []
    connections.to(JUMPED)
    for made in Connection.made:
        made.close = lambda made=made: order.append(made.address)  # type: ignore[method-assign,misc]
    connections.close()
    assert order == ["10.0.0.5", "10.0.0.4"]
    connections.to(HOST)
    assert len(Connection.made) == 3


def settle(connections: Connections) -> None:
    """Wait until connections that were started have finished."""
    deadline = time.monotonic() + 10
    while len(connections._open) + len(connections._refused) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_connections_that_were_begun_are_those_that_are_used(connections: Connections) -> None:
    connections.begin([HOST, JUMPED])
    settle(connections)
    assert [made.opened for made in Connection.made] == [1, 1]
    assert connections.to(JUMPED).given["gateway"] is connections.to(HOST)
    assert len(Connection.made) == 2


def test_one_that_is_used_before_it_is_there_is_waited_for(connections: Connections) -> None:
    let_go = threading.Event()
    with mock.patch.object(Connection, "open", lambda made: let_go.wait(10)):
        connections.begin([HOST])
        threading.Timer(0.2, let_go.set).start()
        assert connections.to(HOST) in Connection.made
    assert len(Connection.made) == 1


def test_an_unreachable_host_is_reported_when_it_is_used_and_then_tried_again(connections: Connections) -> None:
    Connection.error = TimeoutError()
    connections.begin([HOST, JUMPED])
    settle(connections)
    with pytest.raises(HostError, match="its jump host w1: cannot connect"):
        connections.to(JUMPED)
    with pytest.raises(HostError, match="cannot connect"):
        connections.to(HOST)
    assert [made.address for made in Connection.made] == ["10.0.0.4"]
    Connection.error = None
    assert connections.to(JUMPED).given["gateway"] is connections.to(HOST)


def test_hosts_that_others_are_reached_through_come_first(connections: Connections) -> None:
    with mock.patch.object(connection.threading, "Thread") as begun:
        connections.begin([Host("db1", "10.0.0.1"), JUMPED, HOST])
    assert [call.kwargs["args"][0].name for call in begun.call_args_list] == ["w1", "db1", "w2"]


def test_no_more_connections_are_begun_than_hosts_are_worked_on_at_once(connections: Connections) -> None:
    connections.fleet = replace(connections.fleet, deploy=Deploy(parallel=1))
    with mock.patch.object(connection.threading, "Thread") as begun:
        connections.begin([HOST, JUMPED])
    assert [call.kwargs["args"] for call in begun.call_args_list] == [(HOST,)]


def test_a_sudo_password_is_looked_up_where_there_is_one(connections: Connections) -> None:
    assert connections.sudo_password(HOST) is None
    assert connections.sudo_password(Host("x", "10.0.0.9", sudo_password=Secret("x"))) == Secret("looked up ********")


# Shells that are started early


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, Secret | None]]:
    made: list[tuple[object, Secret | None]] = []

    def shell(transport: Connection, host: Host, password: Secret | None) -> object:
        assert transport.address == host.address
        made.append((host, password))
        return made[-1]

    monkeypatch.setattr(connection, "Shell", shell)
    return made


def test_a_shell_is_started_on_each_host_and_taken_once(connections: Connections, started: list[object]) -> None:
    connections.begin([HOST, JUMPED])
    settle(connections)
    taken: list[Any] = [connections.shell(host) for host in (HOST, HOST, JUMPED)]
    assert taken == [(HOST, None), None, (JUMPED, None)]
    assert len(started) == 2


def test_sudo_gets_its_password_early_unless_somebody_has_to_type_it(
    connections: Connections, started: list[object]
) -> None:
    given = replace(HOST, sudo_password=Reference("env", "PASSWORD", "hosts.yaml:3"))
    typed = replace(JUMPED, jump=None, sudo_password=Reference("prompt", "", "hosts.yaml:4"))
    connections.begin([given, typed])
    settle(connections)
    assert connections.shell(typed) is None
    assert connections.shell(given)
    assert started == [(given, Secret(f"looked up {given.sudo_password}"))]


def test_a_shell_that_cannot_be_started_early_is_started_when_it_is_needed(connections: Connections) -> None:
    def broken(*_: object) -> None:
        raise paramiko.SSHException("Timeout opening channel.")

    with mock.patch.object(connection, "Shell", broken):
        connections.begin([HOST, JUMPED])
        settle(connections)
    assert connections.shell(HOST) is None
    assert connections.to(HOST) in Connection.made


def test_connections_through_a_host_do_not_wait_for_its_shell(connections: Connections) -> None:
    let_go = threading.Event()
    with mock.patch.object(connection, "Shell", lambda *_: let_go.wait(10)):
        connections.begin([HOST, JUMPED])
        settle(connections)  # while no shell is there
        let_go.set()
    assert connections.shell(HOST)


def test_hosts_where_sudo_checks_a_password_come_before_the_others(connections: Connections) -> None:
    slow = Host("db1", "10.0.0.1", sudo_password=Secret("x"))
    with mock.patch.object(connection.threading, "Thread") as begun:
        connections.begin([Host("a1", "10.0.0.7"), JUMPED, slow, HOST])
    assert [call.kwargs["args"][0].name for call in begun.call_args_list] == ["w1", "db1", "a1", "w2"]


REFUSED = NoValidConnectionsError({("10.0.0.4", 2222): ConnectionRefusedError(111, "Connection refused")})
UP = "is the host up, and its address in hosts.yaml correct?"


@pytest.mark.parametrize(
    "error, message, hint",
    [
        (TimeoutError("timed out"), "cannot connect to ops@10.0.0.4:2222: no answer in time", UP),
        (OSError(113, "No route to host"), "cannot connect to ops@10.0.0.4:2222: [Errno 113] No route to host", UP),
        (EOFError(), "cannot connect to ops@10.0.0.4:2222: EOFError", UP),
        (
            paramiko.AuthenticationException("Authentication failed."),
            "login as ops@10.0.0.4:2222 was refused",
            "try: ssh -p 2222 ops@10.0.0.4; check user and key in hosts.yaml",
        ),
        (
            paramiko.SSHException("Server '[10.0.0.4]:2222' not found in known_hosts"),
            "the host key of 10.0.0.4 is unknown",
            "check its fingerprint and add it: fab -H w1 trust-hosts",
        ),
        (FileNotFoundError(2, "No such file"), "there is no key file /keys/w1", "check key in hosts.yaml"),
        (
            paramiko.PasswordRequiredException("Private key file is encrypted"),
            "login as ops@10.0.0.4:2222 was refused",
            "try: ssh -p 2222 ops@10.0.0.4; check user and key in hosts.yaml",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_wrong_and_what_to_do(connections: Connections, error: Exception, message: str, hint: str) -> None:
    Connection.error = error
    with pytest.raises(HostError) as caught:
        connections.to(HOST)
    found = caught.value
    assert (found.host, found.step, found.message, found.hint) == ("w1", "connect", message, hint)


def test_a_closed_port_says_that_it_is_closed(connections: Connections) -> None:
    Connection.error = REFUSED
    with pytest.raises(HostError) as caught:
        connections.to(HOST)
    assert caught.value.message == "cannot connect to ops@10.0.0.4:2222: Connection refused"


def test_another_host_key_than_the_known_one(connections: Connections) -> None:
    Connection.error = paramiko.BadHostKeyException("10.0.0.4", key(), key())
    with pytest.raises(HostError) as caught:
        connections.to(HOST)
    assert caught.value.message.startswith(
        "the host key of 10.0.0.4 does not match known_hosts: the host presents ssh-ed25519 SHA256:"
    )
    assert caught.value.hint.endswith("fab -H w1 trust-hosts")


def test_a_jump_host_that_fails_is_reported_for_the_host_behind_it(connections: Connections) -> None:
    Connection.error = TimeoutError()
    with pytest.raises(HostError) as caught:
        connections.to(JUMPED)
    assert (caught.value.host, caught.value.step) == ("w2", "connect")
    assert caught.value.message == "its jump host w1: cannot connect to ops@10.0.0.4:2222: no answer in time"
    assert caught.value.hint == UP
    # For itself, it is reported like any other host.
    with pytest.raises(HostError) as caught:
        connections.to(HOST)
    assert (caught.value.host, caught.value.message) == ("w1", "cannot connect to ops@10.0.0.4:2222: no answer in time")


def test_a_jump_host_that_is_not_known_says_which_one_to_trust(connections: Connections) -> None:
    Connection.error = paramiko.SSHException("Server '[10.0.0.4]:2222' not found in known_hosts")
    with pytest.raises(HostError) as caught:
        connections.to(JUMPED)
    assert (caught.value.host, caught.value.message) == (
        "w2",
        "its jump host w1: the host key of 10.0.0.4 is unknown",
    )
    assert caught.value.hint.endswith("fab -H w1 trust-hosts")


def test_a_host_behind_a_jump_host_that_is_up_is_reported_as_any_other(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections.to(HOST)
    monkeypatch.setattr(Connection, "error", TimeoutError())
    with pytest.raises(HostError) as caught:
        connections.to(JUMPED)
    assert caught.value.message == "cannot connect to root@10.0.0.5:22: no answer in time"
