"""Faults inside a simulated SMU: what it reads, what its relay does, when its power fails.

A place in the life of an EmStat is a script and a number of its packages; here it is how often the
output was switched on, and a number of readings since.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, assert_never

from hilcycler_simulators.faults import (
    At,
    Deaf,
    FirmwareError,
    InstrumentFault,
    NotANumber,
    OpenLead,
    Overload,
    Reboot,
    StuckOutput,
    StuckReading,
    WrongModel,
)

if TYPE_CHECKING:
    from hilcycler_simulators.instruments.keithley.firmware import Smu


class Mishaps:
    """The faults of one instrument, and how far it has come towards them."""

    def __init__(self, faults: Sequence[InstrumentFault] = ()) -> None:
        self._faults = faults
        self._readings = 0
        self._at = At(0, 0)
        self._happened: set[InstrumentFault] = set()

    @property
    def lead_off(self) -> float:
        """When, on the cell's clock, a lead comes off."""
        return min((fault.time for fault in self._faults if isinstance(fault, OpenLead)), default=math.inf)

    @property
    def relay_sticks(self) -> bool:
        return any(isinstance(fault, StuckOutput) for fault in self._faults)

    @property
    def announced(self) -> str | None:
        """The model that it says it is."""
        return next((fault.code for fault in self._faults if isinstance(fault, WrongModel)), None)

    def switched_on(self) -> None:
        self._at = At(self._at.script + 1, 0)

    def reading(self, smu: Smu) -> None:
        """A reading begins: now is when power fails and protections act. Raises LinkLost for the former."""
        for fault in self._faults:
            match fault:
                case Reboot(at, seconds) if at == self._at and fault not in self._happened:
                    self._happened.add(fault)
                    smu.cut_power(seconds)
                case FirmwareError(at, code) if at == self._at and fault not in self._happened:
                    self._happened.add(fault)
                    smu.output.on = False
                    smu.fail(code, "Output turned off by a protection")
                case _:
                    pass
        self._at = At(self._at.script, self._at.packages + 1)

    def spoil(self, true: tuple[float, float], last: tuple[float, float]) -> tuple[float, float]:
        """What it says instead of the reading `true`; `last` is what it said before."""
        number, self._readings = self._readings, self._readings + 1
        for fault in self._faults:
            match fault:
                case NotANumber(sample, count) if sample <= number < sample + count:
                    return math.nan, math.nan
                case StuckReading(sample) if number >= sample and not math.isnan(last[0]):
                    return last
                case Overload(sample) if number >= sample:
                    return true[0], math.copysign(math.inf, true[1])
                case (
                    NotANumber()
                    | StuckReading()
                    | Overload()
                    | StuckOutput()
                    | OpenLead()
                    | Reboot()
                    | FirmwareError()
                    | Deaf()
                    | WrongModel()
                ):
                    continue
                case _:
                    assert_never(fault)
        return true
