"""The errors that an operator sees: one line that says what is wrong, and one that says what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aerodrome.core.check import Finding


class AerodromeError(Exception):
    """Say in one line what is wrong; `hint` says what to do about it.

    `detail` is several lines of evidence: a journal, a command's last words, what somebody has to run.
    None of them may hold a secret: all are printed.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail


class InvalidInput(AerodromeError):
    """What the operator wrote cannot be used: hosts.yaml, secrets.yaml, an option, a value's source.

    `problems` holds every mistake found, each naming file, line and key where there is one.
    """

    def __init__(self, problems: list[str] | str, hint: str = "") -> None:
        self.problems = [problems] if isinstance(problems, str) else problems
        super().__init__("\n".join(self.problems), hint)


class HostError(AerodromeError):
    """A step failed on one host."""

    def __init__(
        self,
        host: str,
        step: str,
        message: str,
        hint: str = "",
        detail: str = "",
        refusal: Finding | None = None,
    ) -> None:
        super().__init__(message, hint, detail)
        self.host = host
        self.step = step
        self.refusal = refusal  # what a check has found, where the host must not be touched


class FleetError(AerodromeError):
    """Some hosts of a stage failed; the others of that stage are done, later stages were not begun.

    `results` holds what the others gave, by host name.
    """

    def __init__(self, failures: list[HostError], results: Mapping[str, Any] | None = None) -> None:
        self.failures = failures
        self.results = results or {}
        hosts = ", ".join(sorted({failure.host for failure in failures}))
        super().__init__(f"failed on {hosts}")


# What code raises that reads text which is not what it expected.
UNEXPECTED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


@contextmanager
def reading(host: str, step: str) -> Iterator[None]:
    """Turn an answer that cannot be read into an error of that host and step: what a host prints is not trusted."""
    try:
        yield
    except UNEXPECTED as error:
        message = f"the host's answer cannot be read ({type(error).__name__}: {str(error)[:200]})"
        raise HostError(
            host, step, message, f"see what is wrong with {host}; --debug shows where it was read"
        ) from error
