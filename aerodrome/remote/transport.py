"""What is below a connection: a TCP socket that holds nothing back, and paramiko's transport over it."""

from __future__ import annotations

import socket
from typing import Any

import paramiko


class PromptSocket(socket.socket):
    """A connected TCP socket that sends at once, and acknowledges at once what it receives.

    A handshake is many small messages, and paramiko 5 leaves the kernel to hold them back: Nagle's algorithm here
    (tcp(7), TCP_NODELAY), and there too, until what came is acknowledged, for which Linux may take 40 ms. OpenSSH's
    sshd turns it off for sessions with a terminal only. Together that is half of the time of a connect and an exec.
    """

    @classmethod
    def over(cls, connected: socket.socket) -> PromptSocket:
        """Return this kind of socket in the place of another, which is of no use from then on."""
        timeout = connected.gettimeout()
        prompt = cls(connected.family, connected.type, connected.proto, connected.detach())
        prompt.settimeout(timeout)
        prompt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return prompt

    def recv(self, *arguments: int) -> bytes:
        data = super().recv(*arguments)
        if hasattr(socket, "TCP_QUICKACK"):  # Linux; it holds until something is sent (tcp(7))
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data


def prompt_transport(connected: Any, **options: Any) -> paramiko.Transport:
    """Return a transport over a socket, or over the channel of a jump host, as SSHClient.connect() wants one."""
    if isinstance(connected, socket.socket):
        connected = PromptSocket.over(connected)
    return paramiko.Transport(connected, **options)
