"""The practice fleet's errors."""

from aerodrome.errors import AerodromeError


class LabError(AerodromeError):
    """The practice fleet cannot continue: a one-line reason; `hint` says what to do about it."""
