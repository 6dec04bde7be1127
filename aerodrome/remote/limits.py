"""How long a script on a host may take, and how much it may print, before it is killed."""

from __future__ import annotations

import time
from collections.abc import Callable

from aerodrome.errors import HostError
from aerodrome.fleet.model import Deploy

MEGABYTE = 1_000_000
STDERR_KEPT = 64_000  # bytes: the last ones


class Limit:
    """The limits of one script.

    `seconds` limits the script's current activity: `allow` restarts the clock. `megabytes` limits all of its output,
    stdout and stderr together. None means no limit. `key` is the setting that the operator can raise.
    """

    def __init__(
        self,
        seconds: float | None,
        megabytes: int | None,
        key: str = "probe_timeout",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds, self._megabytes, self._key, self._clock = seconds, megabytes, key, clock
        self._since = clock()
        self._printed = 0

    @classmethod
    def question(cls, deploy: Deploy) -> Limit:
        """Return the limits of a script that only reads."""
        return cls(deploy.probe_timeout, deploy.output_limit)

    @classmethod
    def command(cls, deploy: Deploy) -> Limit:
        """Return the limits of a script that makes one change."""
        return cls(deploy.change_timeout, deploy.output_limit, "change_timeout")

    @classmethod
    def stream(cls) -> Limit:
        """Return no limits, for output that is passed on but not kept: the operator ends it."""
        return cls(None, None)

    def allow(self, seconds: float | None, key: str = "probe_timeout") -> None:
        """Restart the clock with a limit of `seconds`."""
        self._seconds, self._key, self._since = seconds, key, self._clock()

    def printed(self, size: int) -> None:
        """Count bytes of output."""
        self._printed += size

    def exceeded(self) -> str:
        """Return which limit has been exceeded, or an empty string."""
        if self._megabytes is not None and self._printed > self._megabytes * MEGABYTE:
            return f"printed more than {self._megabytes} MB (deploy.output_limit)"
        if self._seconds is not None and self._clock() - self._since > self._seconds:
            return f"did not finish within {self._seconds:.0f} s (deploy.{self._key})"
        return ""


class LimitExceeded(HostError):
    """A script took too long or printed too much, and was killed."""

    def __init__(self, host: str, step: str, why: str) -> None:
        super().__init__(host, step, why, f"check what the host is doing: fab -H {host} run 'ps -ef'")


class ConnectionBroke(HostError):
    """The connection to a host ended in the middle of a script."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(host, "connect", f"the connection broke: {why}", "run the same command again")
