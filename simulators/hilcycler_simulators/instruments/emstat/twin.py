"""Simulated EmStats with a simulated cell: what the entry point `emstat` offers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from hilcycler.cell import Cell
from hilcycler.channel import Capabilities, Channel
from hilcycler.clock import loop_time
from hilcycler.errors import RequestError
from hilcycler.links import Link
from hilcycler.records import Instrument
from hilcycler.twin import TwinRequest
from hilcycler_drivers.emstat.wire.devices import DEVICES
from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.cells.terminals import SimulatedCell
from hilcycler_simulators.faults import Fault, Faulty, InstrumentFault, LineFault
from hilcycler_simulators.instruments.emstat.mishaps import build
from hilcycler_simulators.serving import Device, DirectLink, Port, listen

_USUAL = "es4_hr"
_CODES = {
    DEVICES[code].name.lower().replace(" ", "-"): code
    for code in (_USUAL, *(code for code in DEVICES if code != _USUAL))
}


class EmStatTwin:
    """One simulated instrument with one cell on it; see `hilcycler.twin.Twin`.

    `pace` is simulated seconds per second of the loop's clock; None: as fast as output is taken.
    `faults` are what is wrong with it and its cable; `line_seed` decides what garbage is made of
    (None: `seed` does, which also decides the noise).
    """

    def __init__(
        self,
        cell: SimulatedCell,
        model: str = _USUAL,
        seed: int = 1,
        pace: float | None = None,
        faults: Sequence[Fault] = (),
        *,
        line_seed: int | None = None,
    ) -> None:
        self._cell = cell
        inside = [fault for fault in faults if isinstance(fault, InstrumentFault)]
        on_the_line = [fault for fault in faults if isinstance(fault, LineFault)]
        self.firmware = build(cell, DEVICES[model], seed, pace, inside)
        self.unit = self.firmware.unit
        line = Faulty(self.firmware, on_the_line, seed if line_seed is None else line_seed)
        device: Device = line if on_the_line else self.firmware
        self.port = Port(device, f"twin:{model}")

    @property
    def cell(self) -> Cell:
        return self._cell.label

    @property
    def truth(self) -> dict[str, Any]:
        return self._cell.truth

    @property
    def energised(self) -> bool:
        """Whether the output is on: for judging safety."""
        self.firmware.catch_up(loop_time())
        return self.unit.cell_is_on

    async def connect(self) -> Link:
        return DirectLink(self.port)

    def listen(self, where: str) -> AbstractAsyncContextManager[str]:
        return listen(self.port, where)


class EmStatFamily:
    """See `hilcycler.twin.TwinFamily`."""

    driver = "emstat"

    @property
    def models(self) -> Sequence[str]:
        """As people write them: `emstat4-hr` for the device that calls itself `es4_hr`."""
        return tuple(_CODES)

    def make(self, request: TwinRequest) -> EmStatTwin:
        code = _CODES.get(request.model, request.model)
        if code not in DEVICES:
            raise RequestError(f"no EmStat model {request.model!r}; there are {', '.join(self.models)}")
        if request.pace is not None and not 0.0 < request.pace < float("inf"):
            raise RequestError(f"a pace of {request.pace:g} simulated seconds per second; expected above 0")
        cell = catalogue.make(request.cell, request.seed)
        return EmStatTwin(cell, code, request.seed, request.pace)

    def direct(self, request: TwinRequest, capabilities: Capabilities, instrument: Instrument) -> Channel:
        """See TwinFamily: the same samples as over the wire."""
        cell, code = catalogue.make(request.cell, request.seed), _CODES.get(request.model, request.model)
        from hilcycler_simulators.direct import DirectChannel  # it imports instruments itself

        return DirectChannel(cell, code, request.seed, capabilities, instrument)


twin = EmStatFamily()
