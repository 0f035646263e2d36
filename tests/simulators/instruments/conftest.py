"""Known circuits to hang on simulated instruments, and a way to talk to firmware without a link."""

from __future__ import annotations

import pytest
from dummy_cell import Dummy

from hilcycler_drivers.emstat.wire.devices import DEVICES
from hilcycler_simulators.cells.terminals import SimulatedCell
from hilcycler_simulators.instruments.emstat.firmware import EmStat
from hilcycler_simulators.instruments.emstat.unit import Unit


class Bench:
    """An EmStat's firmware with a dummy on it, spoken to directly; `now` is the caller's clock."""

    def __init__(
        self,
        cell: SimulatedCell | None = None,
        model: str = "es4_hr",
        *,
        seed: int = 1,
        pace: float | None = None,
        vectorise: bool = True,
    ) -> None:
        self.cell = cell or Dummy()
        self.unit = Unit.of(DEVICES[model], self.cell, seed)
        self.firmware = EmStat(self.unit, pace, vectorise=vectorise)
        self.now = 0.0
        self.firmware.connected(self.now)

    def say(self, data: bytes) -> bytes:
        """Send, and collect what comes until nothing more will come by itself (unpaced)."""
        self.firmware.feed(data, self.now)
        return self.hear()

    def hear(self) -> bytes:
        heard = b""
        while True:
            heard += (said := self.firmware.emit(self.now))
            if not said and self.firmware.due() > self.now:
                return heard

    def wait(self, seconds: float) -> bytes:
        """Let the caller's clock go on, and collect what comes meanwhile."""
        self.now += seconds
        return self.hear()


@pytest.fixture(scope="session")
def dummy() -> type[Dummy]:
    return Dummy


@pytest.fixture(scope="session")
def bench() -> type[Bench]:
    return Bench
