"""The measurement loops of a script: their arguments checked, their excitation set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from hilcycler.quantities import Second
from hilcycler_drivers.emstat.wire.script import Command, Option, Variable, VarType
from hilcycler_simulators.instruments.emstat.converter import Floats
from hilcycler_simulators.instruments.emstat.sweeps import (
    CurrentStaircase,
    Outputs,
    Spectrum,
    Staircase,
    Steady,
    Sweep,
)
from hilcycler_simulators.instruments.emstat.unit import (
    BAD_VARTYPE,
    GALVANOSTAT,
    HIGH_SPEED,
    INVALID_FOR_MODE,
    OUT_OF_BOUNDS,
    Unit,
)
from hilcycler_simulators.instruments.emstat.values import Failure, Value, number

BAD_FREQUENCY: Final = 0x0011
BAD_AMPLITUDE: Final = 0x0012
OCP_WITH_CELL_ON: Final = 0x0014
NOT_SUPPORTED: Final = 0x001B
NEEDS_CELL_ON: Final = 0x4027
AT_LEAST_ONE_STEP: Final = 0x4029
MUST_BE_POSITIVE: Final = 0x4204

_MOST_STEPS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Technique:
    """A measurement loop: the number its output begins with, and its scans."""

    number: int
    scans: Sequence[Sweep]


def prepare(unit: Unit, command: Command, variables: Mapping[str, Value]) -> Technique:
    """Check the arguments of a measurement loop and set its excitation; Failure as the firmware's."""
    line = command.line
    names = [a.name for a in command.arguments if isinstance(a, Variable)]
    outputs = {"ocp": 1, "eis": 3, "geis": 3}.get(command.name.removeprefix("meas_loop_"), 2)
    given = [float(number(a, variables, line)) for a in command.arguments[outputs:]]
    if not all(math.isfinite(g) for g in given):
        raise Failure(OUT_OF_BOUNDS, line)
    ask = _Ask(unit, names[:outputs], given, _extra(command), line)
    match command.name:
        case "meas_loop_ocp":
            return ask.open_circuit()
        case "meas_loop_ca":
            return ask.hold_potential()
        case "meas_loop_cp":
            return ask.hold_current()
        case "meas_loop_lsv":
            return ask.sweep_potential()
        case "meas_loop_lsp":
            return ask.sweep_current()
        case "meas_loop_cv":
            scans = next((o.arguments[0] for o in command.options if o.name == "nscans"), None)
            return ask.cyclic(1 if scans is None else int(number(scans, variables, line)))
        case "meas_loop_eis" | "meas_loop_geis":
            return ask.spectrum(galvanostatic=command.name == "meas_loop_geis", options=command.options)
        case _:
            raise Failure(NOT_SUPPORTED, line)


def _extra(command: Command) -> dict[str, str]:
    """Variables of `add_meas(channel type variable)`, and what each measures."""
    found: dict[str, str] = {}
    for option in command.options:
        if option.name == "add_meas":
            _, vartype, variable = option.arguments
            assert isinstance(vartype, VarType)
            assert isinstance(variable, Variable)
            if vartype.code not in {"ab", "ba"}:
                raise Failure(BAD_VARTYPE, command.line)
            found[variable.name] = vartype.code
    return found


# --- arguments ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ask:
    """A measurement loop's arguments, evaluated: `names` of its outputs, `given` its numbers."""

    unit: Unit
    names: Sequence[str]
    given: Sequence[float]
    extra: Mapping[str, str]
    line: int

    @property
    def _outputs(self) -> Outputs:
        return Outputs(self.unit, self.extra)

    def open_circuit(self) -> Technique:
        if self.unit.cell_is_on and not self.unit.stuck_output:
            raise Failure(OCP_WITH_CELL_ON, self.line)
        interval, duration = self.given
        own = dict(zip(self.names, ("ab",), strict=True))
        return Technique(
            0x000B, (Steady(self._outputs, own, 0.0, interval, self._count(interval, duration)),)
        )

    def hold_potential(self) -> Technique:
        volts, interval, duration = self.given
        self._need_cell_on()
        self.unit.drive_potential(volts, self.line)
        own = dict(zip(self.names, ("da", "ba"), strict=True))
        set_to = float(self.unit.converter.voltage_steps(np.array([volts]))[0])
        rows = self._count(interval, duration)
        return Technique(0x0007, (Steady(self._outputs, own, set_to, interval, rows),))

    def hold_current(self) -> Technique:
        amperes, interval, duration = self.given
        self._need_cell_on()
        self.unit.drive_current(amperes, self.line)
        own = dict(zip(self.names, ("ab", "db"), strict=True))
        set_to = float(self.unit.current_steps(np.array([amperes]))[0])
        rows = self._count(interval, duration)
        return Technique(0x000A, (Steady(self._outputs, own, set_to, interval, rows),))

    def sweep_potential(self) -> Technique:
        begin, end, step, rate = self.given
        steps = _stairs(begin, end, self._step(step), self.line)
        self._start_sweep(steps)
        own = dict(zip(self.names, ("da", "ba"), strict=True))
        return Technique(0x0000, (Staircase(self._outputs, own, steps, self._interval(step, rate)),))

    def sweep_current(self) -> Technique:
        begin, end, step, rate = self.given
        self._need_cell_on()
        steps = _stairs(begin, end, self._step(step), self.line)
        for extreme in (float(steps.min()), float(steps.max())):
            self.unit.drive_current(extreme, self.line)
        self.unit.drive_current(begin, self.line)
        own = dict(zip(self.names, ("ab", "db"), strict=True))
        interval = self._interval(step, rate)
        return Technique(0x000F, (CurrentStaircase(self._outputs, own, steps, interval, self.line),))

    def cyclic(self, scans: int) -> Technique:
        begin, first, second, step, rate = self.given
        if scans < 1:
            raise Failure(OUT_OF_BOUNDS, self.line)
        step = self._step(step)
        there = _stairs(begin, first, step, self.line)
        back = _stairs(float(there[-1]), second, step, self.line)[1:]
        home = _stairs(float(back[-1]) if len(back) else float(there[-1]), begin, step, self.line)[1:]
        cycle = np.concatenate((there, back, home))
        self._start_sweep(cycle)
        own = dict(zip(self.names, ("da", "ba"), strict=True))
        interval = self._interval(step, rate)

        def turn(now: float, row: int) -> Floats:
            """Towards the other vertex, then home."""
            other = second if row < len(there) else first
            away = _stairs(now, other, step, self.line)
            return np.concatenate((away, _stairs(float(away[-1]), begin, step, self.line)[1:]))

        scan = Staircase(self._outputs, own, cycle, interval, turn)
        again = Staircase(self._outputs, own, cycle[1:], interval)
        return Technique(0x0005, (scan, *(again for _ in range(scans - 1))))

    def spectrum(self, *, galvanostatic: bool, options: Sequence[Option]) -> Technique:
        amplitude, start, end, count, bias = self.given
        unit, device = self.unit, self.unit.device
        self._need_cell_on()
        if unit.settings.mode != (GALVANOSTAT if galvanostatic else HIGH_SPEED):
            raise Failure(INVALID_FOR_MODE, self.line)
        for frequency in (start, end):
            if not device.lowest_frequency <= frequency <= device.highest_frequency:
                raise Failure(BAD_FREQUENCY, self.line)
        highest = device.max_current if galvanostatic else device.highest_amplitude
        if not 0.0 < amplitude <= highest:
            raise Failure(BAD_AMPLITUDE, self.line)
        if not 1.0 <= count <= _MOST_STEPS:
            raise Failure(AT_LEAST_ONE_STEP, self.line)
        if galvanostatic:
            unit.drive_current(bias, self.line)
        else:
            unit.drive_potential(bias, self.line)
        if any(o.name == "eis_tdd" for o in options):
            raise Failure(NOT_SUPPORTED, self.line)
        acdc = next(([str(a) for a in o.arguments] for o in options if o.name == "eis_acdc"), [])
        frequencies = np.geomspace(start, end, int(count))
        sweep = Spectrum(unit, self.names, frequencies, amplitude, galvanostatic, acdc)
        return Technique(0x000E if galvanostatic else 0x000D, (sweep,))

    def _need_cell_on(self) -> None:
        if not self.unit.cell_is_on:
            raise Failure(NEEDS_CELL_ON, self.line)

    def _start_sweep(self, setpoints: Floats) -> None:
        self._need_cell_on()
        for extreme in (float(setpoints.min()), float(setpoints.max()), float(setpoints[0])):
            self.unit.drive_potential(extreme, self.line)

    def _count(self, interval: Second, duration: Second) -> int:
        if not interval >= self.unit.device.fastest:
            raise Failure(MUST_BE_POSITIVE if interval <= 0.0 else OUT_OF_BOUNDS, self.line)
        count = math.floor(duration / interval + 1e-6)
        if not count >= 1:
            raise Failure(AT_LEAST_ONE_STEP, self.line)
        return count

    def _step(self, step: float) -> float:
        if step == 0.0:
            raise Failure(MUST_BE_POSITIVE, self.line)
        return abs(step)

    def _interval(self, step: float, rate: float) -> Second:
        if not rate > 0.0:
            raise Failure(MUST_BE_POSITIVE, self.line)
        return max(abs(step) / rate, self.unit.device.fastest)


def _stairs(begin: float, end: float, step: float, line: int) -> Floats:
    """From `begin` towards `end` in steps, both included if the last step fits."""
    count = math.floor(abs(end - begin) / step + 1e-6)
    if count > _MOST_STEPS:
        raise Failure(OUT_OF_BOUNDS, line)
    return np.asarray(begin + np.arange(count + 1) * math.copysign(step, end - begin), np.float64)
