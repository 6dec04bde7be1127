"""The shapes of values in hosts.yaml: tables, lists, numbers, texts."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

import yaml

from aerodrome.dataclass import dataclass
from aerodrome.fleet.reader import (
    EMPTY,
    FLAG,
    MAPPING,
    NUMBER,
    PRINTABLE,
    TEXT,
    KeyPath,
    Kind,
    Mistake,
    Reader,
    expect,
    splits,
    suggest,
    type_of,
)
from aerodrome.secrets import Reference, Secret, Value, check_text


@dataclass(frozen=True)
class Table:
    """A mapping of known keys."""

    right: str
    fields: Mapping[str, Kind]
    required: tuple[str, ...] = ()

    def read(self, reader: Reader, node: yaml.Node, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in reader.entries(node, path, self.right):
            here = (*path, name)
            if name in self.fields:
                found[name] = reader.read(self.fields[name], value, here)
            else:
                reader.mistake(here, f"unknown key; {suggest(name, self.fields)}")
        for name in self.required:
            if name not in found:
                reader.mistake(path, f"{name} is missing; expected {self.fields[name].right}")
        return found


@dataclass(frozen=True)
class Map:
    """A mapping whose keys are the operator's own names."""

    right: str
    name: Text
    item: Kind

    def read(self, reader: Reader, node: yaml.Node, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in reader.entries(node, path, self.right):
            here = (*path, name)
            if not self.name.fits(name):
                reader.mistake(here, f"the name is not valid; expected {self.name.right}")
            found[name] = reader.read(self.item, value, here)
        return found


@dataclass(frozen=True)
class Either:
    """A value with a short form, and a table for more detail."""

    short: Kind
    table: Table

    @property
    def right(self) -> str:
        return f"{self.short.right}, or {self.table.right}"

    def read(self, reader: Reader, node: yaml.Node, path: KeyPath) -> Any:
        return (self.table if type_of(node) == MAPPING else self.short).read(reader, node, path)


@dataclass(frozen=True)
class List:
    """A list of items of one kind, without duplicates."""

    right: str
    item: Kind

    def read(self, reader: Reader, node: yaml.Node, path: KeyPath) -> tuple[Any, ...]:
        found: list[Any] = []
        for here, item in reader.items(node, path, self.right):
            value = reader.read(self.item, item, here)
            if value is not None and value in found:
                reader.mistake(here, f"{value}is listed twice; keep only one")
            found.append(value)
        return tuple(found)


@dataclass(frozen=True)
class Text:
    """One line of text that fully matches a pattern."""

    right: str
    pattern: str

    def fits(self, text: str) -> bool:
        """Tell whether `text` is valid."""
        return re.fullmatch(self.pattern, text) is not None

    def read(self, reader: Reader, node: yaml.Node, path: KeyPath) -> str:
        text, shown = reader.scalar(node, path, TEXT, self.right)
        if not self.fits(text):
            raise Mistake(f"{shown} is not valid; expected {self.right}")
        return text


@dataclass(frozen=True)
class LocalPath(Text):
    """A path on this machine, relative to the directory of the file."""

    pattern: str = PRINTABLE

    def read(self, reader: Reader, node: yaml.Node, path: KeyPath) -> str:
        text = super().read(reader, node, path)
        return text if text.startswith("~") else posixpath.join(reader.base, text)


@dataclass(frozen=True)
class CommandLine(Text):
    """A program and its arguments, quoted as in a shell."""

    pattern: str = PRINTABLE

    def fits(self, text: str) -> bool:
        """Tell whether `text` is valid."""
        return super().fits(text) and splits(text)


@dataclass(frozen=True)
class Choice:
    """One of a few words; unquoted `off` is a boolean in YAML, but counts as a word here."""

    words: tuple[str, ...]

    @property
    def right(self) -> str:
        return " or ".join(self.words)

    def read(self, reader: Reader, node: yaml.Node, path: KeyPath) -> str:
        if type_of(node) == FLAG and node.value in self.words:
            return str(node.value)
        text, shown = reader.scalar(node, path, TEXT, self.right)
        if text not in self.words:
            raise Mistake(f"{shown} is not valid; expected {self.right}")
        return text


@dataclass(frozen=True)
class Number:
    """A whole number in a range, in plain decimal digits (YAML reads 010 as 8 and 1:30 as 90)."""

    low: int
    high: int
    why: str = ""

    @property
    def right(self) -> str:
        return f"a number from {self.low} to {self.high}{self.why}"

    def read(self, reader: Reader, node: yaml.Node, path: KeyPath) -> int:
        text, shown = reader.scalar(node, path, NUMBER, self.right)
        if not re.fullmatch(r"0|[1-9][0-9]{0,8}", text) or not self.low <= int(text) <= self.high:
            raise Mistake(f"{shown} is not valid; expected {self.right}")
        return int(text)


@dataclass(frozen=True)
class Flag:
    """Yes or no."""

    right: str = "true or false"

    def read(self, reader: Reader, node: yaml.Node, path: KeyPath) -> bool:
        text, shown = reader.scalar(node, path, FLAG, self.right)
        if text.lower() not in ("true", "yes", "on", "false", "no", "off"):
            raise Mistake(f"{shown} is not valid; expected {self.right}")
        return text.lower() in ("true", "yes", "on")


@dataclass(frozen=True)
class AnyText:
    """Any text, number or boolean, as Airflow reads it from its environment, or a reference to one."""

    right: str = 'text, a number, true or false, !env NAME, !file PATH or !command "program argument …"'

    def read(self, reader: Reader, node: yaml.Node, path: KeyPath) -> Value:
        reference = reader.reference(node, path, prompt=False)
        if reference:
            return reference
        if not isinstance(node, yaml.ScalarNode) or type_of(node) == EMPTY:
            raise Mistake(f"is {type_of(node)}; expected {self.right} (write '' for empty text)")
        text: str = node.value  # numbers and dates as written, not as YAML interprets them
        if type_of(node) == FLAG:
            if text.lower() not in ("true", "false"):
                raise Mistake(f"YAML reads {text} as a boolean; write true or false, or quote the text")
            text = text.capitalize()
        return _checked(text)


@dataclass(frozen=True)
class SecretText:
    """Text that is never shown, or a reference to it."""

    right: str
    pattern: str = r"(?s).+"

    def read(self, reader: Reader, node: yaml.Node, path: KeyPath) -> Secret | Reference:
        reference = reader.reference(node, path, prompt=True)
        if reference:
            return reference
        expect(node, TEXT, self.right)
        if not re.fullmatch(self.pattern, node.value):
            raise Mistake(f"is not valid; expected {self.right}")
        return Secret(_checked(node.value))


def _checked(text: str) -> str:
    try:
        check_text(text)
    except ValueError as error:
        raise Mistake(str(error)) from None
    return text
