"""Cells that short or run away while their run goes on: an evaluation that watches, in a process of its own.

The process reads run files from where it was, so that months cost no more than what is new.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from hilcycler import registry
from hilcycler.evaluation import Accumulator, replay
from hilcycler.journal import News, Run, open_run
from hilcycler.quantities import Second
from hilcycler.records import Event, Record

log = logging.getLogger("hilcycler.telemetry")

EVALUATION: Final = "lifetime"
EVERY: Final[Second] = 15.0
"""Seconds between two looks at a run."""
PORTION: Final = 65_536
"""Rows that are read at a time."""
AT_ONCE: Final = 32
"""Portions in one look: a run that is already long is caught up with in several."""


def shorted(finding: dict[str, Any]) -> str | None:
    """What is wrong with the cell, in the evaluation's words; None for a sound one (or another finding)."""
    flags, inputs = finding.get("flags"), finding.get("inputs")
    for code, text in flags.items() if isinstance(flags, dict) else ():
        if "short" in str(code):
            return str(text)
    ended = inputs.get("ended by") if isinstance(inputs, dict) else None
    return None if ended in {None, "the test"} else str(ended)


class Watch:
    """`async with Watch() as watch`: `look` at runs that go on."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._work: dict[Path, asyncio.Future[str | None]] = {}
        self._next: dict[Path, Second] = {}
        self._known: dict[Path, str | None] = {}
        self._installed = EVALUATION in registry.names("evaluations")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def look(self, path: Path, now: Second) -> str | None:
        """What was found wrong with the cell so far; a new look is begun where it is time."""
        if not self._installed:
            return None
        try:
            self._go_on(path, now)
        except BrokenProcessPool as error:
            log.warning("%s is not watched for shorts now: %s", path.name, error)
            self._pool = None  # a new one begins from the beginning
        except Exception:  # whoever wrote the evaluation: telemetry goes on without it
            log.exception("%s is not watched for shorts now", path.name)
        return self._known.get(path)

    def _go_on(self, path: Path, now: Second) -> None:
        work = self._work.get(path)
        if work is not None and work.done():
            del self._work[path]
            self._known[path] = work.result()
        elif work is None and now >= self._next.get(path, -math.inf):
            self._next[path] = now + EVERY
            self._work[path] = asyncio.wrap_future(self._running().submit(_look, path))

    def forget(self, path: Path) -> None:
        """The run is over."""
        self._known.pop(path, None)
        self._next.pop(path, None)
        self._work.pop(path, None)
        if self._pool is not None:
            with suppress(BrokenProcessPool):
                self._pool.submit(_forget, path)

    def _running(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_end_with_parent)
        return self._pool


# --- in the other process -------------------------------------------------------------------


@dataclass(slots=True)
class _Followed:
    """A run, and how far the evaluation has come in it."""

    run: Run
    evaluation: Accumulator = field(default_factory=lambda: registry.evaluation(EVALUATION).start())
    sequence: int = 0
    event: int = 0

    def look(self) -> str | None:
        for _ in range(AT_ONCE):
            news = self.run.since(self.sequence, self.event, most=PORTION)
            for record in in_order(news, self.sequence):
                self.evaluation.put(record)
            done = news.next_sequence == self.sequence and news.next_event == self.event
            self.sequence, self.event = news.next_sequence, news.next_event
            if done:
                break
        wrong = [shorted(finding.as_dict()) for finding in self.evaluation.summary()]
        return next((each for each in wrong if each is not None), None)


_followed: dict[Path, _Followed] = {}


def _look(path: Path) -> str | None:
    if path not in _followed:
        _followed[path] = _Followed(open_run(path))
    return _followed[path].look()


def _forget(path: Path) -> None:
    _followed.pop(path, None)


@dataclass(frozen=True, slots=True)
class _Samples:
    """Rows `start` to `stop` of a look, as `replay` reads them."""

    news: News
    start: int
    stop: int

    def events(self) -> list[Event]:
        return []

    def chunks(self, names: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:  # noqa: ARG002
        if self.start < self.stop:
            yield {name: column[self.start : self.stop] for name, column in self.news.columns.items()}


def in_order(news: News, sequence: int) -> Iterator[Record]:
    """The samples of a look, the first of which has number `sequence`, and its events, as they came."""
    at = 0
    for event, rows in zip(news.events, news.after, strict=True):
        yield from replay(_Samples(news, at, rows - sequence))
        at = max(at, rows - sequence)
        yield event
    yield from replay(_Samples(news, at, len(news.columns["test_time"])))


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = parent_process()
    assert parent is not None

    def wait() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
