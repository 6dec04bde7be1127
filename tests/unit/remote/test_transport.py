"""The socket below a connection, over real TCP."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import paramiko
import pytest

from aerodrome.remote.transport import JumpStream, PromptSocket, prompt_transport


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.socket()
        near.settimeout(7)
        super(socket.socket, near).connect(server.getsockname())  # bypass the network guard of unit tests
        far, _ = server.accept()
        with near, far:
            yield near, far


def option(of: socket.socket, name: str) -> int:
    return of.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))


def test_what_is_sent_is_not_held_back(ends: tuple[socket.socket, socket.socket]) -> None:
    near, _ = ends
    assert not option(near, "TCP_NODELAY")
    with PromptSocket.over(near) as prompt:
        assert option(prompt, "TCP_NODELAY")
        assert prompt.gettimeout() == 7


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="only Linux has TCP_QUICKACK")
def test_what_is_received_is_acknowledged_at_once(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    with PromptSocket.over(near) as prompt:
        for _ in range(8):  # a dialogue: without one, Linux delays acknowledgements
            prompt.sendall(b"ask")
            assert far.recv(16) == b"ask"
            far.sendall(b"answer")
            assert prompt.recv(16) == b"answer"
            assert option(prompt, "TCP_QUICKACK")
        prompt.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        far.sendall(b"more")
        assert prompt.recv(16) == b"more"
        assert option(prompt, "TCP_QUICKACK")


def test_who_waits_for_an_answer_learns_that_it_is_closed(ends: tuple[socket.socket, socket.socket]) -> None:
    near, _ = ends
    prompt = PromptSocket.over(near)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(prompt.recv, 16)
        time.sleep(0.1)  # until it waits; if it does not wait yet, it finds the socket closed
        begun = time.monotonic()
        prompt.close()
        with suppress(OSError):
            assert waiting.result() == b""
        assert time.monotonic() - begun < 5  # of the 7 seconds after which it would have given up


def test_a_transport_has_such_a_socket(ends: tuple[socket.socket, socket.socket]) -> None:
    near, _ = ends
    transport = prompt_transport(near, disabled_algorithms=None)
    assert isinstance(transport.sock, PromptSocket)
    transport.sock.close()


@pytest.mark.parametrize("size", [0x7FFFFFF4, 0x00200004])
def test_a_packet_that_is_announced_too_long_ends_the_connection(
    ends: tuple[socket.socket, socket.socket], size: int
) -> None:
    near, far = ends
    transport = prompt_transport(near)
    far.sendall(b"SSH-2.0-hostile\r\n" + size.to_bytes(4, "big") + bytes(8))
    begun = time.monotonic()
    with pytest.raises(paramiko.SSHException, match="it announced a packet of \\d+ bytes"):
        transport.start_client(timeout=20)
    assert time.monotonic() - begun < 10
    transport.close()


def test_the_channel_of_a_jump_host_knows_when_something_came() -> None:
    channel = paramiko.Channel(1)
    stream = prompt_transport(channel).sock
    assert isinstance(stream, JumpStream)
    before = stream.heard
    channel._feed(b"abc")  # type: ignore[attr-defined]  # what Transport calls when data comes
    assert stream.recv(10) == b"abc"
    assert stream.heard > before
    assert stream.gettimeout() is channel.gettimeout()
