"""The channel: steps go to the simulated hardware, a chamber is imagined."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hilcycler.channel import Activity, Capabilities, ConditionMet, Measured, Samples
from hilcycler.protocol import Envelope
from hilcycler.records import Instrument, OffState
from hilcycler.steps import SetTemperature, Step, TemperatureSettled, TimeReached
from hilcycler_drivers.emstat.wire.devices import DEVICES
from hilcycler_simulators.cells.terminals import SimulatedCell
from hilcycler_simulators.direct.compiled import Compiled, compiled
from hilcycler_simulators.direct.hardware import Hardware
from hilcycler_simulators.direct.running import run
from hilcycler_simulators.instruments.emstat.unit import Unit

CHAMBER_RATE: Final = 2.0 / 60.0
"""Kelvin per second at which the imagined chamber heats and cools."""


class DirectChannel:
    """See hilcycler.channel.Channel. `capabilities` and `instrument` are those of whom it stands for."""

    def __init__(
        self, cell: SimulatedCell, code: str, seed: int, capabilities: Capabilities, instrument: Instrument
    ) -> None:
        self._device = DEVICES[code]
        self._hardware = Hardware(Unit.of(self._device, cell, seed))
        self._cell = cell
        self._capabilities = capabilities
        self._instrument = instrument
        self._compiled: tuple[Step, Envelope, Compiled] | None = None
        self._running: tuple[Step, Envelope] | None = None

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def instrument(self) -> Instrument:
        return self._instrument

    def check(self, step: Step, envelope: Envelope) -> None:
        """See Channel."""
        if not isinstance(step, SetTemperature):
            self._parts(step, envelope)

    async def start(self, step: Step, envelope: Envelope) -> None:
        """See Channel. What cannot be run is refused when its records are asked for, at the latest."""
        self._running = step, envelope

    def records(self) -> AsyncIterator[Measured]:
        """See Channel. All of the step at once."""
        assert self._running is not None, "no step is running"
        (step, envelope), self._running = self._running, None
        if isinstance(step, SetTemperature):
            return _Told(self._heat(step))
        return _Told(run(self._hardware, self._parts(step, envelope), envelope))

    async def safe(self) -> OffState:
        """See Channel."""
        self._hardware.unit.cell_off()
        return OffState.OFF

    async def state(self) -> Activity:
        """See Channel."""
        return Activity.IDLE

    async def adopt(self, step: Step, envelope: Envelope) -> bool:  # noqa: ARG002
        """See Channel: nothing goes on here unwatched."""
        return False

    def _parts(self, step: Step, envelope: Envelope) -> Compiled:
        """What is checked is then run: it is looked up once."""
        known = self._compiled
        if known is None or known[0] is not step or known[1] is not envelope:
            self._compiled = known = step, envelope, compiled(step, envelope, self._device)
        return known[2]

    def _heat(self, step: SetTemperature) -> list[Measured]:
        """The cell takes the new temperature at once, the chamber's thermometer at CHAMBER_RATE."""
        began = self._cell.temperature
        self._cell.temperature = step.temperature
        distance = abs(step.temperature - began)
        times = []
        for at, end in enumerate(step.ends):
            match end.condition:
                case TimeReached(after):
                    times.append((after, at))
                case TemperatureSettled(tolerance, window):
                    times.append((max(distance - tolerance, 0.0) / CHAMBER_RATE + window, at))
                case _:
                    continue
        elapsed, position = min(times)
        every = step.sampling.every or 60.0
        instants = np.unique(np.append(np.arange(1, int(elapsed / every) + 1) * every, elapsed))
        look = self._hardware.unit.circuit.look(instants)
        look.commit(elapsed)
        share = np.minimum(instants * CHAMBER_RATE / distance, 1.0) if distance else np.ones(len(instants))
        columns: dict[str, NDArray[np.float64] | NDArray[np.uint8]] = {
            "step_time": instants,
            "voltage": look.voltage,
            "current": np.zeros(len(instants)),
            "range": np.zeros(len(instants), np.uint8),
            "status": np.zeros(len(instants), np.uint8),
            "temperature": began + (step.temperature - began) * share,
        }
        return [Samples(columns), ConditionMet(position, elapsed)]


class _Told(AsyncIterator[Measured]):
    """One after another what is known already.

    No generator: the engine leaves it before its end, and that costs an event loop much ado.
    """

    def __init__(self, measured: Iterable[Measured]) -> None:
        self._measured = iter(measured)

    async def __anext__(self) -> Measured:
        for each in self._measured:
            return each
        raise StopAsyncIteration
