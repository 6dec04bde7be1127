"""Commands as another user, here-documents and diffs."""

from __future__ import annotations

import pytest

from aerodrome.core.resource import as_user, heredoc, unified_diff
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
        "caf\udce9 \udcff\n",  # bytes that are not UTF-8
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


RUNUSER = 'shift 3; exec "$@"'  # runuser -u USER -- COMMAND, without root


def test_a_command_runs_as_another_user_without_payload_and_lock() -> None:
    assert as_user("astro", "id -u") == "runuser -u astro -- id -u 3<&- 9<&-"


def test_a_home_and_a_user_are_quoted() -> None:
    script = as_user("my user", "id -u", "/home/my user")
    assert script == "runuser -u 'my user' -- env HOME='/home/my user' id -u 3<&- 9<&-"


def test_what_runs_as_another_user_inherits_neither_descriptor(sh: Shell) -> None:
    script = f"set -eu\nexec 9</\n{as_user('astro', 'ls /proc/self/fd', '/tmp')}"
    done = sh(script, b"secret", {"runuser": RUNUSER})
    found = set(done.stdout.decode().split())
    assert {"0", "1", "2"} <= found, done
    assert not {"9"} & found and len(found) == 4, done  # the fourth is the directory that ls reads


def test_the_descriptors_stay_open_for_what_follows(sh: Shell) -> None:
    script = f"set -eu\nexec 9</\n{as_user('astro', 'true')}\ncat <&3\n[ -e /proc/$$/fd/9 ] && echo held"
    assert sh(script, b"payload ", {"runuser": RUNUSER}).stdout == b"payload held\n"


def test_descriptors_that_are_not_open_are_no_error(sh: Shell) -> None:
    text = heredoc("text\n")
    script = f"set -eu\nexec 3<&-\n{as_user('astro', 'cat')} {text}"
    assert sh(script, programs={"runuser": RUNUSER}).stdout == b"text\n"
