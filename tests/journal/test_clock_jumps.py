"""Wall-clock jumps of an hour, to 1970 and to 2040 change no duration and no order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from run_stories import RUN

from hilcycler.clock import HostClock
from hilcycler.journal import Journal, Settings, Verdict, open_run, verify
from hilcycler.journal.bench import example_header, example_samples
from hilcycler.records import Note, OffState, Outcome, RunEnded

REAL = time.time  # noqa: TID251  (the clock that is to jump)
JUMPS: tuple[Callable[[], float], ...] = (
    lambda: REAL() + 3600.0,
    lambda: REAL() - 3600.0,
    lambda: 0.0,
    lambda: 2_208_988_800.0,
    REAL,
)


def test_jumps_of_the_wall_clock_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = HostClock()
    began = clock.stamp(0.0)

    async def scenario() -> Path:
        async with Journal.create(tmp_path, RUN, Settings(period=0.01)) as journal:
            journal.put(example_header(RUN))
            for number, jump in enumerate(JUMPS):
                monkeypatch.setattr("time.time", jump)
                journal.put(example_samples(journal.rows, 300))
                journal.put(Note(f"jump {number}", clock.stamp(0.0)))
                await journal.commit()
                assert open_run(journal.path).rows == journal.rows
            journal.put(RunEnded(Outcome.COMPLETED, "", OffState.OFF, clock.stamp(0.0)))
        return journal.path

    path = asyncio.run(scenario())
    assert verify(path).verdict is Verdict.WHOLE
    run = open_run(path)
    stamps = [event.stamp for event in run.events()[1:] if isinstance(event, Note | RunEnded)]
    assert stamps == sorted(stamps, key=lambda stamp: stamp.monotonic)
    for stamp in stamps:
        passed = stamp.monotonic - began.monotonic
        assert 0.0 <= passed < 60.0
        assert stamp.utc - began.utc == pytest.approx(passed, abs=1e-3)
    assert [event.text for event in run.events() if isinstance(event, Note)] == [
        f"jump {number}" for number in range(len(JUMPS))
    ]
