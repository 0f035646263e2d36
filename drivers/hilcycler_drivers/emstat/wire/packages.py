"""Data packages as columns: `Pda7F85F3Fu;ba48D503Dp,10,288` and back, thousands at a time.

    package  = "P" variable *( ";" variable ) LF
    variable = vartype value *( "," metadata )
    value    = 7 hex digits, SI prefix | 5 spaces "nan"
    metadata = "1" hex (status) | "2" 2hex (range) | "4" hex (noise, dropped)

A value is a 28-bit integer, offset by 0x8000000, times its prefix; the instrument picks the finest
prefix that fits (+-134 217 727), `i` marks an integer. Lines of equal length and equal field layout
become one matrix of bytes, decoded by table look-up; nothing here loops over well-formed packages.
Grammar: published sources of PalmSens (mscript.py, mscript.h).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]

OFFSET: Final = 0x8000000
LARGEST: Final = 0x7FFFFFF
PREFIXES: Final = "afpnum kMGTPE"
_ROWS_AT_ONCE: Final = 4096  # keeps the work inside the processor's cache

_VARIABLE: Final = re.compile(
    rb"([a-z]{2})([0-9A-Fa-f]{7}[afpnum kMGTPEi]|     nan)((?:,(?:1[0-9A-Fa-f]|2[0-9A-Fa-f]{2}|4[0-9A-Fa-f]))*)"
)

_BAD: Final = 255
_HEX: Final = np.full(256, _BAD, np.uint8)
for _digits in (b"0123456789ABCDEF", b"0123456789abcdef"):
    _HEX[np.frombuffer(_digits, np.uint8)] = np.arange(16, dtype=np.uint8)
_DIGITS: Final = np.frombuffer(b"0123456789ABCDEF", np.uint8)

# Multiplying by 1e-3 rounds twice where dividing by 1e3 rounds once: 4200 mV must be 4.2 exactly.
_EXPONENTS: Final = range(-18, 19, 3)
_MULTIPLY: Final = np.full(256, np.nan)
_DIVIDE: Final = np.ones(256)
for _prefix, _exponent in zip(PREFIXES.encode(), _EXPONENTS, strict=True):
    _MULTIPLY[_prefix] = 10.0 ** max(_exponent, 0)
    _DIVIDE[_prefix] = 10.0 ** max(-_exponent, 0)
_MULTIPLY[ord("i")] = 1.0
_NAN: Final = np.frombuffer(b"     nan", np.uint8)


def prefix_factor(prefix: str) -> tuple[float, float]:
    """(multiplier, divisor) of one SI prefix; one of the two is 1."""
    return float(_MULTIPLY[ord(prefix)]), float(_DIVIDE[ord(prefix)])


def quantise(values: Floats) -> Floats:
    """What `values` are after they have been on the wire: NaN where they do not fit."""
    integers, prefixes = _integers(np.asarray(values, np.float64))
    result: Floats = integers * _MULTIPLY[prefixes] / _DIVIDE[prefixes]
    return result


def _integers(values: Floats) -> tuple[Floats, Bytes]:
    """28-bit integer and prefix byte of each value; prefix 0 for what cannot be written (NaN, inf)."""
    finest = np.searchsorted(_TOO_LARGE, np.abs(values), side="right")
    with np.errstate(over="ignore", invalid="ignore"):
        integers = np.rint(values * _UP[finest] / _DOWN[finest]) + 0.0  # no negative zero
    prefixes = np.where(integers == 0.0, np.uint8(ord(" ")), _PREFIX_BYTES[finest])
    writable = finest < len(PREFIXES)
    integers = np.where(writable, np.clip(integers, -LARGEST, LARGEST), 0.0)
    return integers, np.where(writable, prefixes, np.uint8(0))


_TOO_LARGE: Final = np.array([(LARGEST + 0.5) * 10.0**e for e in _EXPONENTS])
# One entry more than there are prefixes, for what does not fit the largest.
_PREFIX_BYTES: Final = np.frombuffer(PREFIXES.encode() + b"\0", np.uint8)
_UP: Final = np.array([*(10.0 ** max(-e, 0) for e in _EXPONENTS), 0.0])
_DOWN: Final = np.array([*(10.0 ** max(e, 0) for e in _EXPONENTS), 1.0])


# --- layout ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layout:
    """Where things stand in a line of one shape; positions count from the leading `P`."""

    vartypes: tuple[str, ...]
    measured: tuple[bool, ...]
    length: int  # with LF
    fixed: NDArray[np.intp]  # columns that are the same in every line of this layout
    literal: Bytes  # what stands in those columns
    value_at: tuple[int, ...]
    status_at: tuple[int, ...]  # -1: none
    range_at: tuple[int, ...]
    noise_at: tuple[int, ...]


@lru_cache(maxsize=256)
def _layout(skeleton: bytes) -> _Layout:
    """Layout of a line whose digits have been blanked by `_skeleton`."""
    vartypes, values, statuses, ranges, noises = [], [], [], [], []
    variable_digits = np.zeros(len(skeleton), bool)
    at = 1
    for variable in skeleton[1:-1].split(b";"):
        status, range_, noise = -1, -1, -1
        position = at + 10
        variable_digits[at + 2 : at + 10] = True
        for meta in variable.split(b",")[1:]:
            position += 1
            variable_digits[position + 1 : position + len(meta)] = True
            match meta[:1]:
                case b"1":
                    status = position + 1
                case b"2":
                    range_ = position + 1
                case _:
                    noise = position + 1
            position += len(meta)
        vartypes.append(variable[:2].decode())
        values.append(at + 2)
        statuses.append(status)
        ranges.append(range_)
        noises.append(noise)
        at += len(variable) + 1
    fixed = np.flatnonzero(~variable_digits)
    return _Layout(
        tuple(vartypes),
        tuple(s >= 0 and r >= 0 for s, r in zip(statuses, ranges, strict=True)),
        len(skeleton),
        fixed,
        np.frombuffer(skeleton, np.uint8)[fixed],
        tuple(values),
        tuple(statuses),
        tuple(ranges),
        tuple(noises),
    )


def _skeleton(line: bytes) -> bytes | None:
    """`line` (LF included) with its digits blanked, so that equal layouts are equal; None if malformed."""
    body = line[1:-1]
    out = bytearray(b"P")
    at = 0
    while match := _VARIABLE.match(body, at):
        out += match[1] + b"00000000"
        for meta in match[3].split(b",")[1:]:
            out += b"," + meta[:1] + b"0" * (len(meta) - 1)
        at = match.end()
        if at == len(body):
            return bytes(out) + b"\n"
        if body[at : at + 1] != b";":
            return None
        out += b";"
        at += 1
    return None


def is_package(line: bytes) -> bool:
    """Whether `line` (LF included) is a well-formed package."""
    return line[:1] == b"P" and _skeleton(line) is not None


# --- decoding -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Decoded:
    """Columns of consecutive packages of one layout; see `messages.Packages`."""

    vartypes: tuple[str, ...]
    measured: tuple[bool, ...]
    values: Floats
    status: Bytes
    ranges: Bytes


def decode_run(lines: Bytes) -> Decoded | None:
    """Decode as many of `lines` (n x length, LF included) from the first as share its layout.

    None if the first is malformed. The number decoded is the length of the columns.
    """
    skeleton = _skeleton(lines[0].tobytes())
    if skeleton is None:
        return None
    layout = _layout(skeleton)
    parts: list[tuple[Floats, Bytes, Bytes]] = []
    at, step = 0, 16  # galloping: a change of layout costs no more than what came before it
    while at < len(lines):
        rows = lines[at : at + step]
        same = (rows[:, layout.fixed] == layout.literal).all(axis=1)
        good = len(rows) if same.all() else int(np.argmin(same))
        decoded, good = _decode_rows(rows[:good], layout)
        parts.append(decoded)
        at += good
        if good < len(rows):
            break
        step = min(2 * step, _ROWS_AT_ONCE)
    values, status, ranges = parts[0] if len(parts) == 1 else _stack(parts)
    return Decoded(layout.vartypes, layout.measured, values, status, ranges)


def _stack(parts: Sequence[tuple[Floats, Bytes, Bytes]]) -> tuple[Floats, Bytes, Bytes]:
    return (
        np.concatenate([p[0] for p in parts]),
        np.concatenate([p[1] for p in parts]),
        np.concatenate([p[2] for p in parts]),
    )


def _decode_rows(rows: Bytes, layout: _Layout) -> tuple[tuple[Floats, Bytes, Bytes], int]:
    """Columns of `rows`, cut before the first malformed one, and how many there are."""
    n, k = len(rows), len(layout.vartypes)
    values = np.empty((n, k))
    status = np.zeros((n, k), np.uint8)
    ranges = np.zeros((n, k), np.uint8)
    bad = np.zeros(n, bool)
    for j, at in enumerate(layout.value_at):
        field = np.ascontiguousarray(rows[:, at : at + 8])
        digits = _HEX[field[:, :7]]
        wrong = (digits == _BAD).any(axis=1)
        integers = digits @ _WEIGHTS - OFFSET
        prefix = field[:, 7]
        values[:, j] = integers * _MULTIPLY[prefix] / _DIVIDE[prefix]
        wrong |= np.isnan(values[:, j])
        if wrong.any():
            absent = (field == _NAN).all(axis=1)
            values[absent, j] = np.nan
            bad |= wrong & ~absent
        if layout.status_at[j] >= 0:
            status[:, j] = _HEX[rows[:, layout.status_at[j]]]
            bad |= status[:, j] == _BAD
        if layout.range_at[j] >= 0:
            high, low = (_HEX[rows[:, layout.range_at[j] + i]] for i in (0, 1))
            bad |= (high == _BAD) | (low == _BAD)
            ranges[:, j] = (high << 4) | (low & 15)
        if layout.noise_at[j] >= 0:
            bad |= _HEX[rows[:, layout.noise_at[j]]] == _BAD
    good = int(np.argmax(bad)) if bad.any() else n
    return (values[:good], status[:good], ranges[:good]), good


_WEIGHTS: Final = 16.0 ** np.arange(6, -1, -1)


# --- encoding -------------------------------------------------------------------------------


def encode(
    vartypes: Sequence[str], measured: Sequence[bool], values: Floats, status: Bytes, ranges: Bytes
) -> bytes:
    """The lines of n packages, each ended by LF."""
    k = len(vartypes)
    if not (k and len(measured) == k and values.shape == status.shape == ranges.shape == (len(values), k)):
        raise ValueError(f"columns of {k} variables do not fit {values.shape}")
    template = (
        "P" + ";".join(v + "00000000" + ",10,200" * m for v, m in zip(vartypes, measured, strict=True)) + "\n"
    ).encode()
    layout = _layout(template)
    line = np.frombuffer(template, np.uint8)
    blocks = (slice(at, at + _ROWS_AT_ONCE) for at in range(0, len(values), _ROWS_AT_ONCE))
    return b"".join(_encode_rows(line, layout, values[b], status[b], ranges[b]) for b in blocks)


def _encode_rows(line: Bytes, layout: _Layout, values: Floats, status: Bytes, ranges: Bytes) -> bytes:
    rows = np.tile(line, (len(values), 1))
    for j, at in enumerate(layout.value_at):
        integers, prefixes = _integers(values[:, j])
        word = integers.astype(np.int32) + OFFSET
        for digit in range(7):
            rows[:, at + digit] = _DIGITS[(word >> (24 - 4 * digit)) & 15]
        rows[:, at + 7] = prefixes
        absent = prefixes == 0
        if absent.any():
            rows[absent, at : at + 8] = _NAN
        if layout.measured[j]:
            rows[:, layout.status_at[j]] = _DIGITS[status[:, j] & 15]
            rows[:, layout.range_at[j]] = _DIGITS[ranges[:, j] >> 4]
            rows[:, layout.range_at[j] + 1] = _DIGITS[ranges[:, j] & 15]
    return rows.tobytes()
