"""Frozen dataclasses that cost next to nothing to define.

The standard decorator writes source code for six methods of each class and compiles it: about 1 ms a class, which made
up two thirds of the time that it took to import this project. Here the same methods are shared by all classes.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # so that a type checker knows the fields
else:

    def dataclass(*, frozen: bool):
        """Make the class a dataclass that behaves as one of `dataclasses.dataclass(frozen=True)`."""
        assert frozen

        def make(cls: type) -> type:
            made = dataclasses.dataclass(init=False, repr=False, eq=False)(cls)
            for name, method in METHODS.items():
                if name not in cls.__dict__:
                    setattr(made, name, method)
            made.__compared__ = tuple(each.name for each in made.__dataclass_fields__.values() if each.compare)
            return made

        return make


def _values(self: Any) -> tuple[object, ...]:
    return tuple(map(self.__dict__.__getitem__, self.__compared__))


def _init(self: Any, *values: object, **named: object) -> None:
    fields, places = self.__dataclass_fields__, self.__match_args__
    given = dict(zip(places, values, strict=False))
    if len(values) > len(places) or not given.keys().isdisjoint(named) or not named.keys() <= fields.keys():
        raise TypeError(f"{type(self).__name__}({', '.join(fields)}) was given {len(values)} values, and {[*named]}")
    given |= named
    for name, field in fields.items():
        if name not in given:
            given[name] = _default(self, field)
    self.__dict__.update(given)  # past __setattr__, which refuses
    if after := getattr(self, "__post_init__", None):
        after()


def _default(self: Any, field: dataclasses.Field[Any]) -> object:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    if field.default is dataclasses.MISSING:
        raise TypeError(f"{type(self).__name__}() was not given {field.name}")
    return field.default


def _repr(self: Any) -> str:
    fields = [f"{name}={getattr(self, name)!r}" for name in self.__dataclass_fields__]
    return f"{type(self).__qualname__}({', '.join(fields)})"


def _eq(self: Any, other: Any) -> Any:
    return _values(self) == _values(other) if type(self) is type(other) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _refuse(self: Any, name: str, *_: object) -> None:
    raise dataclasses.FrozenInstanceError(f"{type(self).__name__}.{name} cannot be changed")


METHODS = {
    "__init__": _init,
    "__repr__": _repr,
    "__eq__": _eq,
    "__hash__": _hash,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
}
