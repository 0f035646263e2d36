"""What the command line prints: tables, JSON, messages. Text from instruments and files is inert."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def inert(text: object) -> str:
    """`text` without control and bidirectional characters, which a terminal would obey."""
    return "".join(
        c if unicodedata.category(c) not in {"Cc", "Cf", "Cs"} else "\N{REPLACEMENT CHARACTER}"
        for c in str(text)
    )


def table(rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str) -> None:
    """Print `rows`, all with the same keys, as a table or as one JSON array."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        say(empty)
        return
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for at, name in enumerate(rows[0]):
        shown.add_column(name, no_wrap=at == 0, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(inert("" if value is None else value)) for value in row.values()))
    Console().print(shown)


def print_json(value: Any) -> None:  # noqa: ANN401  (whatever json can write)
    """One JSON value on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """One line (or more) for a person, on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """One line for a person, on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
