"""Laws of the block codec: what is packed comes back to the last bit, anything else is an error."""

from __future__ import annotations

import math
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hilcycler.errors import JournalError
from hilcycler.journal import blocks, packing
from hilcycler.journal.bench import example_samples
from hilcycler.journal.blocks import Keys, Rows, Span
from hilcycler.journal.packing import Packed, Packer, Progress
from hilcycler.records import SampleBlock

FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

ANY_FLOAT = st.floats(width=64)  # NaN, infinities, signed zeros and subnormals among them


def same(a: Rows, b: Rows) -> bool:
    """Equal to the last bit: NaN equals itself, -0.0 is not 0.0."""
    return (
        a.size == b.size
        and a.spans == b.spans
        and a.columns.keys() == b.columns.keys()
        and all(column.tobytes() == b.columns[name].tobytes() for name, column in a.columns.items())
    )


@st.composite
def some_rows(draw: st.DrawFn, *, temperature: bool | None = None) -> Rows:
    size = draw(st.integers(1, 40))
    column = {
        "test_time": draw(arrays.arrays("<f8", size, elements=st.floats(-1e9, 1e9))),
        "voltage": draw(arrays.arrays("<f8", size, elements=ANY_FLOAT)),
        "current": draw(arrays.arrays("<f8", size, elements=ANY_FLOAT)),
        "range": draw(arrays.arrays("u1", size)),
        "status": draw(arrays.arrays("u1", size)),
    }
    if draw(st.booleans()) if temperature is None else temperature:
        column["temperature"] = draw(arrays.arrays("<f4", size, elements=st.floats(width=32)))
    starts = sorted(draw(st.sets(st.integers(1, size - 1), max_size=3))) if size > 1 else []
    spans = tuple(Span(start, 7 + at, at, 2**31 - 1) for at, start in enumerate([0, *starts]))
    return Rows(size, column, spans)


@FEW
@given(some_rows())
def test_what_is_packed_comes_back(rows: Rows) -> None:
    assert same(blocks.unpack(blocks.pack(rows), rows.size), rows)


@FEW
@given(some_rows(), st.data())
def test_cut_and_joined_is_as_before(rows: Rows, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, rows.size))
    parts = [blocks.cut(rows, *ends) for ends in ((0, at), (at, rows.size)) if ends[0] < ends[1]]
    assert same(blocks.join(parts), rows)


@FEW
@given(st.binary(max_size=300), st.integers(-1, 100_000))
def test_any_other_bytes_are_an_error(data: bytes, rows: int) -> None:
    with pytest.raises(JournalError):
        blocks.unpack(data, rows)


@FEW
@given(some_rows(), st.data())
def test_a_changed_byte_is_an_error_or_unpacks_within_bounds(rows: Rows, data: st.DataObject) -> None:
    """The checksum would have told; here it was forged, and still nothing but JournalError comes."""
    packed = bytearray(blocks.pack(rows))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    try:
        found = blocks.unpack(bytes(packed), rows.size)
    except JournalError:
        return
    assert all(len(column) == rows.size for column in found.columns.values())


@FEW
@given(some_rows(), st.data())
def test_the_checksum_notices_every_single_bit(rows: Rows, data: st.DataObject) -> None:
    packed = bytearray(blocks.pack(rows))
    keys = Keys(5, rows.size, 1.0, 2.0, 0.0)
    whole = blocks.checksum(keys, bytes(packed))
    bit = data.draw(st.integers(0, 8 * len(packed) - 1))
    packed[bit // 8] ^= 1 << bit % 8
    assert blocks.checksum(keys, bytes(packed)) != whole


def test_a_small_block_cannot_fill_the_memory() -> None:
    rows = Rows(65_536, {"test_time": np.zeros(65_536)}, (Span(0, 1, 1, 0),))
    with pytest.raises(JournalError):
        blocks.unpack(blocks.pack(rows), 65_537)


def test_a_regular_grid_of_time_all_but_vanishes() -> None:
    rows = Rows(4096, {"test_time": np.arange(4096) * 10.0}, (Span(0, 1, 1, 0),))
    assert len(blocks.pack(rows)) < 4096


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"voltage": None}, "no column voltage"),
        ({"voltage": np.zeros(2)}, "unequal length"),
        ({"test_time": np.array([0.0, math.nan, 2.0])}, "not a number"),
        ({"range": np.array([0, 256, 0])}, "does not fit"),
        ({"resistance": np.zeros(3)}, "no column 'resistance'"),
    ],
)
def test_samples_that_cannot_be_stored_are_refused(change: dict[str, Any], message: str) -> None:
    columns: dict[str, Any] = dict.fromkeys(
        ("test_time", "voltage", "current", "range", "status"), np.zeros(3)
    )
    columns = {name: column for name, column in (columns | change).items() if column is not None}
    with pytest.raises(JournalError, match=message):
        blocks.checked(SampleBlock(0, 1, 1, 0, columns))


def plain_rows(size: int, step: int, *, warm: bool, time: float) -> Rows:
    columns = dict(example_samples(0, size).columns)
    columns["test_time"] = columns["test_time"] + time
    if warm:
        columns["temperature"] = np.full(size, 300.0, np.float32)
    return blocks.checked(SampleBlock(0, step, 1, 0, columns))


@FEW
@given(
    st.lists(
        st.lists(
            st.builds(
                plain_rows,
                st.integers(1, 260),
                st.integers(1, 3),
                warm=st.booleans(),
                time=st.sampled_from((0.0, 0.5, 1e6)),
            ),
            max_size=4,
        ),
        max_size=12,
    )
)
def test_however_rows_come_the_blocks_hold_them_in_order(transactions: list[list[Rows]]) -> None:
    """Transactions of any size, with the bounds of blocks made small: the table holds what came."""
    table: dict[int, Packed] = {}
    progress = Progress(0, 0, b"")
    with patch.multiple(packing, BLOCK_FULL=24, BLOCK_SMALL=60, SHELF_FULL=150, BLOCK_MOST=200):
        for parts in transactions:
            packer = Packer(progress)
            for part in parts:
                packer.add(part)
            packer.finish()
            for start, stop in packer.merged:
                table = {key: block for key, block in table.items() if not start < key < stop}
            table |= {block.sequence: block for block in packer.written}
            progress = packer.progress(0, b"")
    check_table([table[key] for key in sorted(table)], [part for parts in transactions for part in parts])


def check_table(table: list[Packed], came: list[Rows]) -> None:
    expected = 0
    highest = -math.inf
    voltages = b""
    steps: list[int] = []
    for block in table:
        assert block.sequence == expected
        assert blocks.checksum(Keys(*block[:5]), block.data) == block.crc
        columns, spans = blocks.unpack(block.data, block.rows)[1:]
        steps += [span.step_count for span, size in lengths(spans, block.rows) for _ in range(size)]
        time = columns["test_time"]
        assert block.t0 == time.min()
        assert block.t1 == max(highest, time.max())
        assert (np.maximum(np.maximum.accumulate(time), highest) - time <= block.lag).all()
        highest = block.t1
        expected += block.rows
        voltages += columns["voltage"].tobytes()
    assert expected == sum(part.size for part in came)
    assert steps == [part.spans[0].step_count for part in came for _ in range(part.size)]
    assert voltages == b"".join(part.columns["voltage"].tobytes() for part in came)


def lengths(spans: tuple[Span, ...], rows: int) -> list[tuple[Span, int]]:
    """Each span with its number of rows."""
    stops = [*(span.row for span in spans[1:]), rows]
    return [(span, stop - span.row) for span, stop in zip(spans, stops, strict=True)]
