"""A block of samples as bytes, and back: pure.

Layout: length of the directory (little-endian u32), directory (JSON), columns one after another.
The directory names each column with its dtype, its coding and its bytes, and says from which row on
which step was running, so that a block may span steps. Codings:

- `raw`: the values, little-endian;
- `same`: one value that stands for every row;
- `zlib`: the values, deflated;
- `delta`: differences of the values' 64-bit patterns, byte planes apart, deflated: what is nearly
  a regular grid (test time) all but vanishes.

Whatever does not get smaller stays raw. The figures behind this stand in docs/journal.md.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hilcycler.errors import JournalError
from hilcycler.records import COLUMNS, SampleBlock

LIMIT: Final = 65_536
"""No block holds more rows than this; one that says so is not ours."""

_DTYPES: Final = {name: np.dtype(dtype) for name, dtype in COLUMNS.items()}
_LENGTH = struct.Struct("<I")
_KEYS = struct.Struct("<qqddd")


class Span(NamedTuple):
    """Rows from `row` on, up to the next span, belong to this step."""

    row: int
    step_count: int
    step_index: int
    cycle: int


class Rows(NamedTuple):
    """`size` rows: columns of that length and the steps they belong to."""

    size: int
    columns: dict[str, NDArray[Any]]
    spans: tuple[Span, ...]


class Keys(NamedTuple):
    """By what a block is found; see schema.TABLES."""

    sequence: int
    rows: int
    t0: float
    t1: float
    lag: float


def checked(block: SampleBlock) -> Rows:
    """`block` in the types that are stored. JournalError for one that cannot be stored as it is."""
    columns = {name: _stored(name, values) for name, values in block.columns.items()}
    missing = COLUMNS.keys() - columns.keys() - {"temperature"}
    if missing:
        raise JournalError(f"samples at {block.sequence}: no column {', '.join(sorted(missing))}")
    rows = len(columns["test_time"])
    if any(column.shape != (rows,) for column in columns.values()):
        shapes = {name: column.shape for name, column in columns.items()}
        raise JournalError(f"samples at {block.sequence}: columns of unequal length: {shapes}")
    if not np.isfinite(columns["test_time"]).all():
        raise JournalError(f"samples at {block.sequence}: a test time that is not a number")
    return Rows(rows, columns, (Span(0, block.step_count, block.step_index, block.cycle),))


def join(parts: Sequence[Rows]) -> Rows:
    """Rows one after another; all with the same columns."""
    if len(parts) == 1:
        return parts[0]
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    spans: list[Span] = []
    row = 0
    for part in parts:
        for span in part.spans:
            if not spans or spans[-1][1:] != span[1:]:
                spans.append(span._replace(row=row + span.row))
        row += part.size
    return Rows(row, columns, tuple(spans))


def cut(rows: Rows, start: int, stop: int) -> Rows:
    """Rows `start` to `stop`, `stop` excluded."""
    if start == 0 and stop >= rows.size:
        return rows
    spans = [span._replace(row=max(span.row, start) - start) for span in rows.spans if span.row < stop]
    first = max((at for at, span in enumerate(spans) if span.row == 0), default=0)
    columns = {name: column[start:stop] for name, column in rows.columns.items()}
    return Rows(min(stop, rows.size) - start, columns, tuple(spans[first:]))


def pack(rows: Rows) -> bytes:
    """The bytes of one block."""
    directory: list[tuple[str, str, str, int]] = []
    payload: list[bytes] = []
    for name, column in rows.columns.items():
        coding, data = _encode(name, column)
        directory.append((name, COLUMNS[name], coding, len(data)))
        payload.append(data)
    head = json.dumps({"columns": directory, "steps": rows.spans}, separators=(",", ":")).encode()
    return b"".join((_LENGTH.pack(len(head)), head, *payload))


def unpack(data: bytes, rows: int, names: Sequence[str] | None = None) -> Rows:
    """The `rows` rows that `pack` packed; JournalError for anything else.

    Of the columns only those in `names` are unpacked, where they are there.
    """
    try:
        return _unpack(data, rows, names)
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise JournalError(f"not a block: {error}") from error
    except (struct.error, zlib.error) as error:
        raise JournalError(f"not a block: {error}") from error


def checksum(keys: Keys, data: bytes) -> int:
    """CRC32 over a block's keys and bytes."""
    return zlib.crc32(data, zlib.crc32(_KEYS.pack(*keys)))


def _unpack(data: bytes, rows: int, names: Sequence[str] | None) -> Rows:
    if not 0 < rows <= LIMIT:
        raise ValueError(f"{rows} rows")
    (length,) = _LENGTH.unpack_from(data)
    at = _LENGTH.size + length
    directory = json.loads(data[_LENGTH.size : at].decode())
    columns: dict[str, NDArray[Any]] = {}
    for name, dtype, coding, size in directory["columns"]:
        if COLUMNS[name] != dtype or not 0 <= size <= len(data) - at:
            raise ValueError(f"column {name!r} of {dtype!r}, {size} bytes")
        if names is None or name in names:
            columns[name] = _decode(coding, _DTYPES[name], data[at : at + size], rows)
        at += size
    if at != len(data):
        raise ValueError(f"{len(data) - at} bytes left over")
    spans = tuple(Span(*map(int, span)) for span in directory["steps"])
    starts = [span.row for span in spans]
    if not starts or starts[0] != 0 or starts[-1] >= rows or starts != sorted(set(starts)):
        raise ValueError(f"steps at rows {starts}")
    return Rows(rows, columns, spans)


def _stored(name: str, values: NDArray[Any]) -> NDArray[Any]:
    try:
        dtype = _DTYPES[name]
    except KeyError:
        raise JournalError(f"no column {name!r}; there are {', '.join(COLUMNS)}") from None
    if values.dtype == dtype and values.flags.c_contiguous:
        return values
    column = np.ascontiguousarray(values, dtype=dtype)
    if dtype.kind == "u" and not np.array_equal(column, values):
        raise JournalError(f"column {name!r}: a value that does not fit into {dtype}")
    return column


def _encode(name: str, column: NDArray[Any]) -> tuple[str, bytes]:
    raw = column.tobytes()
    size = column.dtype.itemsize
    if raw == raw[:size] * len(column):  # bit patterns: NaN is the same as itself, -0.0 is not 0.0
        return "same", raw[:size]
    if name == "test_time":
        coding, data = "delta", zlib.compress(_differences(column), 1)
    else:
        coding, data = "zlib", zlib.compress(raw, 1)
    return (coding, data) if len(data) < len(raw) else ("raw", raw)


def _decode(coding: str, dtype: np.dtype[Any], data: bytes, rows: int) -> NDArray[Any]:
    match coding:
        case "raw":
            column = np.frombuffer(data, dtype)
        case "same":
            column = np.frombuffer(data, dtype, count=1).repeat(rows)
        case "zlib":
            column = np.frombuffer(_inflate(data, rows * dtype.itemsize), dtype)
        case "delta":
            planes = np.frombuffer(_inflate(data, rows * 8), np.uint8).reshape(8, rows)
            differences = np.ascontiguousarray(planes.T).view("<u8")[:, 0]
            column = np.add.accumulate(differences).view("<f8")
        case _:
            raise ValueError(f"coding {coding!r}")
    if len(column) != rows:
        raise ValueError(f"{len(column)} values for {rows} rows")
    return column


def _differences(column: NDArray[np.float64]) -> bytes:
    patterns = column.view("<u8")
    differences = np.diff(patterns, prepend=np.zeros(1, "<u8"))
    return np.ascontiguousarray(differences.view(np.uint8).reshape(-1, 8).T).tobytes()


def _inflate(data: bytes, size: int) -> bytes:
    """Exactly `size` bytes, whatever the data claims: a small file must not fill the memory."""
    engine = zlib.decompressobj()
    out = engine.decompress(data, size + 1)
    if len(out) != size or not engine.eof:
        raise ValueError("deflated data of another length")
    return out
