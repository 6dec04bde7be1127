"""What the practice fleet says when it cannot go on."""

from aerodrome.errors import AerodromeError


class LabError(AerodromeError):
    """Say in one line why the practice fleet cannot go on; `hint` says what to do about it."""
