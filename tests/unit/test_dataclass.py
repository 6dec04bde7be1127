"""Our dataclasses behave as the standard library's frozen ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from aerodrome.dataclass import dataclass

STANDARD, OURS = dataclasses.dataclass(frozen=True), dataclass(frozen=True)
BOTH = pytest.mark.parametrize("decorate", [STANDARD, OURS], ids=["standard", "ours"])
Decorator = Callable[[type], Any]


def classes(decorate: Decorator) -> Any:
    @decorate
    class Base:
        """Each class of this test has a docstring, like those of the project."""

        name: str
        size: int = 3
        tags: dict[str, str] = dataclasses.field(default_factory=dict)

    @decorate
    class Child(Base):
        """A further field."""

        more: tuple[str, ...] = ()

    @decorate
    class Own:
        """A class with its own methods, which are kept."""

        name: str

        def __post_init__(self) -> None:
            assert self.name != "bad"

        def __repr__(self) -> str:
            return "mine"

    @decorate
    class Empty:
        """No field at all."""

    return Base, Child, Own, Empty


@BOTH
def test_values_are_taken_by_place_by_name_and_from_defaults(decorate: Decorator) -> None:
    base, child, own, empty = classes(decorate)
    assert vars(base("a")) == {"name": "a", "size": 3, "tags": {}}
    assert vars(child("a", 4, more=("b",))) == {"name": "a", "size": 4, "tags": {}, "more": ("b",)}
    assert base("a").tags is not base("a").tags
    assert vars(empty()) == {}
    with pytest.raises(AssertionError):
        own("bad")


@BOTH
@pytest.mark.parametrize(
    "values, named", [((), {}), (("a", 1, {}, 4), {}), (("a",), {"name": "b"}), (("a",), {"x": 1})]
)
def test_values_that_do_not_fit_are_refused(decorate: Decorator, values: tuple[Any], named: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        classes(decorate)[0](*values, **named)


@BOTH
def test_equal_values_are_equal_and_have_one_hash(decorate: Decorator) -> None:
    base, child, own, empty = classes(decorate)
    assert own("a") == own("a") != own("b")
    assert hash(own("a")) == hash(own("a"))
    assert base("a") == base("a", 3, {}) != child("a")
    assert empty() == empty()
    with pytest.raises(TypeError):
        hash(base("a"))  # it holds a dict
    assert len({own("a"), own("a"), own("b")}) == 2


@BOTH
def test_a_field_may_be_given_by_name_only_and_not_be_compared(decorate: Decorator) -> None:
    @decorate
    class Base:
        """A class with a field that its children need not know about."""

        time: float = dataclasses.field(default=0.0, kw_only=True, compare=False)

    @decorate
    class Child(Base):
        """A class with a field without a default."""

        name: str

    assert vars(Child("a", time=1.0)) == {"time": 1.0, "name": "a"}  # type: ignore[call-arg]
    assert Child("a", time=1.0) == Child("a") != Child("b")  # type: ignore[call-arg]
    assert hash(Child("a", time=1.0)) == hash(Child("a"))  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Child("a", 1.0)  # type: ignore[call-arg]


@BOTH
def test_nothing_can_be_changed(decorate: Decorator) -> None:
    value = classes(decorate)[0]("a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.name = "b"
    with pytest.raises(dataclasses.FrozenInstanceError):
        del value.name
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.other = "b"


@BOTH
def test_the_standard_librarys_functions_take_them(decorate: Decorator) -> None:
    base, child, own, _ = classes(decorate)
    assert dataclasses.replace(child("a"), size=5) == child("a", 5)
    assert dataclasses.asdict(base("a")) == {"name": "a", "size": 3, "tags": {}}
    assert repr(child("a")).endswith(".Child(name='a', size=3, tags={}, more=())")
    assert repr(own("a")) == "mine"
