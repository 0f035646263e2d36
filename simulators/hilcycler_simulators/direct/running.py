"""One step on the simulated hardware: loop after loop, window after window."""

from __future__ import annotations

import numpy as np

from hilcycler.channel import ConditionMet, EnvelopeCrossed, Measured
from hilcycler.protocol import Envelope, Violation
from hilcycler_drivers.emstat.judging import LIMITS
from hilcycler_drivers.emstat.program import Cause
from hilcycler_simulators.direct.compiled import Compiled, Part
from hilcycler_simulators.direct.deciding import Gate, Judge, Ledger
from hilcycler_simulators.direct.hardware import Hardware
from hilcycler_simulators.direct.looking import Glances
from hilcycler_simulators.direct.recorded import Recorded
from hilcycler_simulators.instruments.emstat.runner import WINDOW
from hilcycler_simulators.instruments.emstat.sweeps import Steady, Sweep
from hilcycler_simulators.instruments.emstat.values import Value


def run(hardware: Hardware, compiled: Compiled, envelope: Envelope) -> list[Measured]:
    """All that the step measures, up to and with how it ended."""
    return _Running(hardware, compiled, envelope).run()


class _Running:
    def __init__(self, hardware: Hardware, compiled: Compiled, envelope: Envelope) -> None:
        self._hardware, self._unit = hardware, hardware.unit
        self._compiled, self._envelope = compiled, envelope
        self._recorded = Recorded(compiled.program)
        self._gate = Gate(compiled.recording)
        self._ledger = Ledger()

    def run(self) -> list[Measured]:
        compiled, recorded = self._compiled, self._recorded
        self._hardware.turn_around()
        outcome = 0
        for part in compiled.parts:
            variables: dict[str, Value] = {}
            if compiled.hold and part is not compiled.parts[0]:
                left = compiled.lasts - recorded.time
                if outcome != compiled.hold or not left >= compiled.interval:
                    break
                outcome, variables = 0, {"y": Value(left, "eb")}
            outcome = self._loop(part, variables)
        self._unit.cell_off()
        if self._gate.open:
            recorded.put_last()
        recorded.deliver()
        # Arrived at the voltage with no time left to hold it: the time is what ended the step.
        return [*recorded.measured, self._ended(0 if outcome == compiled.hold else outcome)]

    def _loop(self, part: Part, variables: dict[str, Value]) -> int:
        """Its outcome: see `Judge.first`."""
        compiled = self._compiled
        fields = len(compiled.program.columns)
        technique = self._hardware.prepare(part, variables)
        judge = Judge(
            self._envelope,
            part.ends,
            compiled.interval,
            self._ledger,
            current=fields == 3,
            integrate=compiled.integrate,
        )
        for sweep in technique.scans:
            outcome = self._spectrum(sweep) if fields == 4 else self._scan(sweep, judge)
            if outcome:
                return outcome
        return 0

    def _spectrum(self, sweep: Sweep) -> int:
        unit, origin = self._unit, self._unit.circuit.clock
        for row in range(sweep.rows):
            offsets = sweep.offsets(row, 1)
            ahead = offsets - (unit.circuit.clock - origin)
            look, columns = sweep.measure(row, ahead)
            self._recorded.put_point(float(offsets[0]) + (origin - unit.timer_origin), columns)
            look.commit(float(ahead[0]))
            unit.samples += 1
        return 0

    def _scan(self, sweep: Sweep, judge: Judge) -> int:
        unit, gate, recorded = self._unit, self._gate, self._recorded
        origin, first = unit.circuit.clock, 0
        glances = Glances(unit, judge, gate, recorded)
        glancing = sweep if isinstance(sweep, Steady) and glances.may(sweep, self._envelope) else None
        while first < sweep.rows:
            offsets = sweep.offsets(first, min(WINDOW, sweep.rows - first))
            behind = unit.circuit.clock - origin
            times = offsets - behind if behind else offsets
            timer = offsets + (origin - unit.timer_origin)
            if glancing is not None and glances.over(glancing, times, timer):
                first += len(times)
                continue
            look, columns = sweep.measure(first, times)
            timer = timer[: len(look.voltage)]
            voltage = columns["u"].values
            current = columns["i"].values if "i" in columns else np.zeros(len(voltage))
            rows, outcome = judge.first(timer, voltage, current)
            chosen = gate.chosen(timer[:rows], voltage[:rows], current[:rows], ended=outcome != 0)
            recorded.put(timer, columns, chosen)
            recorded.remember(timer, columns, rows - 1)
            look.commit(float(times[rows - 1]))
            unit.samples += rows
            first += rows
            if outcome:
                return outcome
        return 0

    def _ended(self, outcome: int) -> ConditionMet | EnvelopeCrossed:
        causes = self._compiled.program.causes
        if outcome == 0:
            cause = next(iter(causes.values()))
        elif outcome > 0:
            cause = Cause(end=outcome - 1)
        else:
            cause = Cause(limit=next(limit for limit, code in LIMITS.items() if code == outcome))
        recorded, limits = self._recorded, self._envelope
        elapsed = recorded.last_time if cause.elapsed is None else cause.elapsed
        match cause.limit:
            case None:
                return ConditionMet(cause.end, elapsed)
            case "voltage":
                violation = Violation("voltage", recorded.last_voltage, *limits.voltage)
            case "current":
                violation = Violation("current", recorded.last_current, *limits.current)
            case "charge":
                violation = Violation("charge", limits.charge, -limits.charge, limits.charge)
        return EnvelopeCrossed(violation, elapsed)
