"""The executor that fabric.yaml names: `-H` picks hosts of hosts.yaml, known errors are one line.

Everything in which Aerodrome differs from Fabric's own way of running tasks is in this file.
"""

from __future__ import annotations

import os
import sys
import termios
from collections.abc import Callable, Sequence
from typing import Any

import fabric
import invoke

from aerodrome.errors import AerodromeError, InvalidInput


class FleetExecutor(fabric.Executor):
    """Run each task once with the hosts of `-H`, where Fabric would run it once per host, one after another.

    A task therefore sees all its hosts: it can keep the order between them, and work on them at once.
    """

    def expand_calls(self, calls: Any, apply_hosts: bool = True) -> list[Any]:
        """Leave calls as they are, and hand the names of `-H` to the tasks as `context.hosts`."""
        if self.core.remainder:
            # Fabric runs `fab -H x -- cmd` without the project's config, so past hosts.yaml and its host keys.
            raise InvalidInput("“fab -H HOST -- COMMAND” is not used here", "fab -H HOST run 'COMMAND'")
        # Fabric's own expansion makes a Connection of each name; Invoke's is what is wanted.
        return invoke.Executor.expand_calls(self, calls)

    def execute(self, *tasks: Any) -> Any:
        """Run the tasks; turn a known error into its line, hint and exit code."""
        from aerodrome.report.sink import NoOutput, say

        put_back = _terminal()
        names = self.core[0].args.hosts.value
        self.config.selected_hosts = [name.strip() for name in names.split(",")] if names else []
        # What the fleet's lock says is going on. Names only: arguments may hold what is nobody else's business.
        self.config.performing = " ".join(["fab", *(["-H", names] if names else []), *_names(tasks)])
        try:
            return super().execute(*tasks)
        except AerodromeError as error:
            from aerodrome.report.terminal import show_error

            show_error(error)
            if self.config.run.get("echo") or self.core[0].args.debug.value:
                raise
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            # Threads that still wait for their hosts are not waited for: what they run ends at its next step.
            put_back()
            say("\ninterrupted; what was begun can be finished by the same again")
            os._exit(130)
        except NoOutput as error:
            if error.why:
                say(f"error: {error.why}")
            os._exit(error.exit_code)


def _terminal() -> Callable[[], None]:
    """Return what puts the terminal back as it is now.

    A question for a secret turns the echo off, and one that a thread asks is not ended by Ctrl-C.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        settings = termios.tcgetattr(terminal)
    except (OSError, termios.error):
        return lambda: None
    return lambda: termios.tcsetattr(terminal, termios.TCSADRAIN, settings)


def _names(tasks: Sequence[Any]) -> list[str]:
    """Return the names of tasks as the command line or a test gives them."""
    return [str(getattr(each, "name", each)) for each in tasks]
