"""Text from instruments, files and people, made safe to show: nothing in it is obeyed by a terminal."""

from __future__ import annotations

import unicodedata
from typing import Final

LONGEST: Final = 300
"""Characters; what is longer is cut, and says so."""

_OBEYED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARKS: Final = frozenset({"Mn", "Me"})
_MOST_MARKS: Final = 2  # one above another; more would run over the neighbouring lines
_PICTURES: Final = 0x2400  # ESC is shown as ␛, not left out: what was there stays visible


def plain(text: str) -> str:
    """`text` on one line, every character of it one that is only shown.

    Control characters become their pictures, other invisible ones (bidirectional controls, zero
    width, private, unassigned) a replacement character. Markup stays as it is: it is never parsed.
    """
    shown: list[str] = []
    marks = 0
    for character in unicodedata.normalize("NFC", text[: LONGEST + 1]):
        category = unicodedata.category(character)
        marks = marks + 1 if category in _MARKS else 0
        if character < " ":
            shown.append(chr(_PICTURES + ord(character)))
        elif category in _OBEYED:
            shown.append("\N{REPLACEMENT CHARACTER}")
        elif marks <= _MOST_MARKS:
            shown.append(character)
    return "".join(shown) if len(text) <= LONGEST else "".join(shown[:LONGEST]) + "…"
