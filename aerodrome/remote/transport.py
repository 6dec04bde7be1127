"""The layers below a connection: a TCP socket without delays, and paramiko's transport over it."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Any, cast

import paramiko

# Bytes of one packet: OpenSSH sends and accepts at most a quarter of it (PACKET_MAX_SIZE). Paramiko 5 accepts any
# length that the other side announces, up to 4 GB, before it has authenticated the other side.
LONGEST_PACKET = 1 << 20


def _check_length(size: int) -> None:
    if size > LONGEST_PACKET:
        raise paramiko.SSHException(f"it announced a packet of {size} bytes, more than any SSH server sends")


class PromptSocket(socket.socket):
    """A connected TCP socket that sends and acknowledges without delay.

    A handshake consists of many small messages, and paramiko 5 lets the kernels on both sides delay them: Nagle's
    algorithm (tcp(7), TCP_NODELAY) holds each back until the last one is acknowledged, for which Linux may take 40 ms.
    OpenSSH's sshd turns it off only for sessions with a terminal. That is half of the time of a connect and an exec.

    `heard` is when something last came from the other side (time.monotonic).
    """

    heard = 0.0

    @classmethod
    def over(cls, connected: socket.socket) -> PromptSocket:
        """Return a socket of this kind that takes over another one, which cannot be used any more."""
        timeout = connected.gettimeout()
        prompt = cls(connected.family, connected.type, connected.proto, connected.detach())
        prompt.settimeout(timeout)
        prompt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        prompt.heard = time.monotonic()
        return prompt

    def recv(self, size: int, *flags: int) -> bytes:
        _check_length(size)
        data = super().recv(size, *flags)
        self.heard = time.monotonic()
        if hasattr(socket, "TCP_QUICKACK"):  # Linux; lasts until something is sent (tcp(7))
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data

    def close(self) -> None:
        """Close it, and wake any thread that waits for it."""
        with suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)
        super().close()


class JumpStream:
    """A jump host's channel as the socket of another connection; `heard` as in PromptSocket."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self.heard = time.monotonic()

    def recv(self, size: int) -> bytes:
        _check_length(size)
        data = self._channel.recv(size)
        self.heard = time.monotonic()
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)


def prompt_transport(connected: Any, **options: Any) -> paramiko.Transport:
    """Return a transport over a socket or a jump host's channel, for SSHClient.connect()."""
    stream = PromptSocket.over(connected) if isinstance(connected, socket.socket) else JumpStream(connected)
    return paramiko.Transport(cast(paramiko.Channel, stream), **options)


def keep_asking(transport: paramiko.Transport, interval: float) -> None:
    """Ask the other side whether it is still there whenever nothing has been sent for `interval` seconds.

    Paramiko's own set_keepalive() requests no answer. sshd rejects this request, which is a sign of life.
    """

    def ask() -> None:
        request = paramiko.Message()
        request.add_byte(bytes([80]))  # SSH_MSG_GLOBAL_REQUEST (RFC 4254, 4)
        request.add_string("keepalive@openssh.com")
        request.add_boolean(True)  # want reply
        transport._send_user_message(request)  # type: ignore[attr-defined]

    transport.packetizer.set_keepalive(interval, ask)
