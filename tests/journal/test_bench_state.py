"""Latched trips outlive every process, and only a named person with a reason resets one."""

from __future__ import annotations

import math
import random
import sqlite3
from pathlib import Path

import pytest

from hilcycler.bench_state import BenchState, Latched, Reset
from hilcycler.errors import JournalError, RequestError
from hilcycler.protocol import Violation

TRIP = Violation("voltage", math.inf, -1.0, 1.0)


def test_a_latch_outlives_the_process_that_set_it(tmp_path: Path) -> None:
    BenchState(tmp_path).latch("left", "20260101-testtest", TRIP)
    found = BenchState(tmp_path).latched("left")
    assert found is not None
    assert (found.channel, found.run, found.violation) == ("left", "20260101-testtest", TRIP)
    assert BenchState(tmp_path).latched("right") is None


def test_nan_is_kept(tmp_path: Path) -> None:
    BenchState(tmp_path).latch("left", "run", Violation("current", math.nan, -1.0, 1.0))
    found = BenchState(tmp_path).latched("left")
    assert found is not None
    assert math.isnan(found.violation.value)


def test_a_reset_names_a_person_and_a_reason(tmp_path: Path) -> None:
    bench = BenchState(tmp_path)
    bench.latch("left", "run", TRIP)
    for actor, reason in (("", "why"), ("who", " ")):
        with pytest.raises(RequestError, match="needs a name and a reason"):
            bench.reset("left", actor, reason)
    assert bench.latched("left") is not None
    bench.reset("left", "Ada", "the lead had slipped off")
    assert bench.latched("left") is None
    latched, reset = bench.entries()
    assert isinstance(latched, Latched)
    assert isinstance(reset, Reset)
    assert (reset.actor, reset.reason) == ("Ada", "the lead had slipped off")
    with pytest.raises(RequestError, match="not latched"):
        bench.reset("left", "Ada", "again")


def test_a_bench_without_a_journal_has_no_latches_and_makes_no_file(tmp_path: Path) -> None:
    assert BenchState(tmp_path).latched("left") is None
    assert list(tmp_path.iterdir()) == []


def test_no_flipped_bit_frees_a_channel(tmp_path: Path) -> None:
    bench = BenchState(tmp_path)
    for number in range(20):
        bench.latch(f"channel {number}", f"run {number}", TRIP)
    bench.reset("channel 3", "Ada", "reason")
    whole = bench.path.read_bytes()
    chance = random.Random(1)
    for _ in range(400):
        spoiled = bytearray(whole)
        bit = chance.randrange(8 * len(whole))
        spoiled[bit // 8] ^= 1 << bit % 8
        bench.path.write_bytes(spoiled)
        try:
            assert bench.latched("channel 19") is not None
            assert bench.latched("channel 3") is None
        except JournalError:
            pass
        for path in tmp_path.iterdir():
            if path != bench.path:
                path.unlink()


def test_a_dropped_entry_is_noticed(tmp_path: Path) -> None:
    bench = BenchState(tmp_path)
    bench.latch("left", "run", TRIP)
    bench.latch("right", "run", TRIP)
    with sqlite3.connect(bench.path) as connection:
        connection.execute("DELETE FROM entry WHERE number = 1")
    connection.close()
    with pytest.raises(JournalError, match="damaged or missing"):
        bench.latched("left")


@pytest.mark.parametrize("statement", ["PRAGMA user_version = 9", "PRAGMA application_id = 9"])
def test_a_file_that_we_do_not_know_frees_nothing(tmp_path: Path, statement: str) -> None:
    bench = BenchState(tmp_path)
    bench.latch("left", "run", TRIP)
    with sqlite3.connect(bench.path) as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(JournalError):
        bench.latched("left")
