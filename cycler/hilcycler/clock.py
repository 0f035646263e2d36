"""The one module that reads a clock.

Durations come from a monotonic clock, never from the wall clock: a step of the wall clock (NTP,
daylight saving, a wrong boot date) can neither bend nor reorder a run. UTC is derived from one
anchor, taken when the run starts.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol

from hilcycler.quantities import Second

TWIN_EPOCH = 1_767_225_600.0
"""Where the calendar of every simulated run starts: 2026-01-01T00:00:00Z."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """One instant: UTC in seconds since 1970 and the monotonic clock beside it."""

    utc: Second
    monotonic: Second


class Clock(Protocol):
    """What a run may ask about time."""

    def stamp(self, test_time: Second) -> Stamp:
        """Now. `test_time` is the instrument's own time, which a simulated calendar follows."""
        ...


class HostClock:
    """The host's monotonic clock, with UTC from one anchor."""

    def __init__(self) -> None:
        self._anchor = Stamp(utc=time.time(), monotonic=time.monotonic())  # noqa: TID251

    def stamp(self, test_time: Second) -> Stamp:  # noqa: ARG002
        """See Clock."""
        now = time.monotonic()  # noqa: TID251
        return Stamp(utc=self._anchor.utc + now - self._anchor.monotonic, monotonic=now)


class TwinClock:
    """A calendar that moves with test time, so that two twin runs of one seed are identical."""

    def stamp(self, test_time: Second) -> Stamp:
        """See Clock."""
        return Stamp(utc=TWIN_EPOCH + test_time, monotonic=test_time)


def wall_clock() -> Second:
    """UTC in seconds since 1970, for names and listings only."""
    return time.time()  # noqa: TID251


def process_time() -> Second:
    """A stopwatch for benchmarks and progress."""
    return time.perf_counter()


def loop_time() -> Second:
    """The running loop's clock, in which deadlines are given; virtual in simulated worlds."""
    return asyncio.get_running_loop().time()
