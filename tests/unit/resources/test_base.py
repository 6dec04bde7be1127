"""Here-documents and diffs."""

from __future__ import annotations

import pytest

from aerodrome.resources.base import heredoc, unified_diff
from tests.unit.make import Shell


def test_a_heredoc_is_quoted_and_ends_after_the_text() -> None:
    assert heredoc("one\ntwo\n") == "<<'END_OF_FILE'\none\ntwo\nEND_OF_FILE"


def test_a_text_that_holds_the_delimiter_gets_another_one() -> None:
    assert heredoc("END_OF_FILE\nEND_OF_FILE_\n") == "<<'END_OF_FILE__'\nEND_OF_FILE\nEND_OF_FILE_\nEND_OF_FILE__"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "plain\n",
        "$HOME `id` $(id) \\ \\\\ \\$ ' \" !\n",
        "END_OF_FILE\n",
        "  END_OF_FILE  \n\nEND_OF_FILE\n\n",
        "caf\udce9 \udcff\n",  # bytes that are no UTF-8
        "tab\tform\ffeed\r\n",
    ],
)
def test_a_heredoc_arrives_byte_for_byte(sh: Shell, text: str) -> None:
    assert sh(f"cat {heredoc(text)}\n").stdout == text.encode("utf-8", "surrogateescape")


def test_equal_texts_have_no_diff() -> None:
    assert unified_diff("/etc/x", "a\n", "a\n") == ""


def test_a_diff_shows_two_lines_around() -> None:
    assert unified_diff("/etc/x", "1\n2\n3\n4\n5\n", "1\n2\n3\n4\nfive\n").splitlines() == [
        "--- /etc/x",
        "+++ /etc/x",
        "@@ -3,3 +3,3 @@",
        " 3",
        " 4",
        "-5",
        "+five",
    ]
