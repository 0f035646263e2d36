"""What is left of a damaged run: all that proves itself, and a list of what does not."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from run_stories import story, tell, written_columns

from hilcycler.errors import JournalError
from hilcycler.journal import Settings, Verdict, open_run, salvage, verify
from hilcycler.records import SampleBlock

RECORDS = story(steps=3, rows=3000)
EVENTS = [record for record in RECORDS if not isinstance(record, SampleBlock)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Nine thousand samples in blocks of about a thousand."""
    path = tell(tmp_path, RECORDS, Settings(inline=True, inline_rows=1000))
    path.chmod(0o644)
    return path


def spoil(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_nothing_is_missing_from_a_whole_file(path: Path) -> None:
    found = salvage(path)
    assert found.damage == ()
    assert found.events == tuple(EVENTS)
    expected = written_columns(RECORDS)
    assert all(np.array_equal(column, expected[name]) for name, column in found.columns.items())


def test_around_a_damaged_block(path: Path) -> None:
    sequences = [row[0] for row in sqlite3.connect(path).execute("SELECT sequence FROM block")]
    spoil(path, f"UPDATE block SET t1 = t1 + 1 WHERE sequence = {sequences[3]}")
    verdict = verify(path)
    assert verdict.verdict is Verdict.CORRUPT
    assert verdict.damage is not None
    assert (verdict.damage.part, verdict.damage.number) == ("block", sequences[3])
    with pytest.raises(JournalError, match=f"block at sample {sequences[3]} is damaged"):
        open_run(path).columns()
    found = salvage(path)
    assert [(fault.part, fault.number) for fault in found.damage] == [
        ("block", sequences[3]),
        ("block", sequences[3]),
    ]
    kept = np.r_[0 : sequences[3], sequences[4] : 9000]
    assert np.array_equal(found.columns["voltage"], written_columns(RECORDS)["voltage"][kept])
    assert found.events == tuple(EVENTS)


def test_around_a_damaged_and_a_missing_event(path: Path) -> None:
    spoil(path, "UPDATE event SET rows = 7 WHERE number = 2", "DELETE FROM event WHERE number = 5")
    found = salvage(path)
    assert [fault.number for fault in found.damage] == [2, 6]
    assert found.events == tuple(event for number, event in enumerate(EVENTS) if number not in {2, 5, 6})
    assert len(found.columns["voltage"]) == 9000


def test_a_lost_tail_is_named(path: Path) -> None:
    spoil(path, "DELETE FROM block WHERE sequence > 5000")
    found = salvage(path)
    (fault,) = found.damage
    assert f"{len(found.columns['voltage'])} to 8999 are missing" in str(fault)
