"""Roles of PostgreSQL with their passwords and databases."""

from __future__ import annotations

import pytest

from aerodrome.core.resource import Change, Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.postgres import (
    PostgresAccount,
    identifier,
    literal,
    scram_verifier,
    verifies,
)
from aerodrome.secrets import Secret
from tests.unit.make import AWKWARD, only_change, plain
from tests.unit.resources.database import ACCOUNT, PSQL, SALT, answer

# CREATE ROLE … PASSWORD …, then SELECT rolpassword FROM pg_authid.
VERIFIERS = {
    AWKWARD: "SCRAM-SHA-256$4096:B1oF8puI+hKxmYePTKb5Mg=="
    "$bTuK26FJ+iioA+4vnNOBgNHo/Z3pp4d3pJZQTbVrjrM=:"
    "NTT3Bvv0LyghvyULSFbzwxYtHRnFf3bk4q9FQy9jQUA=",
    "plain": "SCRAM-SHA-256$4096:zOi//N1JG9YLheAuDdoi+Q=="
    "$fqLZS3xocJMzvqHCXfb1ZZS7QENVUw3QS7KQQH9xZgY=:"
    "sGkSVKA/X8Cqr56tNww57D/J0EBJksM4N0AzIpK/KvE=",
    # RFC 4013: a soft hyphen goes, a Roman nine becomes IX, a feminine ordinal a.
    "I\u00adX \u2168 \u00aa": "SCRAM-SHA-256$4096:1WOh8JeOutJR6N64goMS+A=="
    "$hHVPxP1P5si+VrpWVDU+AhmhXP5Jgd/QFMEOG1+ienU=:"
    "GTGPwboPJwXkBnG5nL/d9BEBEt7DpCzxGSJSVY2FdUk=",
    # Wide and no-break spaces become plain ones.
    "a\u00a0b\u3000c": "SCRAM-SHA-256$4096:RmJmHGpt8CoEzI08iPynlQ=="
    "$nzEl8iCe1G6rEXedTpqwXKwJLnTnSgeEsOZ6l4drwAs=:"
    "CoPIA3ehVuQj9VcLWgwZk98c57X61ORZmeRvUOkZ7J4=",
    # From right to left, and a digit at its end: refused by RFC 4013, taken as it is.
    "\u06271": "SCRAM-SHA-256$4096:km4VwUGDkKIkjeD9m5ePfQ=="
    "$ztzr5GzdrjvdaR8n+W2fnCsrKwfinzjHFdhhe8BPC9k=:"
    "Nxfeen8IyfAJOnWwAqNKoV4RJnXY56IruhAkL3ueRKY=",
    "\u0627x\u0628": "SCRAM-SHA-256$4096:dYU7EVz52trUvumx+lgX6Q=="
    "$07kanocWsyxcxNgmrP6Z2J7SlKF5xEpfLOaoZ8dyLkk=:"
    "b1Emwjplc4qgyEsf3Hrt3/DgM+FnRwe2FOGrlJO0mZ4=",
    "\u0627\u0628": "SCRAM-SHA-256$4096:R0/TgYRmtOfAybnotCFkCA=="
    "$HUfeLJzY5Pqn/ssTGARDx419UrF94f5lc0xVN3GI0KY=:"
    "xO1kUwO23iK4rEUvMVsfAtkc389zY9cJnw7rYmEcntQ=",
    # Control characters, private use and what Unicode 3.2 did not know yet are refused: taken as they are.
    "tab\tnewline\nend\u2168": "SCRAM-SHA-256$4096:LS9/2z/eoNHAawKWmdwXQQ=="
    "$HCeNA3JCiHAfY4lALfvLW2lOzJHAffvrwtsWYIV8CWM=:"
    "nUqIuh12OyztIMdc43WJcHamOVB7vkEX5gZkiicXY8Y=",
    "\ue000x\u2168": "SCRAM-SHA-256$4096:ZsYfXeb8j4jJpfyGZOHNBQ=="
    "$G1tPrOyH9enjIB6dTYCF8zH6iH+EmJswYyO/g2FNxp0=:"
    "fdSIwg934B7ExG78qAF0cQibNxgOQVcfMf+ZkC6N9/8=",
    "\U0001f600 emoji \u2168": "SCRAM-SHA-256$4096:QLb6v6Vz+VyE3S429tpsbw=="
    "$taCxW9yujQtfS5ipjIjB5AtyiqmMyXLFAXnuoS7z6b4=:"
    "QQCBooicla8FIvfFuS8cWl/DD3cCqY6XyXtCA03rxQE=",
    # Nothing is left of it: taken as it is.
    "\u00ad": "SCRAM-SHA-256$4096:hOe1coryetZpY1xQElNTFQ=="
    "$JCYzvBEQnIxV7kG0GxheUEnXeZUewQ9xGMUpQJsbLXo=:"
    "r0M9FBtB5VRlzAM2covQxailF/dpVSfgcwiQCEYnoeU=",
    "e\u0301": "SCRAM-SHA-256$4096:hFprK9rUQgXNigai0q+kvw=="
    "$17oD1cGtbY8Ji0BPbHaR6SBXqu+qXyznIhpilzyMv8A=:"
    "y+F7O/0DjiZq6WnhU5ETVYeRyNNfNh5X2A2Cab2UoYc=",
    "\u1e9b\u0323": "SCRAM-SHA-256$4096:L5xay6A6pHnzxGmnwzeTtg=="
    "$LZ0pGMPgjlJTC3tyT6kN3Kx2FOvn363A4IZsYVpYpDI=:"
    "0VeQlkukD7PQiU7qRhX4hMGvQglSwubtmQue8jtM2Wk=",
    # A zero-width space is in both tables, of spaces and of what goes: PostgreSQL asks the first one first.
    "a\uff21\u200bb": "SCRAM-SHA-256$4096:B96oqnRnhPEgPHmCJz+sIw=="
    "$uBeL8JF/wQYvBpUrxu61YMNXo2I73DIJaYqr2jWZ2Gs=:"
    "pOSKcfd1pvM7g/66p5mLaKYAMy9MqNBjs0fQwdNvSDE=",
    # An alef that is a symbol is written from left to right, until it is normalized: the same again.
    "\u21351": "SCRAM-SHA-256$4096:pmkhOWVt07xqEEf5xTmExg=="
    "$Z5Vd0tMwyttRB4s8EQ7RJspvkm1fWuQW5LZsLVAWmxQ=:"
    "p/mjw+Iz3cs3/PQSF4zFjL1nEpXwpZj/w7CYw64yweA=",
    # Forbidden letters that normalization would turn into allowed ones: PostgreSQL looks before it normalizes.
    "\u3002\ufe52\u2044\u0340\u0341": "SCRAM-SHA-256$4096:np2Ixs0tJo7azi1l3fJAXw=="
    "$pM4/uSEEBj7B5qG6HzswyaAjZSsxcaT8jTp/XNwwAJU=:RVTEK9qfLv9Vn4ym+Csezf69Q523FJ0D4YLTGsuD6yE=",
}


@pytest.mark.parametrize("password", VERIFIERS, ids=ascii)
def test_the_password_of_a_verifier_that_postgresql_made_is_recognised(password: str) -> None:
    assert verifies(Secret(password), VERIFIERS[password])


@pytest.mark.parametrize("password", ["Plain", "plain ", "p", ""])
def test_another_password_is_not(password: str) -> None:
    assert not verifies(Secret(password), VERIFIERS["plain"])


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "md55756bbe94391d42445c815edbd751a20",  # of a role m1 with the password `plain`
        "SCRAM-SHA-256$4096:zOi//N1JG9YLheAuDdoi+Q==",
        "SCRAM-SHA-256$many:zOi//N1JG9YLheAuDdoi+Q==$a:b",
        "SCRAM-SHA-256$4096:===$a:b",
        VERIFIERS["plain"].replace("SHA-256", "SHA-512"),
        VERIFIERS["plain"].replace("4096", "4095"),
    ],
)
def test_what_is_no_such_verifier_is_not_recognised(stored: str) -> None:
    assert not verifies(Secret("plain"), stored)


def test_a_new_verifier_is_the_one_that_postgresql_makes_with_this_salt() -> None:
    # RFC 7677's example: user `user`, password `pencil`; stored and server key as PostgreSQL writes them.
    salt = b"[m\x99h\x9d\x125\x8e\xec\xa0K\x14\x126\xfa\x81"  # W22ZaJ0SNY7soEsUEjb6gQ==
    assert scram_verifier(Secret("pencil"), salt) == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


def test_names_and_texts_are_quoted_for_sql() -> None:
    assert literal('it\'s \\ "so"') == "'it''s \\ \"so\"'"
    assert identifier('it\'s "so"') == '"it\'s ""so"""'


ROLE = f"role air-flow|t|{VERIFIERS['plain']}"


NEW = scram_verifier(Secret("plain"), SALT)


def test_a_role_with_the_right_password_and_its_database_need_nothing() -> None:
    assert ACCOUNT.changes(Seen(answer(role=ROLE, database="database air$flow|air-flow|t"))) == []


def test_role_and_database_are_made() -> None:
    assert plain(ACCOUNT.changes(Seen(answer()))) == [
        Change("make role air-flow", f"{PSQL}CREATE ROLE \"air-flow\" LOGIN PASSWORD '{NEW}';\nEND_OF_FILE"),
        Change(
            "make database air$flow, owned by air-flow",
            f'{PSQL}CREATE DATABASE "air$flow" OWNER "air-flow" '
            "TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';\nEND_OF_FILE",
        ),
    ]


@pytest.mark.parametrize(
    "role",
    [
        f"role air-flow|t|{VERIFIERS[AWKWARD]}",
        f"role air-flow|f|{VERIFIERS['plain']}",  # may not log in
        "role air-flow|t|",  # has no password
        "role air-flow|t|md55756bbe94391d42445c815edbd751a20",
    ],
)
def test_a_role_with_another_password_gets_this_one(role: str) -> None:
    assert plain(ACCOUNT.changes(Seen(answer(role=role, database="database air$flow|air-flow|t")))) == [
        Change(
            "set the password of role air-flow",
            f"{PSQL}ALTER ROLE \"air-flow\" LOGIN PASSWORD '{NEW}';\nEND_OF_FILE",
        )
    ]


def test_a_database_of_another_owner_is_given_over() -> None:
    change = only_change(ACCOUNT, answer(role=ROLE, database="database air$flow|we|rd"))
    assert change.script == f'{PSQL}ALTER DATABASE "air$flow" OWNER TO "air-flow";\nEND_OF_FILE'


PRIVATE = PostgresAccount("air-flow", Secret("plain"), "air$flow", SALT, private=True)


REVOKE = 'REVOKE CONNECT ON DATABASE "air$flow" FROM PUBLIC;'


def test_a_private_database_is_closed_to_all_others_when_it_is_made() -> None:
    assert PRIVATE.changes(Seen(answer(role=ROLE)))[0].script.endswith(f"'C';\n{REVOKE}\nEND_OF_FILE")


def test_a_database_that_is_to_be_private_is_closed_to_all_others() -> None:
    there = Seen(answer(role=ROLE, database="database air$flow|air-flow|t"))
    change = only_change(PRIVATE, there.text)
    assert change.summary == "let no other role connect to database air$flow"
    assert change.script == f"{PSQL}{REVOKE}\nEND_OF_FILE"
    assert PRIVATE.changes(Seen(answer(role=ROLE, database="database air$flow|air-flow|f"))) == []
    assert ACCOUNT.changes(there) == []


def test_without_a_server_the_account_is_worked_out_later() -> None:
    assert plain(ACCOUNT.changes(Seen(""))) == [Change("make role air-flow and database air$flow", "")]


def test_the_password_itself_is_in_no_script() -> None:
    account = PostgresAccount("airflow", Secret("secret-password"), "airflow", SALT)
    shown = account.probe() + "".join(f"{change}" for change in account.changes(Seen(answer())))
    assert "secret-password" not in shown
    assert "secret-password" not in repr(account)


def test_a_password_made_now_does_not_replace_one_that_a_role_has() -> None:
    stored = scram_verifier(Secret("another"), b"0" * 16)
    account = PostgresAccount("airflow", Secret("new"), "airflow", b"1" * 16, made=True)
    with pytest.raises(AerodromeError, match="with a password that is unknown here"):
        account.changes(Seen(answer(role=f"role airflow|t|{stored}", database="database airflow|airflow|t")))
    assert [
        change.summary
        for change in account.changes(Seen(answer(role="role airflow|t|", database="database airflow|airflow|t")))
    ] == ["set the password of role airflow"]
    known = PostgresAccount("airflow", Secret("another"), "airflow", b"1" * 16, made=True)
    assert known.changes(Seen(answer(role=f"role airflow|t|{stored}", database="database airflow|airflow|t"))) == []


def test_a_role_whose_password_only_the_nodes_know_is_left_alone() -> None:
    account = PostgresAccount("air-flow", None, "air$flow", SALT)
    for role in (
        f"role air-flow|t|{VERIFIERS['plain']}",
        "role air-flow|f|",
        "role air-flow|t|md55756bbe94391d42445c815edbd751a20",
    ):
        assert account.changes(Seen(answer(role=role, database="database air$flow|air-flow|t"))) == []
    assert only_change(account, answer(role=ROLE)).summary == "make database air$flow, owned by air-flow"
    assert plain(account.changes(Seen(""))) == [Change("make role air-flow and database air$flow", "")]


def test_a_role_is_not_made_without_a_password() -> None:
    with pytest.raises(AerodromeError) as caught:
        PostgresAccount("air-flow", None, "air$flow", SALT).changes(
            Seen(answer(database="database air$flow|air-flow|t"))
        )
    assert caught.value.message == "there is no role air-flow, and its password is unknown here"
    assert caught.value.hint == (
        "set it once, in addition to the command: database.password in hosts.yaml (or create the role by hand)"
    )
