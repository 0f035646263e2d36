"""SCPI as instruments read it: headers in short and long form, chains, quotes, numbers. Pure.

Written from the grammar of IEEE 488.2 and SCPI-99 (volume 1, chapters 6 and 7): a program message is
program message units joined by `;`; a header is nodes joined by `:`; each node may be sent in its
long form or in its short form (the capitals), in any case; nodes in brackets may be left out; a
header without a leading colon continues at the level of the one before it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from hilcycler.errors import WireError

LONGEST = 4096
"""Bytes of one message: far beyond what either side has to say, and a bound on memory."""

OVERFLOW = 9.9e37
"""The reading that means over range (SCPI-99, 7.2.1.4); NaN is sent as 9.91e37."""
NOT_A_NUMBER = 9.91e37

_TOKEN = re.compile(r"\[|\]|:|\*?[A-Za-z]+\??")


@dataclass(frozen=True)
class Header:
    """One command as manuals write it: `[:SOURce]:CURRent:RANGe[:AUTO]`, `*IDN`."""

    pattern: str

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        expression, need_colon = "", False
        for token in _TOKEN.findall(self.pattern):
            match token:
                case "[":
                    expression += "(?:"
                case "]":
                    expression += ")?"
                case ":":
                    need_colon = True
                case node:
                    short = "".join(c for c in node if not c.islower())
                    forms = (
                        re.escape(short)
                        if short == node
                        else f"(?:{re.escape(node.upper())}|{re.escape(short)})"
                    )
                    expression += (
                        (":" if need_colon else ":?") + forms + ("1?" if not node.startswith("*") else "")
                    )
                    need_colon = False
        return re.compile(expression)

    def matches(self, header: str) -> bool:
        """Whether `header`, upper case and without `?`, is this command."""
        absolute = header if header.startswith((":", "*")) else ":" + header
        return self._regex.fullmatch(absolute) is not None

    @cached_property
    def text(self) -> str:
        """What the host sends: short forms, optional nodes left out."""
        plain = re.sub(r"\[[^\[\]]*\]", "", self.pattern)
        if plain.startswith("*"):
            return plain
        nodes = [node for node in plain.split(":") if node]
        return "".join(":" + "".join(c for c in node if not c.islower()) for node in nodes)


@dataclass(frozen=True, slots=True)
class Unit:
    """One program message unit: header (upper case, absolute), whether it asks, its arguments."""

    header: str
    query: bool
    arguments: tuple[str, ...] = field(default=())

    def number(self, at: int = 0) -> float:
        """Argument `at` as a number; booleans count. WireError if it is none."""
        try:
            text = self.arguments[at].strip().upper()
        except IndexError:
            raise WireError(f"{self.header}: missing parameter") from None
        named = {"ON": 1.0, "OFF": 0.0, "INF": OVERFLOW, "INFINITY": OVERFLOW, "NAN": NOT_A_NUMBER}
        if text in named:
            return named[text]
        try:
            value = float(text)
        except ValueError:
            raise WireError(f"{self.header}: {text!r} is not a number") from None
        if not math.isfinite(value):
            raise WireError(f"{self.header}: {text!r} is not a number")
        return value

    def word(self, at: int = 0) -> str:
        """Argument `at` as a word: quotes removed, upper case."""
        try:
            return self.arguments[at].strip().strip("\"'").upper()
        except IndexError:
            raise WireError(f"{self.header}: missing parameter") from None


def units(line: str) -> Iterator[Unit]:
    """The units of one program message, relative headers made absolute. WireError for none of them."""
    path = ""
    for text in split_outside_quotes(line, ";"):
        stripped = text.strip()
        if not stripped:
            continue
        head, _, rest = stripped.partition(" ")
        query = head.endswith("?")
        header = head.rstrip("?").upper()
        if header.startswith(":*"):
            header = header[1:]  # not in the grammar, but instruments take it and clients send it
        if not re.fullmatch(r"[:*]?[A-Z][A-Z0-9_]*(?::[A-Z][A-Z0-9_]*)*", header):
            raise WireError(f"undefined header {head!r}")
        if not header.startswith((":", "*")):
            header = f"{path}:{header}"
        if not header.startswith("*"):
            path = header.rpartition(":")[0]
        arguments = tuple(each.strip() for each in split_outside_quotes(rest, ",")) if rest.strip() else ()
        yield Unit(header, query, arguments)


def split_outside_quotes(text: str, separator: str) -> list[str]:
    """`text` split at `separator`, but not within single or double quotes. WireError if one stays open."""
    parts, quote, start = [], "", 0
    for at, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character == separator:
            parts.append(text[start:at])
            start = at + 1
    if quote:
        raise WireError(f"a quote stays open in {text[:60]!r}")
    return [*parts, text[start:]]


def number(value: float) -> str:
    """`value` as instruments print it: `1.234567E-03`; over range and NaN by their SCPI numbers."""
    if math.isnan(value):
        return f"{NOT_A_NUMBER:.6E}"
    if math.isinf(value):
        return f"{math.copysign(OVERFLOW, value):.6E}"
    return f"{value:.6E}"


def reading(text: str) -> float:
    """A number from a reply; over range is infinite, not-a-number is NaN. WireError for anything else."""
    try:
        value = float(text)
    except ValueError:
        raise WireError(f"{text[:40]!r} is not a reading") from None
    if abs(value) >= NOT_A_NUMBER:
        return math.nan
    return math.copysign(math.inf, value) if abs(value) >= OVERFLOW else value


class Lines:
    """Incremental splitter for either end: bytes at any chunking in, lines out, bounded."""

    def __init__(self, limit: int = LONGEST) -> None:
        self._buffer = bytearray()
        self._limit = limit

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes, without LF or CR LF. WireError if one grows too long or is not text."""
        self._buffer += data
        *whole, rest = bytes(self._buffer).split(b"\n")
        self._buffer = bytearray(rest)
        if len(rest) > self._limit or any(len(each) > self._limit for each in whole):
            self._buffer.clear()
            raise WireError(f"more than {self._limit} bytes without a line end")
        lines = []
        for each in whole:
            try:
                lines.append(each.decode("ascii").rstrip("\r"))
            except UnicodeDecodeError:
                raise WireError(f"{each[:40]!r} is not text") from None
        return lines

    def clear(self) -> None:
        """Forget an unfinished line."""
        self._buffer.clear()
