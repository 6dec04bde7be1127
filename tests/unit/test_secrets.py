"""Secrets do not show themselves."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import re

import pytest

from aerodrome.components.environment import escape
from aerodrome.secrets import FERNET_KEY, MASK, Redactor, Secret, check_text, new_fernet_key, new_password

SECRET = Secret("hunter2-hunter2")


@pytest.mark.parametrize(
    "shown",
    [
        str(SECRET),
        repr(SECRET),
        f"{SECRET}",
        f"{SECRET:>40}",
        f"{SECRET!r}",
        "%s" % SECRET,  # noqa: UP031
        repr({"password": SECRET}),
        repr(ValueError(SECRET)),
    ],
)
def test_a_secret_is_masked_however_it_is_printed(shown: str) -> None:
    assert "hunter2" not in shown
    assert MASK in shown


def test_a_secret_is_revealed_by_that_name_only() -> None:
    assert SECRET.reveal() == "hunter2-hunter2"
    assert not hasattr(SECRET, "__dict__")


@pytest.mark.parametrize("leak", [pickle.dumps, json.dumps, copy.deepcopy, vars])
def test_a_secret_is_not_written_elsewhere_by_accident(leak) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TypeError):
        leak(SECRET)


def test_secrets_are_equal_by_value_and_never_equal_to_text() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


@pytest.mark.parametrize("text", ["plain", "tab\tand\nnewline", "é☃😀", "\u2028", ""])
def test_text_that_can_be_a_value(text: str) -> None:
    check_text(text)


@pytest.mark.parametrize("text", ["a\0b", "a\rb", "\x1b[31m", "\x7f", "\x85", "\ud800"])
def test_control_characters_cannot(text: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        check_text(text)


def test_new_passwords_are_long_and_differ() -> None:
    assert new_password() != new_password()
    assert re.fullmatch(r"[A-Za-z0-9_-]{64}", new_password())


def test_a_new_fernet_key_is_one() -> None:
    key = new_fernet_key()
    assert re.fullmatch(FERNET_KEY, key)
    assert len(base64.urlsafe_b64decode(key)) == 32


# Text that is about to be shown


def hidden(secret: str, text: str) -> str:
    redactor = Redactor()
    redactor.know(Secret(secret))
    return redactor.hide(text)


@pytest.mark.parametrize(
    "text",
    [
        "p@ss'w$rd",
        "postgresql://u:p%40ss%27w%24rd@db/x",  # in a URL
        "PASSWORD 'p@ss''w$rd'",  # in SQL
        "SMTP_PASSWORD=" + escape("p@ss'w$rd"),
    ],
)
def test_a_known_secret_is_hidden_in_each_form_that_it_is_sent_in(text: str) -> None:
    shown = hidden("p@ss'w$rd", text)
    assert MASK in shown
    assert "ss" not in shown.replace("PASSWORD", "")


def test_each_line_of_a_long_secret_is_hidden() -> None:
    shown = hidden("-----BEGIN KEY-----\nabcdef==\n", "  web1 | abcdef==\n-----BEGIN KEY-----")
    assert shown == f"  web1 | {MASK}\n{MASK}"


def test_the_longer_one_of_two_secrets_is_hidden_whole() -> None:
    redactor = Redactor()
    redactor.know(Secret("pass"))
    redactor.know(Secret("password-word"))
    assert redactor.hide("password-word pass") == f"{MASK} {MASK}"


def test_a_secret_too_short_to_hide_leaves_the_text_readable() -> None:
    assert hidden("a", "a banana") == "a banana"


def test_knowing_a_secret_hands_it_back() -> None:
    assert Redactor().know(SECRET) is SECRET
