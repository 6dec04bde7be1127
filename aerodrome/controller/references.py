"""Values that hosts.yaml references: `!env`, `!file`, `!command`, `!prompt`."""

from __future__ import annotations

import getpass
import os
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock

from aerodrome.controller.files import expand, read_text
from aerodrome.errors import InvalidInput
from aerodrome.secrets import Reference, check_text

COMMAND_TIMEOUT = 60  # seconds
PROMPT_TRIES = 3

_terminal = Lock()  # one question at a time


def resolve(reference: Reference) -> str:
    """Return the value of a reference; InvalidInput starts with its file, line and key."""
    look_up = {"env": _from_env, "file": _from_file, "command": _from_command, "prompt": _from_prompt}
    text = look_up[reference.kind](reference)
    if not text:
        raise _failed(reference, "is empty", "a value needs at least one character")
    try:
        check_text(text)
    except ValueError as error:
        raise _failed(reference, str(error)) from None
    return text


def _failed(reference: Reference, problem: str, hint: str = "") -> InvalidInput:
    return InvalidInput(f"{reference.where}: !{reference.kind} {problem}", hint)


def _from_env(reference: Reference) -> str:
    name = reference.argument
    value = os.environ.get(name, "")
    if not value:
        state = "is empty" if name in os.environ else "is not set"
        raise _failed(reference, f"{name}: the variable {state}", f"export {name}=… before you run fab")
    return value


def _from_file(reference: Reference) -> str:
    file = Path(reference.folder, expand(reference.argument, f"{reference.where}: !file: "))
    return _without_last_newline(read_text(file, f"{reference.where}: !file: "))


def _from_command(reference: Reference) -> str:
    """Run the command without a shell, in the directory of hosts.yaml; its output is never shown."""
    try:
        argv = shlex.split(reference.argument)
    except ValueError as error:
        raise _failed(reference, f"has unbalanced quotes: {error}") from None
    if not argv or "\0" in reference.argument:
        raise _failed(reference, "has no program", 'write it as in !command "vault kv get -field=password secret/x"')
    program = argv[0]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_TIMEOUT,
            cwd=reference.folder or None,
        )
        text = done.stdout.decode()
    except subprocess.TimeoutExpired:
        raise _failed(reference, f"{program}: no answer within {COMMAND_TIMEOUT} s") from None
    except OSError as error:
        raise _failed(reference, f"{program}: cannot run: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _failed(reference, f"{program}: its output is not UTF-8 text") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise _failed(reference, ": ".join([program, f"exit code {done.returncode}", *said[-1:]]))
    return _without_last_newline(text)


def _without_last_newline(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def _from_prompt(reference: Reference) -> str:
    if not sys.stdin.isatty():
        raise _failed(
            reference,
            "needs a terminal",
            "run fab in a terminal, or use !env NAME, !file PATH or !command",
        )
    with _terminal, suppress(EOFError):
        for _ in range(PROMPT_TRIES):
            first = getpass.getpass(f"{reference.argument}: ")
            if first and first == getpass.getpass(f"{reference.argument}, again: "):
                return first
            print("They do not match." if first else "Nothing was entered.", file=sys.stderr)
    raise _failed(reference, "did not get the same answer twice")
