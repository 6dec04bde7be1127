"""Read YAML by line numbers: report every mistake at once, each with its line, and show no secret."""

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

SHOWN = 100  # characters of a value in a message
DEEPEST = 100  # levels of YAML; hosts.yaml has five
_MAYBE_DEEP = re.compile(r"^ {50}|(?:[-?:] +){50}", re.MULTILINE)
KeyPath = tuple[str | int, ...]  # the keys that lead to a value; a number is a place in a list

TEXT, NUMBER, FLAG, EMPTY = "text", "a whole number", "a yes or no", "empty"
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
    """Say what is wrong with one value; what would be right."""


class Kind(Protocol):
    """What a key may hold: `right` says it to people, `read` makes the value or raises Mistake."""

    @property
    def right(self) -> str: ...

    def read(self, reader: Reader, node: yaml.Node, path: KeyPath) -> Any: ...


class Reader:
    """Read one YAML text, and gather its mistakes.

    `source` is the file's name in messages, `base` the folder that relative paths begin at. `resolve` looks
    up a reference whose value is needed at once. A value that is wrong is read as None.
    """

    def __init__(self, source: str, base: str, resolve: Callable[[Reference], str]) -> None:
        self.source = source
        self.base = base
        self.resolve = resolve
        self._lines: dict[KeyPath, int] = {(): 1}
        self._problems: list[tuple[int, str]] = []

    def problems(self) -> list[str]:
        """Return the mistakes in the order of their lines."""
        return [text for _, text in sorted(self._problems, key=lambda problem: problem[0])]

    def mistake(self, path: KeyPath, message: str) -> None:
        """Note that what is at `path` is wrong."""
        self._problems.append((self._line(path), f"{self.where(path)}: {message}"))

    def where(self, path: KeyPath) -> str:
        """Return `file:line: key.path`."""
        return ": ".join([f"{self.source}:{self._line(path)}", *filter(None, [dotted(path)])])

    def _line(self, path: KeyPath) -> int:
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def document(self, kind: Kind, text: str) -> Any:
        """Return what `kind` makes of the whole text."""
        try:
            node = _compose(text)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._lines[()] = mark.line + 1 if mark else 1
            problem = " ".join(filter(None, [error.context, error.problem]))
            problem = re.sub(r"'[\w!-]{2,}'", "…", problem)  # an alias or a tag: may be a password
            self.mistake((), f"not YAML: {problem}; indent by spaces, and put special characters in quotes")
        except yaml.reader.ReaderError as error:
            self._lines[()] = text.count("\n", 0, error.position) + 1
            self.mistake((), "not YAML: holds a control character; only tab and newline can be in a value")
        else:
            if node is not None:
                return self.read(kind, node, ())
            self.mistake((), f"the file is empty; give {kind.right}")
        return None

    def read(self, kind: Kind, node: yaml.Node, path: KeyPath) -> Any:
        """Return what `kind` makes of `node`, or None when it is wrong."""
        try:
            return kind.read(self, node, path)
        except Mistake as mistake:
            self.mistake(path, str(mistake))
        except InvalidInput as error:  # from resolve: it names file, line and key already
            self._problems += [(self._line(path), problem) for problem in error.problems]
        return None

    def entries(self, node: yaml.Node, path: KeyPath, right: str) -> list[tuple[str, yaml.Node]]:
        """Return a mapping's keys and values; an empty section has none."""
        if type_of(node) == EMPTY:
            return []
        expect(node, MAPPING, right)
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise Mistake(f"has a key that is not text; give {right}")
            here = (*path, key.value)
            first = self._line(here)
            self._lines[here] = key.start_mark.line + 1
            if key.value in found:
                self.mistake(here, f"given twice, first on line {first}; keep one of them")
            found[key.value] = value
        return list(found.items())

    def items(self, node: yaml.Node, path: KeyPath, right: str) -> list[tuple[KeyPath, yaml.Node]]:
        """Return a list's values, each with its path."""
        if type_of(node) == EMPTY:
            return []
        expect(node, LIST, right)
        for number, item in enumerate(node.value):
            self._lines[(*path, number)] = item.start_mark.line + 1
        return [((*path, number), item) for number, item in enumerate(node.value)]

    def scalar(self, node: yaml.Node, path: KeyPath, wanted: str, right: str) -> tuple[str, str]:
        """Return a single value as text, and how a message may show it; look up a reference."""
        reference = self.reference(node, path, prompt=False)
        if reference:
            return self.resolve(reference), f"what !{reference.kind} gives"
        expect(node, wanted, right)
        shown = shortened(node.value)
        return node.value, repr(shown) if wanted == TEXT else shown

    def reference(self, node: yaml.Node, path: KeyPath, prompt: bool) -> Reference | None:
        """Return the reference that `node` is, or None; `prompt` says whether a person may be asked."""
        if not node.tag.startswith("!"):
            return None
        kind: Any = node.tag[1:]
        known = [form for form, _ in _REFERENCES.values()][: None if prompt else -1]
        if kind not in _REFERENCES or not isinstance(node, yaml.ScalarNode):
            # The tag is not shown: a password may begin with !
            raise Mistake(f"begins with ! and is no known tag; give {' or '.join(known)}, or text in quotes")
        if kind == "prompt" and not prompt:
            raise Mistake(f"!prompt is for secrets; give {' or '.join(known)}, or the value itself")
        form, pattern = _REFERENCES[kind]
        if not re.fullmatch(pattern, node.value) or (kind == "command" and not splits(node.value)):
            raise Mistake(f"!{kind} names nothing that can be looked up; give {form}")
        return Reference(kind, node.value or dotted(path), self.where(path), self.base)


def _compose(text: str) -> yaml.Node | None:
    """Return the tree of `text`: by libyaml, ten times as fast; what it refuses by PyYAML, for its words."""
    if text.count("[") + text.count("{") > DEEPEST or _MAYBE_DEEP.search(text):
        _refuse_deep(text)
    with suppress(yaml.YAMLError, AttributeError):  # PyYAML can be built without libyaml
        return yaml.compose(text, Loader=yaml.CSafeLoader)
    return yaml.compose(text, Loader=yaml.SafeLoader)


def _refuse_deep(text: str) -> None:
    """Raise MarkedYAMLError for a text that is nested too deep: libyaml's composer would end the process by it."""
    depth, mark = 0, None
    with suppress(yaml.YAMLError):  # what else is wrong is said by whoever composes it
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                mark = event.start_mark
                break
    if mark:
        raise yaml.MarkedYAMLError(problem=f"more than {DEEPEST} levels", problem_mark=cast(yaml.Mark, mark))


def splits(command: str) -> bool:
    """Tell whether a command line can be split into a program and its arguments."""
    try:
        return bool(shlex.split(command))
    except ValueError:
        return False


def dotted(path: KeyPath) -> str:
    """Return the path as people write it, without places in lists."""
    return ".".join(shortened(key) for key in path if isinstance(key, str))


def shortened(text: str) -> str:
    """Return a text as a message may show it: a value can be a whole file that was pasted in the wrong place."""
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def type_of(node: yaml.Node) -> str:
    """Name what YAML takes `node` for."""
    if node.tag.startswith("!"):
        return REFERENCE
    if isinstance(node, yaml.ScalarNode):
        return _TYPES.get(node.tag, "of an unknown YAML type")
    return LIST if isinstance(node, yaml.SequenceNode) else MAPPING


def expect(node: yaml.Node, wanted: str, right: str) -> None:
    """Raise Mistake unless YAML takes `node` for `wanted`; the value may be a secret, and is not shown."""
    given = type_of(node)
    if given == wanted:
        return
    quotes = ""
    if isinstance(node, yaml.ScalarNode) and given not in (EMPTY, REFERENCE):
        quotes = {TEXT: ", in quotes", NUMBER: ", without quotes" if node.style else ""}.get(wanted, "")
    raise Mistake(f"is {given}, not {wanted}; give {right}{quotes}")


def suggest(word: str, known: Iterable[str]) -> str:
    """Say which of `known` was meant, or all of them; of many, the first."""
    names = list(known)
    close = difflib.get_close_matches(word, names, 1)
    shown = [*names[:25], *(["…"] if len(names) > 25 else [])]
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(shown) or 'none'}"
