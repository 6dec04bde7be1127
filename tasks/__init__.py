"""The commands that an operator types: order, messages, confirmation. No shell text."""

import atexit
import os
import sys
from types import TracebackType
from typing import NoReturn

# Invoke turns off bytecode, so that a tasks.py leaves nothing beside it. But recompiling all of Aerodrome would take a
# tenth of every run with nothing to do, so restore the interpreter's own setting.
sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)


def _cannot_write(error: OSError) -> NoReturn:
    """Exit as other programs do if stdout fails: silently if its reader has gone, or else with one line."""
    if isinstance(error, BrokenPipeError):
        os._exit(141)  # `fab --list | head`
    os.write(2, f"error: cannot write to stdout: {error.strerror}\n".encode())
    os._exit(1)


@atexit.register
def _flush() -> None:
    """Flush stdout before Python does, which would show a traceback."""
    try:
        if sys.stdout is not None and not sys.stdout.closed:
            sys.stdout.flush()
    except OSError as error:
        _cannot_write(error)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show an uncaught error, unless it is Invoke failing to print its lists and help."""
    last = trace
    while last and last.tb_next:
        last = last.tb_next
    if last and isinstance(error, OSError) and last.tb_frame.f_globals.get("__name__", "").startswith("invoke."):
        _cannot_write(error)
    sys.__excepthook__(kind, error, trace)


sys.excepthook = _uncaught
