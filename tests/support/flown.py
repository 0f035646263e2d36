"""Runs in virtual time on a twin with a fault, each record kept as bytes: for the flight recorder's tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hilcycler import registry
from hilcycler.cell import Cell
from hilcycler.flight import Flight
from hilcycler.journal import Settings
from hilcycler.language import loads
from hilcycler.links import Connect
from hilcycler.records import Record, RunStarted, SampleBlock, to_json
from hilcycler.service.foreground import Order, perform
from hilcycler.sink import Sink
from hilcycler_drivers.keithley.wire.models import MODELS
from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.faults import (
    At,
    Delayed,
    Dropped,
    Fault,
    FirmwareError,
    Garbage,
    LineFault,
    NotANumber,
    Reboot,
    Stalled,
    Unplugged,
)
from hilcycler_simulators.instruments.emstat import EmStatTwin
from hilcycler_simulators.instruments.keithley import KeithleyTwin
from hilcycler_simulators.instruments.keithley.firmware import Smu
from hilcycler_simulators.instruments.keithley.mishaps import Mishaps
from hilcycler_simulators.virtual_time import run as run_in_virtual_time

PROTOCOL = """\
protocol: a short one
safety: {voltage: -1 V to 1 V, current: -10 mA to 10 mA, charge: 2 mAh}
record: {every: 1 s}
steps:
  - rest: 10 s
  - repeat: 2
    steps:
      - plate: {current: 1 mA/cm2, for: 60 s}
      - strip: {current: 1 mA/cm2, for: 60 s}
"""


class Kept:
    """Every record as bytes, but for the name that each run is given by chance."""

    def __init__(self) -> None:
        self.records: list[bytes] = []

    def put(self, record: Record) -> None:
        match record:
            case SampleBlock():
                place = (record.sequence, record.step_count, record.step_index, record.cycle)
                columns = [
                    name.encode() + column.tobytes() for name, column in sorted(record.columns.items())
                ]
                self.records.append(b"|".join([repr(place).encode(), *columns]))
            case RunStarted():
                self.records.append(to_json(replace(record, run="")).encode())
            case _:
                self.records.append(to_json(record).encode())

    async def commit(self) -> None:
        pass


def twin_with(driver: str, faults: Sequence[Fault]) -> EmStatTwin | KeithleyTwin:
    cell = catalogue.make("li-li/bn-pp", 1)
    if driver == "emstat":
        return EmStatTwin(cell, faults=faults, pace=1.0)
    on_the_line = [each for each in faults if isinstance(each, LineFault)]
    inside = [each for each in faults if not isinstance(each, LineFault)]
    return KeithleyTwin(Smu(MODELS["2450"], cell, mishaps=Mishaps(inside)), on_the_line)


def order(driver: str, cell: Cell, reach: Connect, folder: Path) -> Order:
    folder.mkdir(exist_ok=True)
    return Order(
        protocol=loads(PROTOCOL).bind(cell),
        text=PROTOCOL,
        cell=cell,
        driver=registry.driver(driver),
        connect=reach,
        channel="one",
        folder=folder,
        simulated=True,
    )


def performed(wanted: Order, flight: Flight | None = None) -> list[bytes]:
    """The records of a run in virtual time, whatever becomes of it."""
    kept = Kept()

    def watch(_: object) -> Sink:
        return kept

    async def main() -> None:
        if flight is not None:
            flight.keep(wanted.folder, "20260101-recorded", wanted.driver.name)
        await perform(wanted, watch, Settings(inline=True))

    run_in_virtual_time(main())
    return kept.records


FAULTS: dict[str, tuple[list[Fault], bytes]] = {
    "none": ([], b"protocol complete"),
    "a byte is lost": ([Dropped(3000)], b"WireError"),
    "garbage": ([Garbage(2500, 7)], b"Error"),
    "late": ([Delayed(2600, 3.0)], b"run-ended"),
    "silence": ([Stalled(2700)], b"LinkTimeout"),
    "unplugged for good": ([Unplugged(2700)], b"off unconfirmed"),
    "unplugged and put back": ([Unplugged(2700, 4.0)], b"LinkLost"),
    "an error of the firmware": ([FirmwareError(At(1, 5))], b"InstrumentError"),
    "its power fails": ([Reboot(At(1, 5))], b"LinkLost"),
    "no number": ([NotANumber(30)], b"tripped"),
}
"""Each with a word that the records of a run hold when it has happened."""
