"""The executor named in fabric.yaml: `-H` selects hosts of hosts.yaml, and known errors are one line.

All differences from the way Fabric runs tasks are in this file.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import termios
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import fabric
import invoke

from aerodrome.errors import AerodromeError, InvalidInput

# Nearly all objects of a run are modules, functions and plans, and stay until its end. Looking for garbage among them
# after every 700 new ones, Python's default, costs 5 ms of a run with nothing to do.
gc.set_threshold(10_000)
# Python collects garbage several times more while it ends, which takes 30 ms; nothing needs that memory any more.
atexit.register(gc.freeze)


class FleetExecutor(fabric.Executor):
    """Run each task once with all hosts of `-H`; Fabric would run it once per host, one after another.

    So a task sees all of its hosts, and can order them and work on them in parallel.
    """

    def expand_calls(self, calls: Any, apply_hosts: bool = True) -> list[Any]:
        """Leave calls unchanged; the names of `-H` are passed in the configuration instead."""
        if self.core.remainder:
            # Fabric runs `fab -H x -- cmd` without the project's configuration, hosts.yaml and its host keys.
            raise InvalidInput("“fab -H HOST -- COMMAND” is not supported", "fab -H HOST run 'COMMAND'")
        # Fabric's expansion would turn each name into a Connection; use Invoke's.
        return invoke.Executor.expand_calls(self, calls)

    def execute(self, *tasks: Any) -> Any:
        """Run the tasks; turn a known error into its line, hint and exit code."""
        from aerodrome.report.sink import NoOutput, say

        put_back = _terminal()
        _end_in_order()
        names = self.core[0].args.hosts.value
        self.config.selected_hosts = [name.strip() for name in names.split(",")] if names else []
        # The fleet's lock shows this to others. Task names only, because arguments may be private.
        self.config.performing = " ".join(["fab", *(["-H", names] if names else []), *_names(tasks)])
        try:
            return super().execute(*tasks)
        except AerodromeError as error:
            from aerodrome.report.terminal import show_error

            show_error(error)
            if self.config.run.get("echo") or self.core[0].args.debug.value:
                raise
            sys.exit(error.exit_code)
        except KeyboardInterrupt as interrupt:
            # Do not wait for threads that are still waiting for their hosts: their scripts end at the next step.
            put_back()
            told = getattr(interrupt, "__notes__", ["run the same command again to finish what was begun"])
            say(f"\ninterrupted; {'; '.join(told)}")
            os._exit(128 + (interrupt.number if isinstance(interrupt, Ended) else signal.SIGINT))
        except NoOutput as error:
            if error.why:
                say(f"error: {error.why}")
            os._exit(error.exit_code)


class Ended(KeyboardInterrupt):
    """A signal that ends fab: a cancelled CI job, a closed terminal."""

    def __init__(self, number: int) -> None:
        """Take the number of the signal."""
        super().__init__()
        self.number = number


def _end_in_order() -> None:
    """Let Ctrl-C, SIGTERM and SIGHUP end a run in order: with its lock released and its record written.

    A signal that fab was started to ignore (nohup) stays ignored.
    """

    def end(number: int, frame: FrameType | None) -> None:
        # Python drops what is raised in a callback of a weak reference, and imports have one (_get_module_lock): a
        # Ctrl-C was lost that way. So the signal comes again, once that is over.
        if frame and frame.f_code.co_filename.startswith("<frozen importlib"):
            later = threading.Timer(0.05, os.kill, (os.getpid(), number))
            later.daemon = True
            later.start()
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            signal.signal(number, signal.SIG_DFL)  # a second one ends fab at once
            raise Ended(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, end)


def _terminal() -> Callable[[], None]:
    """Return a function that restores the terminal's current state.

    A prompt for a secret turns the echo off, and Ctrl-C does not end a prompt in another thread.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        settings = termios.tcgetattr(terminal)
    except (OSError, termios.error):
        return lambda: None
    return lambda: termios.tcsetattr(terminal, termios.TCSADRAIN, settings)


def _names(tasks: Sequence[Any]) -> list[str]:
    """Return the names of tasks, from the command line or a test."""
    return [str(getattr(each, "name", each)) for each in tasks]
