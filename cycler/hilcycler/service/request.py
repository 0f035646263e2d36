"""What somebody wants to be run: as it comes in, as it waits in the queue, and as an order for a channel."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from hilcycler import registry
from hilcycler.bench_file import Bench, ChannelAt, reach, refuse_stranger, twin_of
from hilcycler.bench_state import Queued
from hilcycler.cell import Cell
from hilcycler.channel import Channel
from hilcycler.clock import Clock, HostClock
from hilcycler.errors import RequestError
from hilcycler.language import loads
from hilcycler.links import Connect
from hilcycler.protocol import Protocol
from hilcycler.records import Instrument
from hilcycler.service.order import Order
from hilcycler.twin import Twin

LONGEST_PROTOCOL: Final = 1 << 20
_CELL: Final[TypeAdapter[Cell]] = TypeAdapter(Cell)


class RunRequest(BaseModel):
    """A protocol for a cell. `cell` as the run file keeps it; None: the protocol's own, or a twin's.

    `accept`: dangers that somebody agrees to. `check_cell`: before the start, see that it is that cell;
    None: on an instrument yes, on a twin no.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    protocol: str = Field(max_length=LONGEST_PROTOCOL)
    cell: dict[str, Any] | None = None
    accept: frozenset[str] = frozenset()
    check_cell: bool | None = None


@dataclass(frozen=True, slots=True)
class Instruments:
    """Where the instrument of a channel is reached; a simulated one lives here, as long as the service."""

    at: ChannelAt
    twin: Twin | None
    driver: str

    @classmethod
    def of(cls, at: ChannelAt) -> Instruments:
        """RequestError for an unknown driver, model or cell."""
        if at.simulated is not None:
            driver, twin = twin_of(at)
            return cls(at, twin, driver)
        if at.instrument is None:
            raise RequestError(f"channel {at.name} has neither an instrument nor a simulated one")
        registry.driver(at.instrument.driver)
        return cls(at, None, at.instrument.driver)

    @property
    def address(self) -> str:
        """Where it is, for the lock on it; empty for a simulated one."""
        at = self.at.instrument
        return "" if at is None else at.address or str(at.usb)

    @property
    def connect(self) -> Connect:
        """What opens a link to it, wherever it is plugged in by then."""
        if self.twin is not None:
            return self.twin.connect
        assert self.at.instrument is not None
        return reach(self.at.instrument)

    @property
    def clock(self) -> Clock | None:
        """This host's, also for simulators behind an address; a twin within, faster than time, has its own."""
        simulated = self.at.simulated
        return HostClock() if simulated is None or simulated.pace == 1.0 else None

    def open(self) -> AbstractAsyncContextManager[Channel]:
        """Its channel, identified."""
        return registry.driver(self.driver).open(self.connect)

    def expect(self, who: Instrument) -> None:
        """WrongInstrument for whoever is not the bench's."""
        if self.at.instrument is not None:
            refuse_stranger(self.at.instrument, who)


def cell_of(request: RunRequest, instruments: Instruments) -> Cell:
    """The cell that is meant. RequestError if nothing says which."""
    if request.cell is not None:
        try:
            return _CELL.validate_python(request.cell)
        except ValueError as error:
            raise RequestError(f"cell: {error}") from None
    described = loads(request.protocol).cell
    if described is None and instruments.twin is not None:
        described = instruments.twin.cell
    if described is None:
        raise RequestError("the protocol describes no cell; say which: --cell")
    return described


def bound(request: RunRequest, cell: Cell) -> Protocol:
    """The protocol for the cell; RequestError names all that is wrong with it."""
    return loads(request.protocol).bind(cell)


def plain(cell: Cell) -> dict[str, Any]:
    """A cell as it waits in the queue."""
    kept: dict[str, Any] = _CELL.dump_python(cell, mode="json")
    return kept


def order_of(queued: Queued, bench: Bench, instruments: Instruments) -> Order:
    """What is to be done with the channel. RequestError if it no longer makes sense."""
    request = RunRequest.model_validate(queued.request)
    cell = cell_of(request, instruments)
    twin = instruments.twin
    return Order(
        protocol=bound(request, cell),
        text=request.protocol,
        cell=cell,
        driver=registry.driver(instruments.driver),
        connect=instruments.connect,
        channel=instruments.at.name,
        folder=bench.data,
        simulated=twin is not None,
        truth=None if twin is None else twin.truth,
        clock=instruments.clock,
        accepts=request.accept,
        flight=bench.storage.flight,
        check_cell=True if twin is None and request.check_cell is None else request.check_cell,
    )
