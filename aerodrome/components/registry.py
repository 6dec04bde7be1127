"""All components: one for each file in components/roles."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from aerodrome.components import roles
from aerodrome.components.component import Component


def components() -> dict[str, Component]:
    """Return the component of each role, in deploy's order."""
    modules = [import_module(f"{roles.__name__}.{each.name}") for each in iter_modules(roles.__path__)]
    found: list[Component] = [module.COMPONENT for module in modules]
    return {each.name: each for each in sorted(found, key=lambda each: (each.place, each.name))}
