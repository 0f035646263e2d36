"""A tree of mappings, lists and texts as a protocol file for people to read and edit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hilcycler.language.strict_yaml import Tree

_WIDEST: Final = 100
_PLAIN: Final = re.compile(
    r"[A-Za-z0-9$.+°(/](?:[^\x00-\x1f\x7f-\xa0#:,?\[\]{}]*[^\x00-\x20\x7f-\xa0#:,?\[\]{}])?|-[0-9.][A-Za-z0-9 /.%]*[A-Za-z0-9%]"
)


def tree_of(value: Any) -> Tree | None:  # noqa: ANN401  (whatever an experiment builds)
    """`value` as a file would hold it: texts for numbers and quantities; nothing for None and ()."""
    match value:
        case None:
            return None
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case Mapping():
            entries = {str(key): tree_of(entry) for key, entry in value.items()}
            return {key: entry for key, entry in entries.items() if entry is not None} or None
        case list() | tuple():
            return [entry for item in value if (entry := tree_of(item)) is not None] or None
        case _:
            return str(value)


def to_yaml(tree: Mapping[str, Tree]) -> str:
    """The text of a file that reads back as `tree`."""
    return "".join(f"{line}\n" for line in _mapping(tree, 0))


def inline(value: Tree) -> str:
    """`value` on one line."""
    return _inline(value, always=True) or ""


def _mapping(tree: Mapping[str, Tree], indent: int) -> Iterator[str]:
    for key, value in tree.items():
        yield from _entry(f"{' ' * indent}{_scalar(key)}:", value, indent)


def _entry(head: str, value: Tree, indent: int) -> Iterator[str]:
    inline = _inline(value)
    if inline is not None and (isinstance(value, str) or len(head) + 1 + len(inline) <= _WIDEST):
        yield f"{head} {inline}"
        return
    yield head
    if isinstance(value, list):
        for item in value:
            yield from _item(item, indent + 2)
    else:
        assert isinstance(value, dict)
        yield from _mapping(value, indent + 2)


def _item(item: Tree, indent: int) -> Iterator[str]:
    lead = " " * indent
    if not isinstance(item, dict) or not item:
        yield f"{lead}- {_inline(item, always=True)}"
        return
    first, *rest = _mapping(item, indent + 2)
    yield f"{lead}- {first.lstrip(' ')}"
    yield from rest


def _inline(value: Tree, *, always: bool = False) -> str | None:
    """`value` on one line, or None where it deserves more: steps, and lists of mappings."""
    match value:
        case str():
            return _scalar(value)
        case list():
            parts = [_inline(item, always=always) for item in value]
            if not always and any(isinstance(item, (dict, list)) for item in value):
                return None
            return f"[{', '.join(part for part in parts if part is not None)}]"
        case dict():
            if "steps" in value and not always:
                return None
            entries = [(_scalar(key), _inline(entry, always=always)) for key, entry in value.items()]
            if any(entry is None for _, entry in entries):
                return None
            return f"{{{', '.join(f'{key}: {entry}' for key, entry in entries)}}}"


def _scalar(text: str) -> str:
    return (
        str(text) if _PLAIN.fullmatch(text) and "\u2028" not in text else json.dumps(text, ensure_ascii=False)
    )
