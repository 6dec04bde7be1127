"""Secrets: a type that masks itself, and the sources of values in hosts.yaml."""

from __future__ import annotations

import base64
import os
import re
import unicodedata
from typing import Literal
from urllib.parse import quote

from aerodrome.dataclass import dataclass

MASK = "********"
# What PostgreSQL stores of a password (RFC 5803): not the password, but enough to test guesses against.
VERIFIER = re.compile(r"SCRAM-SHA-256\$\d+:[\w+/=]+\$[\w+/=]+:[\w+/=]+")


class Secret:
    """A value that must not be shown: `str()` and `repr()` are masked, `reveal()` returns the value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the plain value; it may reach the host only on stdin or in a 0600 file."""
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
        raise TypeError("a Secret cannot be pickled")


@dataclass(frozen=True)
class Reference:
    """The source of a value in hosts.yaml, which is looked up only when a task needs it.

    `kind` is the YAML tag: `!env NAME`, `!file PATH`, `!command "…"` or `!prompt`. `where` is
    `file:line: key.path`, the start of every message about it. `folder` is that of hosts.yaml: relative
    paths start there.
    """

    kind: Literal["env", "file", "command", "prompt"]
    argument: str
    where: str
    folder: str = ""


# A value of hosts.yaml, given directly or by reference; and one that must not be shown.
Value = str | Reference
SecretValue = Secret | Reference

# One Fernet key, or several during a rotation: Airflow encrypts with the first and decrypts with any.
# Python also decodes + and / in place of - and _, so keys from `openssl rand -base64 32` work and are in use.
FERNET_KEY = r"[A-Za-z0-9+/_-]{43}=(,[A-Za-z0-9+/_-]{43}=)*"
FERNET_KEY_RIGHT = "32 bytes as URL-safe base64 (43 characters and =), or several, separated by commas"


def check_text(text: str) -> None:
    """Raise ValueError for control characters: neither environment files nor PostgreSQL preserve them."""
    if any(unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\t\n" for letter in text):
        raise ValueError("contains a control character; only tabs and newlines are allowed")


def new_password() -> str:
    """Generate a password: 48 random bytes as 64 URL-safe characters, as long as HMAC-SHA-512 asks of a key."""
    return base64.urlsafe_b64encode(os.urandom(48)).decode()


def new_fernet_key() -> str:
    """Generate a Fernet key: 32 random bytes, URL-safe base64 (https://github.com/fernet/spec)."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def hexadecimal(text: str) -> str:
    """Write every byte except letters and digits as \\xNN, which redis.conf and redis-cli read (src/sds.c)."""
    return re.sub(rb"[^A-Za-z0-9]", lambda found: b"\\x%02x" % found[0][0], text.encode()).decode()


class Redactor:
    """Mask known secrets in text before it is shown: the last line of defence, not the first."""

    SHORTEST = 4  # characters; shorter ones would hide half of every line

    def __init__(self) -> None:
        self._forms: set[str] = set()

    def know(self, secret: Secret) -> Secret:
        """Mask `secret` from now on, also in the spellings of URLs, systemd, SQL and Redis; return it."""
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
