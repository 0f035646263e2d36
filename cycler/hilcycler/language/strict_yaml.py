"""A strict reader of a small YAML: mappings, lists and text, each with its line.

It reads the parser's events and constructs nothing, so every scalar stays the text that somebody
wrote: `no` is not False, `1:30` is not 90, `1e-3` is left to the field that knows what it means.
What makes YAML surprising or dangerous in a file that sets currents is refused: anchors, aliases,
tags, merge keys, duplicate keys, several documents. Size, depth and number of nodes are bounded
while reading, not afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import yaml
from yaml import events

from hilcycler.language.faults import Fault, FileError, Where, shown

MOST_BYTES: Final = 64 * 1024
MOST_NODES: Final = 10_000
DEEPEST: Final = 32
_LONGEST_KEY: Final = 64

Tree: TypeAlias = "str | dict[str, Tree] | list[Tree]"
"""What a file holds; where it was read from one, every text is a Text."""


class Text(str):
    """A scalar as written, which knows where. Keys of mappings are Text, too."""

    __slots__ = ("where",)
    where: Where

    def __new__(cls, text: str, where: Where) -> Text:  # noqa: PYI034  (str is not subclassed further)
        made = super().__new__(cls, text)
        made.where = where
        return made


def read(text: str, file: str) -> dict[str, Tree]:
    """The mapping that `text` holds; FileError naming `file`, line and key for anything else."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MOST_BYTES:
        raise FileError(
            file, [Fault(Where(), f"is {size} bytes; a protocol file has at most {MOST_BYTES} bytes")]
        )
    return _Reader(text, file).document()


def place(tree: Tree, path: tuple[str | int, ...]) -> Where:
    """Where the deepest existing part of `path` stands in `tree`."""
    where, key = Where(), ""
    node: Any = tree
    for part in path:
        match node:
            case dict() if part in node:
                key = f"{key}.{part}" if key else str(part)
                where = Where(next(_line(k) for k in node if k == part), key)
                node = node[str(part)]
            case list() if isinstance(part, int) and part < len(node):
                key = f"{key}[{part + 1}]"
                node = node[part]
                where = Where(_line(node) or where.line, key)
            case dict() if isinstance(part, int):
                continue  # one thing, where a list of such may stand
            case _:
                return where
    return where


def _line(node: Tree) -> int:
    """The line on which a node begins; 0 if nobody wrote it into a file."""
    match node:
        case Text():
            return node.where.line
        case dict():
            return next((_line(key) for key in node), 0)
        case list():
            return next((_line(item) for item in node), 0)
        case _:
            return 0


class _Reader:
    """One pass over the events of one file. Faults that leave the structure clear are collected."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._faults: list[Fault] = []
        self._nodes = 0
        self._events = _events(text, file)

    def document(self) -> dict[str, Tree]:
        next(self._events)
        start = next(self._events)
        if isinstance(start, events.StreamEndEvent):
            raise FileError(self._file, [Fault(Where(), "is empty; expected a protocol")])
        if start.version or start.tags:
            raise FileError(self._file, [Fault(Where(1), "YAML directives (%) are not allowed")])
        root = next(self._events)
        if not isinstance(root, events.MappingStartEvent):
            found = "a list" if isinstance(root, events.SequenceStartEvent) else "plain text"
            raise FileError(
                self._file,
                [
                    Fault(
                        Where(_at(root)),
                        f"expected keys with values, such as 'protocol: name'; found {found}",
                    )
                ],
            )
        self._refuse_extras(root, "")
        tree = self._mapping("", 1)
        next(self._events)
        after = next(self._events)
        if not isinstance(after, events.StreamEndEvent):
            self._fault(_at(after), "", "a second document ('---') begins; expected one")
        if self._faults:
            raise FileError(self._file, self._faults)
        return tree

    def _node(self, event: events.Event, key: str, depth: int) -> Tree:
        self._count(event, depth)
        self._refuse_extras(event, key)
        match event:
            case events.ScalarEvent():
                return Text(event.value, Where(_at(event), key))
            case events.MappingStartEvent():
                return self._mapping(key, depth + 1)
            case events.SequenceStartEvent():
                return self._list(key, depth + 1)
            case _:  # an alias: refused above, and nothing to keep
                return Text("", Where(_at(event), key))

    def _list(self, key: str, depth: int) -> list[Tree]:
        items: list[Tree] = []
        while not isinstance(event := next(self._events), events.SequenceEndEvent):
            items.append(self._node(event, f"{key}[{len(items) + 1}]", depth))
        return items

    def _mapping(self, key: str, depth: int) -> dict[str, Tree]:
        entries: dict[str, Tree] = {}
        while not isinstance(event := next(self._events), events.MappingEndEvent):
            self._count(event, depth)
            if not isinstance(event, events.ScalarEvent):
                kind = "an alias" if isinstance(event, events.AliasEvent) else "a list or mapping"
                raise FileError(
                    self._file, [Fault(Where(_at(event), key), f"{kind} cannot be a key; expected a word")]
                )
            if len(event.value) > _LONGEST_KEY:
                raise FileError(
                    self._file, [Fault(Where(_at(event), key), f"{shown(event.value)} is too long for a key")]
                )
            name = f"{key}.{event.value}" if key else event.value
            self._refuse_extras(event, name)
            if event.value == "<<":
                self._fault(_at(event), key, "merge keys ('<<') are not allowed; write the keys out")
            elif event.value in entries:
                since = _line(next(known for known in entries if known == event.value))
                self._fault(_at(event), name, f"is given twice (first on line {since}); expected once")
            word = Text(event.value, Where(_at(event), name))
            value = self._node(next(self._events), name, depth)
            entries.setdefault(word, value)
        return entries

    def _count(self, event: events.Event, depth: int) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise FileError(
                self._file, [Fault(Where(_at(event)), f"more than {MOST_NODES} values; use repeat")]
            )
        if depth > DEEPEST:
            raise FileError(self._file, [Fault(Where(_at(event)), f"nested more than {DEEPEST} deep")])

    def _refuse_extras(self, event: events.Event, key: str) -> None:
        if isinstance(event, events.AliasEvent):
            self._fault(_at(event), key, f"aliases (*{event.anchor}) are not allowed; write the value out")
        elif (anchor := getattr(event, "anchor", None)) is not None:
            self._fault(
                _at(event), key, f"anchors (&{anchor}) are not allowed; write values where they stand"
            )
        if (tag := getattr(event, "tag", None)) is not None:
            self._fault(_at(event), key, f"tags ({shown(tag)}) are not allowed; every value is plain text")

    def _fault(self, line: int, key: str, message: str) -> None:
        self._faults.append(Fault(Where(line, key), message))


def _at(event: events.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _events(text: str, file: str) -> Iterator[Any]:
    """The parser's events; whatever it raises becomes one FileError."""
    try:
        yield from yaml.parse(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        parts = [part for part in (error.context, error.problem) if part]
        raise FileError(file, [Fault(Where(line), "not readable as YAML: " + ", ".join(parts))]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        message = f"not readable as YAML: character {error.character:#x} is not allowed"
        raise FileError(file, [Fault(Where(line), message)]) from None
    except (ValueError, OverflowError):  # escapes of impossible characters: "\UFFFFFFFF"
        raise FileError(file, [Fault(Where(), "not readable as YAML: an escape is no character")]) from None
