"""Where a key stands in a TOML text: tomllib gives values, and people look for lines."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any, Final

from hilcycler.language.faults import Where

_HEADER: Final = re.compile(r"\s*\[{1,2}([^\[\]]+)\]{1,2}\s*(#.*)?")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_\-.\"' ]+?)\s*=")


def place(text: str, path: tuple[str, ...]) -> Where:
    """Line and name of the deepest part of `path` that is written; line 0 if none is.

    For messages only: inside a text over several lines, something that looks like a key may deceive it.
    """
    best, line = 0, 0
    table: tuple[str, ...] = ()
    for number, written in enumerate(text.splitlines(), start=1):
        if header := _HEADER.fullmatch(written):
            table = here = _keys(f"[{header[1]}]")
        elif key := _KEY.match(written):
            here = (*table, *_keys(f"{key[1]} = 0"))
        else:
            continue
        depth = len(here)
        if best < depth <= len(path) and here == path[:depth]:
            best, line = depth, number
    return Where(line, ".".join(path))


def _keys(line: str) -> tuple[str, ...]:
    """The keys of one line, quotes and dots understood as TOML understands them."""
    try:
        node: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    keys = []
    while isinstance(node, Mapping) and node:
        key, node = next(iter(node.items()))
        keys.append(key)
    return tuple(keys)
