"""Secrets: a type that does not show itself, and where values of hosts.yaml come from."""

from __future__ import annotations

import base64
import os
import re
import unicodedata
from typing import Literal
from urllib.parse import quote

from aerodrome.dataclass import dataclass

MASK = "********"
# What PostgreSQL keeps of a password (RFC 5803): no password, but something to guess against.
VERIFIER = re.compile(r"SCRAM-SHA-256\$\d+:[\w+/=]+\$[\w+/=]+:[\w+/=]+")


class Secret:
    """Hold a value that must not be seen: `str()` and `repr()` are masked, `reveal()` is the value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the plain value; what receives it must reach the host on stdin or in a 0600 file only."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled")


@dataclass(frozen=True)
class Reference:
    """Say where a value of hosts.yaml comes from; it is looked up only when a task needs it.

    `kind` is the YAML tag: `!env NAME`, `!file PATH`, `!command "…"` or `!prompt`. `where` is
    `file:line: key.path`, which begins every message about it. `folder` is that of hosts.yaml: relative
    paths begin there.
    """

    kind: Literal["env", "file", "command", "prompt"]
    argument: str
    where: str
    folder: str = ""


# A value of hosts.yaml that may be given plainly or by reference, and one that must not be seen.
Value = str | Reference
SecretValue = Secret | Reference

# One Fernet key, or several while they are being rotated: Airflow writes with the first and reads with each.
# Python decodes + and / in the place of - and _ too, so a key of `openssl rand -base64 32` is one that is in use.
FERNET_KEY = r"[A-Za-z0-9+/_-]{43}=(,[A-Za-z0-9+/_-]{43}=)*"
FERNET_KEY_RIGHT = "32 bytes as URL-safe base64: 43 characters and =, several with commas between"


def check_text(text: str) -> None:
    """Refuse control characters, which neither an environment file nor PostgreSQL takes whole: ValueError."""
    if any(unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\t\n" for letter in text):
        raise ValueError("holds a control character; only tab and newline can be in a value")


def new_password() -> str:
    """Make a password: 48 random bytes as 64 URL-safe characters, the bytes that HMAC with SHA-512 wants of a key."""
    return base64.urlsafe_b64encode(os.urandom(48)).decode()


def new_fernet_key() -> str:
    """Make a Fernet key: 32 random bytes, URL-safe base64 (https://github.com/fernet/spec)."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def hexadecimal(text: str) -> str:
    """Write every byte of a text but letters and digits as \\xNN, as redis.conf and redis-cli read it (src/sds.c)."""
    return re.sub(rb"[^A-Za-z0-9]", lambda found: b"\\x%02x" % found[0][0], text.encode()).decode()


class Redactor:
    """Hide known secrets in text that is about to be shown: the last line of defence, not the first."""

    SHORTEST = 4  # characters; shorter ones would hide half of every line

    def __init__(self) -> None:
        self._forms: set[str] = set()

    def know(self, secret: Secret) -> Secret:
        """Hide `secret` from now on, also as URLs, systemd, SQL and Redis write it; return it."""
        value = secret.reveal()
        systemd = re.sub(r'(["\\$`])', r"\\\1", value)
        forms = {value, systemd, quote(value, safe=""), value.replace("'", "''"), hexadecimal(value)}
        for form in {*forms, *value.split("\n")}:
            if len(form) >= self.SHORTEST:
                self._forms.add(form)
        return secret

    def hide(self, text: str) -> str:
        """Return `text` with every known secret masked, the longest first."""
        for form in sorted(self._forms, key=len, reverse=True):
            text = text.replace(form, MASK)
        return text
