"""A script's descriptor 3, kept open for as long as somebody wants the script to go on."""

from __future__ import annotations

import queue

SIGN_OF_LIFE = 15.0  # seconds of silence after which the script is sent a line with a dot
DOT = b".\n"


class Hold:
    """Keeps descriptor 3 of a script open until it is let go, and sends the script what it is to read there."""

    def __init__(self) -> None:
        self._parts: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def send(self, data: bytes) -> None:
        """Send the script more to read."""
        self._parts.put(data)

    def let_go(self) -> None:
        """Close the descriptor, once all has been sent."""
        self._parts.put(None)

    def next(self) -> bytes | None:
        """Wait for what the script is to be sent next; None: nothing more.

        In a silence that is a dot, for an end of this side that nobody could tell the script of.
        """
        try:
            return self._parts.get(timeout=SIGN_OF_LIFE)
        except queue.Empty:
            return DOT
