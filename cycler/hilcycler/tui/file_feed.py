"""The records of a run from its file, looked at again and again from another process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import assert_never

import numpy as np

from hilcycler.journal import News, Run, State, open_run
from hilcycler.records import (
    Event,
    Failed,
    Gap,
    ImpedancePoint,
    Note,
    OperatorAction,
    Record,
    Resumed,
    RunEnded,
    RunStarted,
    SampleBlock,
    StepEnded,
    StepStarted,
    Tripped,
)
from hilcycler.tui.feed import Look

_KEYS = ("step_count", "step_index", "cycle")


class FileFeed:
    """The records of the run file at `path`, which need not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._run: Run | None = None
        self._sequence = self._event = 0

    def look(self) -> Look:
        """See Feed."""
        if self._run is None:
            if not self._path.exists():
                return Look((), recording=True)
            self._run = open_run(self._path)
        news = self._run.since(self._sequence, self._event)
        records = tuple(in_order(news, self._sequence))
        self._sequence, self._event = news.next_sequence, news.next_event
        return Look(records, recording=news.state is State.RUNNING)


def in_order(news: News, sequence: int) -> Iterator[Record]:
    """The samples of `news`, the first of which has number `sequence`, between its events.

    A look holds samples and events apart. A step's samples lie after its StepStarted and before
    whatever comes after that; events that belong to no step keep their own order.
    """
    blocks = list(_blocks(news, sequence))
    at = 0
    for event in news.events:
        before = _samples_before(event)
        while at < len(blocks) and before is not None and blocks[at].step_count <= before:
            yield blocks[at]
            at += 1
        yield event
    yield from blocks[at:]


def _samples_before(event: Event) -> int | None:
    """Samples up to this executed step were put before `event`; None: it does not say."""
    match event:
        case StepStarted():
            return event.step_count - 1
        case ImpedancePoint() | StepEnded() | Tripped() | Failed() | Gap() | Resumed():
            return event.step_count
        case RunEnded():
            return sys.maxsize
        case RunStarted() | OperatorAction() | Note():
            return None
        case _:
            assert_never(event)


def _blocks(news: News, sequence: int) -> Iterator[SampleBlock]:
    """One block a step."""
    columns = {name: column for name, column in news.columns.items() if name not in _KEYS}
    keys = np.stack([news.columns[name] for name in _KEYS])
    edges = np.flatnonzero(np.any(keys[:, 1:] != keys[:, :-1], axis=0)) + 1
    rows = keys.shape[1]
    for begin, end in zip([0, *edges], [*edges, rows], strict=True):
        if begin == end:
            continue
        step_count, step_index, cycle = (int(key) for key in keys[:, begin])
        part = {name: column[begin:end] for name, column in columns.items()}
        yield SampleBlock(sequence + int(begin), step_count, step_index, cycle, part)
