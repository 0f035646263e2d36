"""The view reads the very file that a journal writes, while it is written, however the looks fall."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imagined_run import ImaginedRun

from hilcycler.errors import JournalError
from hilcycler.journal import Journal, Settings
from hilcycler.records import Record, RunEnded, SampleBlock, StepEnded, StepStarted
from hilcycler.steps import Process
from hilcycler.tui.file_feed import FileFeed

RUN = "20260101-7k2m9xq4"


def story(run: ImaginedRun) -> Iterator[Record]:
    run.name = RUN
    yield run.started()
    yield from run.cycles(1, 2, spectra_every=1)
    yield from run.half_cycle(3, Process.PLATE)
    yield run.ended()


def written_and_seen(folder: Path, records: list[Record], every: int) -> tuple[list[Record], list[bool]]:
    """Put `records`, looking after every so many; what the looks brought, and whether somebody recorded."""
    seen: list[Record] = []
    recording: list[bool] = []
    feed = FileFeed(folder / f"{RUN}.run.sqlite")

    async def write() -> None:
        look()
        async with Journal.create(folder, RUN, Settings(inline=True, inline_rows=1)) as journal:
            for at, record in enumerate(records):
                journal.put(record)
                if at % every == 0:
                    look()
        look()

    def look() -> None:
        found = feed.look()
        seen.extend(found.records)
        recording.append(found.recording)

    asyncio.run(write())
    return seen, recording


@pytest.mark.parametrize("every", [1, 3, 1000])
def test_what_was_put_is_seen_once_and_in_its_order(
    tmp_path: Path, imagined: ImaginedRun, every: int
) -> None:
    put = list(story(imagined))
    seen, recording = written_and_seen(tmp_path, put, every)
    assert [r for r in seen if not isinstance(r, SampleBlock)] == [
        r for r in put if not isinstance(r, SampleBlock)
    ]
    for name in ("test_time", "voltage", "current"):
        np.testing.assert_array_equal(column(seen, name), column(put, name))
    assert recording[0]
    assert not recording[-1]
    assert_samples_lie_within_their_steps(seen)


def test_a_file_that_is_not_ours_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "notes.run.sqlite"
    path.write_text("not a run")
    with pytest.raises(JournalError, match="notes"):
        FileFeed(path).look()


def column(records: list[Record], name: str) -> Any:
    return np.concatenate([r.columns[name] for r in records if isinstance(r, SampleBlock)])


def assert_samples_lie_within_their_steps(records: list[Record]) -> None:
    running, sequence = 0, 0
    for record in records:
        match record:
            case StepStarted():
                running = record.step_count
            case StepEnded() | RunEnded():
                running = 0
            case SampleBlock():
                assert record.step_count == running
                assert record.sequence == sequence
                sequence += len(record)
            case _:
                pass
