"""How it is taken back that a unit was enabled, started, stopped or restarted."""

from __future__ import annotations

from collections.abc import Sequence

from aerodrome.core.resource import quote
from aerodrome.core.undo import Undo
from aerodrome.resources.drain import Drain, stop_script


def enabled(unit: str) -> str:
    """Return sh that prints whether a unit is enabled."""
    return f'[ "$(systemctl is-enabled {quote(unit)} 2>/dev/null)" = enabled ] && echo enabled || echo disabled'


def active(unit: str) -> str:
    """Return sh that prints whether a unit runs."""
    ask = f"systemctl show -p ActiveState --value {quote(unit)}"
    return f"case $({ask}) in active|reloading|activating) echo active ;; *) echo inactive ;; esac"


def after_enable(unit: str) -> Undo:
    """Return how a unit is no longer enabled."""
    return Undo(f"disable {unit}", f"systemctl disable {quote(unit)}", enabled(unit), "disabled", "enabled")


def after_start(unit: str, drain: Drain | None = None, reads: Sequence[str] = ()) -> Undo:
    """Return how a unit that did not run stops again; one that the same run had stopped starts again later."""
    script = stop_script(unit, drain)
    return Undo(f"stop {unit}", script, active(unit), "inactive", "active", after=tuple(reads), interrupts=True)


def after_stop(unit: str) -> Undo:
    """Return how a unit that ran starts again."""
    return Undo(f"start {unit}", _start(unit), active(unit), "active", "inactive", late=True, restarts=unit)


def after_end(unit: str, stopped: bool, disabled: bool) -> Undo:
    """Return how a unit runs again that was stopped, is enabled again that was disabled, or both."""
    if not disabled:
        return after_stop(unit)
    enable = f"systemctl enable {quote(unit)}"
    if not stopped:
        return Undo(f"enable {unit}", enable, enabled(unit), "enabled", "disabled")
    state = f'echo "$({enabled(unit)}) $({active(unit)})"'
    words, script = f"enable and start {unit}", f"{enable}\n{_start(unit)}"
    return Undo(words, script, state, "enabled active", "disabled inactive", late=True, restarts=unit)


def _start(unit: str) -> str:
    return f"systemctl reset-failed {quote(unit)} 2>/dev/null || true\nsystemctl start {quote(unit)}"


def after_restart(unit: str, restart: str, reads: Sequence[str], stat: str, record: str) -> Undo:
    """Return how a unit restarts with what it ran with before, unless it has been stopped since.

    `stat` prints what the unit reads as its `record` has it since its last start.
    """
    name = quote(unit)
    state = (
        f'if systemctl -q is-active {name} && [ "$({stat})" != "$(grep \'^reads \' {quote(record)})" ]; then\n'
        "echo outdated; else echo current; fi"
    )
    script = f"if systemctl -q is-active {name}; then\n{restart}\nfi"
    return Undo(
        f"restart {unit}",
        script,
        state,
        "current",
        "outdated",
        after=tuple(reads),
        late=True,
        restarts=unit,
        interrupts=True,
    )
