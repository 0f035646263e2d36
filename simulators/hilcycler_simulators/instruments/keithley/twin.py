"""Simulated Keithley SMUs with a simulated cell: what the entry point `keithley` offers."""

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
from hilcycler_drivers.keithley.wire.models import MODELS
from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.faults import Faulty, LineFault
from hilcycler_simulators.instruments.keithley.firmware import Smu
from hilcycler_simulators.serving import Device, DirectLink, Port, listen


class KeithleyTwin:
    """One simulated instrument with one cell on it; see `hilcycler.twin.Twin`."""

    def __init__(self, smu: Smu, faults: Sequence[LineFault] = ()) -> None:
        """`faults` are those of the line; those of the instrument are the `smu`'s own `mishaps`."""
        self.smu = smu
        device: Device = Faulty(smu, faults, smu.seed) if faults else smu
        self._port = Port(device, f"twin:{smu.model.name}")

    @property
    def energised(self) -> bool:
        """Whether the cell is connected to anything that could pass current: for judging safety."""
        self.smu.catch_up(loop_time())
        return self.smu.output.connected

    @property
    def cell(self) -> Cell:
        return self.smu.cell.label

    @property
    def truth(self) -> dict[str, Any]:
        return self.smu.cell.truth

    async def connect(self) -> Link:
        return DirectLink(self._port)

    def listen(self, where: str) -> AbstractAsyncContextManager[str]:
        return listen(self._port, where)


class KeithleyFamily:
    """See `hilcycler.twin.TwinFamily`. A host-stepped instrument keeps real time: `pace` is 1 if not given."""

    driver = "keithley"

    @property
    def models(self) -> Sequence[str]:
        return tuple(f"keithley-{name}" for name in MODELS)

    def make(self, request: TwinRequest) -> KeithleyTwin:
        model = MODELS.get(request.model.removeprefix("keithley-"))
        if model is None:
            raise RequestError(f"no Keithley model {request.model!r}; there are {', '.join(self.models)}")
        if request.pace is not None and not 0.0 < request.pace < float("inf"):
            raise RequestError(f"a pace of {request.pace:g} simulated seconds per second; expected above 0")
        cell = catalogue.make(request.cell, request.seed)
        return KeithleyTwin(Smu(model, cell, request.seed, request.pace or 1.0))

    def direct(self, request: TwinRequest, capabilities: Capabilities, instrument: Instrument) -> Channel:
        """See TwinFamily. Another instrument's grid and converters stand in, which are the finer ones."""
        from hilcycler_simulators.direct import DirectChannel  # it imports instruments itself

        return DirectChannel(
            catalogue.make(request.cell, request.seed), "nexus1", request.seed, capabilities, instrument
        )


twin = KeithleyFamily()
