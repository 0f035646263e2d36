"""The simulated unit, made ready for one measurement loop after another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hilcycler_simulators.direct.compiled import Part
from hilcycler_simulators.instruments.emstat.circuit import Drive
from hilcycler_simulators.instruments.emstat.firmware import TURNAROUND
from hilcycler_simulators.instruments.emstat.runner import Runner
from hilcycler_simulators.instruments.emstat.sweeps import Steady
from hilcycler_simulators.instruments.emstat.techniques import Technique, prepare
from hilcycler_simulators.instruments.emstat.unit import Settings, Unit
from hilcycler_simulators.instruments.emstat.values import Value


@dataclass(frozen=True, slots=True)
class _Ready:
    """What a part's commands made of the hardware that they found as `found`."""

    found: Settings
    left: Settings
    drive: Drive
    technique: Technique


class Hardware:
    """A unit, and what the parts of steps have made of it before.

    A protocol repeats its steps, and the commands before a loop take no time and look at nothing but
    the settings: from the same settings they lead to the same, and need not be run again.
    """

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self._ready: dict[int, tuple[Part, _Ready]] = {}

    def turn_around(self) -> None:
        """The time that the firmware takes before a script."""
        self.unit.circuit.pass_time(TURNAROUND)

    def prepare(self, part: Part, variables: Mapping[str, Value]) -> Technique:
        """Run what comes before the loop of `part`, and the loop up to its first sample."""
        unit = self.unit
        _, known = self._ready.get(id(part), (part, None))
        if known is not None and not unit.cell_is_on and unit.settings == known.found:
            unit.settings = replace(known.left)
            unit.circuit.drive = known.drive
            unit.timer_origin = unit.circuit.clock
            return known.technique
        was_off, found = not unit.cell_is_on, replace(unit.settings)
        for _ in Runner(unit, part.before).run():
            pass
        technique = prepare(unit, part.loop.command, variables)
        if was_off and not variables and all(isinstance(scan, Steady) for scan in technique.scans):
            # The part is kept with it, so that its identity stays its own.
            self._ready[id(part)] = part, _Ready(found, replace(unit.settings), unit.circuit.drive, technique)
        return technique
