"""Read YAML with line numbers. Report all errors at once, each with its line, and show no secret."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Protocol, cast

import yaml

from aerodrome.errors import InvalidInput
from aerodrome.secrets import Reference

SHOWN = 100  # characters of a value shown in a message
DEEPEST = 100  # levels of YAML; hosts.yaml has five
_MAYBE_DEEP = re.compile(r"^ {50}|(?:[-?:] +){50}", re.MULTILINE)
KeyPath = tuple[str | int, ...]  # the keys that lead to a value; a number is an index in a list

TEXT, NUMBER, FLAG, EMPTY = "text", "a whole number", "a boolean", "empty"
LIST, MAPPING, REFERENCE = "a list", "a mapping", "a reference"
_TYPES = {
    "tag:yaml.org,2002:str": TEXT,
    "tag:yaml.org,2002:int": NUMBER,
    "tag:yaml.org,2002:float": "a decimal number",
    "tag:yaml.org,2002:bool": FLAG,
    "tag:yaml.org,2002:null": EMPTY,
    "tag:yaml.org,2002:timestamp": "a date",
}
PRINTABLE = r"[^\x00-\x1f\x7f\ud800-\udfff]+"
_REFERENCES = {
    "env": ("!env NAME", r"[A-Za-z_][A-Za-z0-9_]*"),
    "file": ("!file PATH", PRINTABLE),
    "command": ('!command "program argument …"', PRINTABLE),
    "prompt": ("!prompt", r".*"),
}


class Mistake(Exception):
    """One value is invalid: what is wrong, and what would be right."""


class Kind(Protocol):
    """The permitted values of a key: `right` describes them, `read` returns the value or raises Mistake."""

    @property
    def right(self) -> str: ...

    def read(self, reader: Reader, node: yaml.Node, path: KeyPath) -> Any: ...


class Reader:
    """Read one YAML text and collect its errors.

    `source` is the file's name in messages, `base` the directory of relative paths. `resolve` looks up a
    reference whose value is needed at once. An invalid value is read as None.
    """

    def __init__(self, source: str, base: str, resolve: Callable[[Reference], str]) -> None:
        self.source = source
        self.base = base
        self.resolve = resolve
        self._lines: dict[KeyPath, int] = {(): 1}
        self._problems: list[tuple[int, str]] = []

    def problems(self) -> list[str]:
        """Return the errors in the order of their lines."""
        return [text for _, text in sorted(self._problems, key=lambda problem: problem[0])]

    def mistake(self, path: KeyPath, message: str) -> None:
        """Record that the value at `path` is invalid."""
        self._problems.append((self._line(path), f"{self.where(path)}: {message}"))

    def where(self, path: KeyPath) -> str:
        """Return `file:line: key.path`."""
        return ": ".join([f"{self.source}:{self._line(path)}", *filter(None, [dotted(path)])])

    def _line(self, path: KeyPath) -> int:
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def document(self, kind: Kind, text: str) -> Any:
        """Return the whole text as read by `kind`."""
        try:
            node = _compose(text)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._lines[()] = mark.line + 1 if mark else 1
            problem = " ".join(filter(None, [error.context, error.problem]))
            problem = re.sub(r"'[\w!-]{2,}'", "…", problem)  # an alias or a tag: may be a password
            self.mistake((), f"invalid YAML: {problem}; indent with spaces, and quote special characters")
        except yaml.reader.ReaderError as error:
            self._lines[()] = text.count("\n", 0, error.position) + 1
            self.mistake((), "invalid YAML: contains a control character; only tabs and newlines are allowed")
        else:
            if node is not None:
                return self.read(kind, node, ())
            self.mistake((), f"the file is empty; expected {kind.right}")
        return None

    def read(self, kind: Kind, node: yaml.Node, path: KeyPath) -> Any:
        """Return `node` as read by `kind`, or None if it is invalid."""
        try:
            return kind.read(self, node, path)
        except Mistake as mistake:
            self.mistake(path, str(mistake))
        except InvalidInput as error:  # from resolve: already names file, line and key
            self._problems += [(self._line(path), problem) for problem in error.problems]
        return None

    def entries(self, node: yaml.Node, path: KeyPath, right: str) -> list[tuple[str, yaml.Node]]:
        """Return a mapping's keys and values; none for an empty section."""
        if type_of(node) == EMPTY:
            return []
        expect(node, MAPPING, right)
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise Mistake(f"has a key that is not text; expected {right}")
            here = (*path, key.value)
            first = self._line(here)
            self._lines[here] = key.start_mark.line + 1
            if key.value in found:
                self.mistake(here, f"set twice, first on line {first}; keep only one")
            found[key.value] = value
        return list(found.items())

    def items(self, node: yaml.Node, path: KeyPath, right: str) -> list[tuple[KeyPath, yaml.Node]]:
        """Return a list's values with their paths."""
        if type_of(node) == EMPTY:
            return []
        expect(node, LIST, right)
        for number, item in enumerate(node.value):
            self._lines[(*path, number)] = item.start_mark.line + 1
        return [((*path, number), item) for number, item in enumerate(node.value)]

    def scalar(self, node: yaml.Node, path: KeyPath, wanted: str, right: str) -> tuple[str, str]:
        """Return a single value as text, and how messages may show it; look up a reference."""
        reference = self.reference(node, path, prompt=False)
        if reference:
            return self.resolve(reference), f"the value from !{reference.kind}"
        expect(node, wanted, right)
        shown = shortened(node.value)
        return node.value, repr(shown) if wanted == TEXT else shown

    def reference(self, node: yaml.Node, path: KeyPath, prompt: bool) -> Reference | None:
        """Return `node` as a reference, or None; `prompt` allows !prompt."""
        if not node.tag.startswith("!"):
            return None
        kind: Any = node.tag[1:]
        known = [form for form, _ in _REFERENCES.values()][: None if prompt else -1]
        if kind not in _REFERENCES or not isinstance(node, yaml.ScalarNode):
            # The tag is not shown: a password may begin with !
            raise Mistake(f"starts with ! but is not a known tag; use {' or '.join(known)}, or quote the text")
        if kind == "prompt" and not prompt:
            raise Mistake(f"!prompt is only for secrets; use {' or '.join(known)}, or the value itself")
        form, pattern = _REFERENCES[kind]
        if not re.fullmatch(pattern, node.value) or (kind == "command" and not splits(node.value)):
            raise Mistake(f"!{kind} has no valid argument; use {form}")
        return Reference(kind, node.value or dotted(path), self.where(path), self.base)


def _compose(text: str) -> yaml.Node | None:
    """Return the tree of `text`: from libyaml, which is ten times as fast; on errors from PyYAML, for its messages."""
    if text.count("[") + text.count("{") > DEEPEST or _MAYBE_DEEP.search(text):
        _refuse_deep(text)
    with suppress(yaml.YAMLError, AttributeError):  # PyYAML can be built without libyaml
        return yaml.compose(text, Loader=yaml.CSafeLoader)
    return yaml.compose(text, Loader=yaml.SafeLoader)


def _refuse_deep(text: str) -> None:
    """Raise MarkedYAMLError for a text that is nested too deep, which would crash libyaml's composer."""
    depth, mark = 0, None
    with suppress(yaml.YAMLError):  # other errors are reported when it is composed
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                mark = event.start_mark
                break
    if mark:
        raise yaml.MarkedYAMLError(
            problem=f"nested more than {DEEPEST} levels deep", problem_mark=cast(yaml.Mark, mark)
        )


def splits(command: str) -> bool:
    """Tell whether a command line can be split into a program and its arguments."""
    try:
        return bool(shlex.split(command))
    except ValueError:
        return False


def dotted(path: KeyPath) -> str:
    """Return the path in dotted form, without list indexes."""
    return ".".join(shortened(key) for key in path if isinstance(key, str))


def shortened(text: str) -> str:
    """Return a text short enough for a message: somebody may have pasted a whole file as the value."""
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def type_of(node: yaml.Node) -> str:
    """Name the YAML type of `node`."""
    if node.tag.startswith("!"):
        return REFERENCE
    if isinstance(node, yaml.ScalarNode):
        return _TYPES.get(node.tag, "of an unknown YAML type")
    return LIST if isinstance(node, yaml.SequenceNode) else MAPPING


def expect(node: yaml.Node, wanted: str, right: str) -> None:
    """Raise Mistake unless `node` has the YAML type `wanted`; the value is not shown, as it may be a secret."""
    given = type_of(node)
    if given == wanted:
        return
    quotes = ""
    if isinstance(node, yaml.ScalarNode) and given not in (EMPTY, REFERENCE):
        quotes = {TEXT: ", in quotes", NUMBER: ", without quotes" if node.style else ""}.get(wanted, "")
    raise Mistake(f"is {given}, not {wanted}; expected {right}{quotes}")


def suggest(word: str, known: Iterable[str]) -> str:
    """Suggest the nearest of `known`, or list them, up to a limit."""
    names = list(known)
    close = difflib.get_close_matches(word, names, 1)
    shown = [*names[:25], *(["…"] if len(names) > 25 else [])]
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(shown) or 'none'}"
