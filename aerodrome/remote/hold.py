"""Keep a script's descriptor 3 open for as long as the script should continue."""

from __future__ import annotations

import queue

SIGN_OF_LIFE = 15.0  # seconds of silence before the script is sent a line with a dot
DOT = b".\n"


class Hold:
    """Hold a script's descriptor 3 open until `let_go`, and send data to it meanwhile."""

    def __init__(self) -> None:
        self._parts: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def send(self, data: bytes) -> None:
        """Queue more data for the script."""
        self._parts.put(data)

    def let_go(self) -> None:
        """Close the descriptor once everything has been sent."""
        self._parts.put(None)

    def next(self) -> bytes | None:
        """Return the next data for the script; None: there is no more.

        After a while of silence, return a dot. A script that misses the dots knows that this side has disappeared.
        """
        try:
            return self._parts.get(timeout=SIGN_OF_LIFE)
        except queue.Empty:
            return DOT
