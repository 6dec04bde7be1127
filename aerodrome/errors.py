"""The errors that an operator sees: one line says what is wrong, another what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aerodrome.core.check import Finding


class AerodromeError(Exception):
    """An error whose message is one line; `hint` says what to do about it.

    `detail` is evidence of several lines: a journal, the end of a command's output, statements that somebody must run.
    All of them are printed, so none may hold a secret.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail


class InvalidInput(AerodromeError):
    """The operator's input is invalid: hosts.yaml, secrets.yaml, an option, or the source of a value.

    `problems` holds every error found, each with file, line and key if it has them.
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
        self.refusal = refusal  # a check's finding, if the host must not be touched


class FleetError(AerodromeError):
    """Some hosts of a stage failed; the others finished that stage, and later stages did not start.

    `results` holds the others' results by host name.
    """

    def __init__(self, failures: list[HostError], results: Mapping[str, Any] | None = None) -> None:
        self.failures = failures
        self.results = results or {}
        hosts = ", ".join(sorted({failure.host for failure in failures}))
        super().__init__(f"failed on {hosts}")


# What parsing code raises when the text is not what it expects.
UNEXPECTED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


@contextmanager
def reading(host: str, step: str) -> Iterator[None]:
    """Turn an answer that cannot be parsed into an error of that host and step: a host's output is untrusted."""
    try:
        yield
    except UNEXPECTED as error:
        message = f"cannot parse the host's answer ({type(error).__name__}: {str(error)[:200]})"
        raise HostError(host, step, message, f"check {host}; --debug shows where parsing failed") from error
