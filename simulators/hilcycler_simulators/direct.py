"""A channel straight on a simulated cell: the same steps, samples and decisions, and no bytes.

For preflight, which has months to go through in seconds. What the instrument is told is compiled by
the driver's own module, and what it measures comes from the simulated instrument's own converters, so
that grid, quantisation, ranges and noise are those of a run over the wire. What a script would decide
sample by sample is decided here in columns (`deciding`). No firmware, no link, no faults, no waiting.

An instrument that is no EmStat is stood in for by one of that family: its own capabilities and
refusals hold, but its samples are taken on a grid that it may not keep.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hilcycler.channel import Activity, Capabilities, ConditionMet, EnvelopeCrossed, Measured, Samples
from hilcycler.protocol import Envelope, Violation
from hilcycler.quantities import Second
from hilcycler.records import Instrument, OffState
from hilcycler.steps import (
    ChargeReached,
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    CyclicVoltammetry,
    End,
    LinearSweep,
    Rest,
    Sampling,
    SetTemperature,
    Step,
    TemperatureSettled,
    TimeReached,
    VoltageAbove,
    VoltageBelow,
)
from hilcycler_drivers.emstat import ending, refusal
from hilcycler_drivers.emstat.compile import compile_step
from hilcycler_drivers.emstat.judging import LIMITS
from hilcycler_drivers.emstat.measured import Stream
from hilcycler_drivers.emstat.program import NUMBER, Cause, Program
from hilcycler_drivers.emstat.recording import Recording
from hilcycler_drivers.emstat.wire import Packages
from hilcycler_drivers.emstat.wire.devices import DEVICES, Device
from hilcycler_drivers.emstat.wire.packages import quantise
from hilcycler_drivers.emstat.wire.script import Command, If, MeasureLoop, Script, Statement
from hilcycler_simulators.cells.terminals import SimulatedCell
from hilcycler_simulators.deciding import Gate, Judge, Ledger
from hilcycler_simulators.instruments.emstat.body import Column
from hilcycler_simulators.instruments.emstat.converter import Floats
from hilcycler_simulators.instruments.emstat.firmware import TURNAROUND
from hilcycler_simulators.instruments.emstat.runner import WINDOW, Runner
from hilcycler_simulators.instruments.emstat.sweeps import Steady, Sweep
from hilcycler_simulators.instruments.emstat.techniques import prepare
from hilcycler_simulators.instruments.emstat.unit import Unit
from hilcycler_simulators.instruments.emstat.values import Value

CHAMBER_RATE: Final = 2.0 / 60.0
"""Kelvin per second at which the imagined chamber heats and cools."""

_HARDWARE: Final = frozenset(
    {"set_pgstat_mode", "set_range", "set_autoranging", "set_range_minmax", "set_e", "set_i", "cell_on",
     "timer_start"}
)  # fmt: skip
_BEGINNING: Final = 64
"""Samples at the beginning of a step that are always looked at: there the voltage bends most."""
_MARGIN: Final = 2e-3
"""V: how near to a limit, noise included, every sample is looked at."""


class DirectChannel:
    """See hilcycler.channel.Channel. `capabilities` and `instrument` are those of whom it stands for."""

    def __init__(
        self, cell: SimulatedCell, code: str, seed: int, capabilities: Capabilities, instrument: Instrument
    ) -> None:
        self._device = DEVICES[code]
        self._unit = Unit.of(self._device, cell, seed)
        self._cell = cell
        self._capabilities = capabilities
        self._instrument = instrument
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
            _compiled(step, envelope, self._device)

    async def start(self, step: Step, envelope: Envelope) -> None:
        """See Channel. What cannot be run is refused when its records are asked for, at the latest."""
        self._running = step, envelope

    async def records(self) -> AsyncIterator[Measured]:
        """See Channel. All of the step at once."""
        assert self._running is not None, "no step is running"
        (step, envelope), self._running = self._running, None
        if isinstance(step, SetTemperature):
            for measured in self._heat(step):
                yield measured
            return
        running = _Running(self._unit, _compiled(step, envelope, self._device), envelope)
        for measured in running.run():
            yield measured

    async def safe(self) -> OffState:
        """See Channel."""
        self._unit.cell_off()
        return OffState.OFF

    async def state(self) -> Activity:
        """See Channel."""
        return Activity.IDLE

    async def adopt(self, step: Step, envelope: Envelope) -> bool:  # noqa: ARG002
        """See Channel: nothing goes on here unwatched."""
        return False

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
        look = self._unit.circuit.look(instants)
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


# --- what is compiled -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Part:
    """One measurement loop: what sets the hardware before it, and the ends that it judges."""

    before: Script
    loop: MeasureLoop
    ends: tuple[tuple[int, End], ...]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A program taken apart. `hold` is the outcome of its first loop that leads into the second."""

    program: Program
    parts: tuple[_Part, ...]
    recording: Recording
    integrate: bool
    hold: int
    lasts: Second


@lru_cache(maxsize=256)
def _compiled(step: Step, envelope: Envelope, device: Device) -> _Compiled:
    refusal.check(step, envelope, device, device.script_bits)
    program = compile_step(step, envelope, device)
    parts = tuple(_parts(step, program.script.body))
    sampled = isinstance(step, Rest | ConstantCurrent)
    names = ("u",) if isinstance(step, Rest) else ("u", "i")
    period = program.interval or 1.0
    sampling = getattr(step, "sampling", Sampling(decide=period, every=period))
    hold = len(step.ends) + 1 if isinstance(step, ConstantCurrentConstantVoltage) else 0
    lasts = ending.time_limit(step.ends, None, envelope).seconds if hold else 0.0  # type: ignore[union-attr]
    return _Compiled(program, parts, Recording.of(sampling, period, names), not sampled, hold, lasts)


def _parts(step: Step, body: tuple[Statement, ...]) -> list[_Part]:
    parts: list[_Part] = []
    before: list[Statement] = []
    for statement in _flat(body):
        if isinstance(statement, MeasureLoop):
            parts.append(_Part(Script(tuple(before)), statement, _ends(step, len(parts))))
            before = []
        elif isinstance(statement, Command) and statement.name in _HARDWARE:
            before.append(statement)
    return parts


def _flat(body: tuple[Statement, ...]) -> list[Statement]:
    """The statements in order; an `if` that holds a loop, as the way into a hold does, is entered."""
    found: list[Statement] = []
    for statement in body:
        if isinstance(statement, If):
            inner = [each for branch in statement.branches for each in _flat(branch.body)]
            found += inner if any(isinstance(each, MeasureLoop) for each in inner) else []
        else:
            found.append(statement)
    return found


def _ends(step: Step, number: int) -> tuple[tuple[int, End], ...]:
    """The ends that the loop `number` of a step judges."""
    match step:
        case Rest():
            return tuple(ending.judged(step.ends, None))
        case ConstantCurrent():
            return tuple(ending.judged(step.ends, step.current))
        case ConstantCurrentConstantVoltage() if number == 0:
            charges = [
                (at, end)
                for at, end in ending.judged(step.ends, None)
                if isinstance(end.condition, ChargeReached)
            ]
            arrived = VoltageAbove(step.voltage) if step.current > 0.0 else VoltageBelow(step.voltage)
            return (*charges, (len(step.ends), End(arrived)))
        case LinearSweep() | CyclicVoltammetry():
            return tuple(enumerate(step.ends))
        case _:
            return tuple(ending.judged(getattr(step, "ends", ()), None))


# --- what is run ----------------------------------------------------------------------------


class _Running:
    """One step on the hardware."""

    def __init__(self, unit: Unit, compiled: _Compiled, envelope: Envelope) -> None:
        self._unit, self._compiled, self._envelope = unit, compiled, envelope
        self._stream = Stream(compiled.program)
        self._gate = Gate(compiled.recording)
        self._ledger = Ledger()
        self._measured: list[Measured] = []
        self._pending: list[Packages] = []
        self._pending_rows = 0
        self._put_so_far = 0
        self._last: tuple[Floats, dict[str, Column]] | None = None
        self._time: Second = 0.0

    def run(self) -> list[Measured]:
        compiled, unit = self._compiled, self._unit
        unit.circuit.pass_time(TURNAROUND)
        outcome = 0
        for part in compiled.parts:
            if compiled.hold and part is not compiled.parts[0]:
                left = compiled.lasts - self._time
                if outcome != compiled.hold or not left >= (compiled.program.interval or 0.0):
                    break
                outcome = 0
                variables = {"y": Value(left, "eb")}
            else:
                variables = {}
            for _ in Runner(unit, part.before).run():
                pass
            outcome = self._loop(part, variables)
        unit.cell_off()
        if self._gate.open and self._last is not None:
            self._put(*self._last)
        self._deliver()
        if compiled.program.rows is None:
            self._stream.sent(self._stream.rows)
        # Arrived at the voltage with no time left to hold it: the time is what ended the step.
        self._measured.append(self._ended(0 if outcome == compiled.hold else outcome))
        return self._measured

    def _loop(self, part: _Part, variables: dict[str, Value]) -> int:
        technique = prepare(self._unit, part.loop.command, variables)
        columns = self._compiled.program.columns
        with_current = len(columns) == 3
        judge = Judge(
            self._envelope,
            part.ends,
            self._compiled.program.interval or 1.0,
            self._ledger,
            current=with_current,
            integrate=self._compiled.integrate,
        )
        spectrum = len(columns) == 4
        for sweep in technique.scans:
            outcome = self._spectrum(sweep) if spectrum else self._scan(sweep, judge)
            if outcome:
                return outcome
        return 0

    def _spectrum(self, sweep: Sweep) -> int:
        origin = self._unit.circuit.clock
        for row in range(sweep.rows):
            offsets = sweep.offsets(row, 1)
            look, columns = sweep.measure(row, offsets - (self._unit.circuit.clock - origin))
            timer = offsets + (origin - self._unit.timer_origin)
            self._put(timer, columns, np.arange(1))
            look.commit(float(offsets[0]) - (self._unit.circuit.clock - origin))
            self._unit.samples += 1
        return 0

    def _scan(self, sweep: Sweep, judge: Judge) -> int:
        unit, origin, first = self._unit, self._unit.circuit.clock, 0
        periodic = not self._compiled.recording.changes and self._compiled.recording.growth is None
        thin = isinstance(sweep, Steady) and judge.only_voltages and periodic
        while first < sweep.rows:
            offsets = sweep.offsets(first, min(WINDOW, sweep.rows - first))
            behind = unit.circuit.clock - origin
            times = offsets - behind if behind else offsets
            timer = offsets + (origin - unit.timer_origin)
            if thin and isinstance(sweep, Steady) and self._thinly(sweep, judge, first, times, timer):
                first += len(times)
                continue
            look, columns = sweep.measure(first, times)
            timer = timer[: len(look.voltage)]
            voltage = columns["u"].values
            current = columns["i"].values if "i" in columns else np.zeros(len(voltage))
            rows, outcome = judge.first(timer, voltage, current)
            chosen = self._gate.chosen(timer[:rows], voltage[:rows], current[:rows], ended=outcome != 0)
            self._put(timer, columns, chosen)
            self._remember(timer, columns, rows - 1)
            look.commit(float(times[rows - 1]))
            unit.samples += rows
            first += rows
            if outcome:
                return outcome
        return 0

    def _thinly(self, sweep: Steady, judge: Judge, first: int, times: Floats, timer: Floats) -> bool:
        """Look at the recorded samples only, where no limit is near; False, with nothing done, if one is.

        Near is nearer than the largest change between two of those samples.
        """
        count, rows = self._compiled.recording.count, len(times)
        if count < 4 or rows < 2 * _BEGINNING:
            return False
        due = (-first) % count
        looked = np.unique(np.concatenate((np.arange(_BEGINNING), np.arange(due, rows, count), [rows - 1])))
        unit = self._unit
        look = unit.circuit.look(times[looked])
        seen = look.voltage
        if len(seen) < len(looked) or look.saturated:
            return False
        margin = float(np.abs(np.diff(seen)).max()) + _MARGIN
        low, high = judge.bounds()
        if not (low + margin < float(seen.min()) and float(seen.max()) < high - margin):
            return False
        lowest, highest = self._envelope.current
        current = sweep.setpoint if sweep.own.get("i") == "db" else 0.0
        if not lowest <= current <= highest:
            return False
        chosen = np.append(self._gate.due(rows), rows - 1)  # and the last, should it turn out to be
        settings = unit.settings
        at = np.searchsorted(looked, chosen)
        reading = unit.converter.read_voltage(seen[at], unit.samples, settings.potential_range, chosen)
        columns = {"u": Column("ab", reading.values, reading.status, reading.ranges)}
        if current:
            columns["i"] = Column("db", np.full(len(chosen), current))
        self._put(timer[chosen], columns, np.arange(len(chosen) - 1))
        self._remember(timer[chosen], columns, len(chosen) - 1)
        look.commit(float(times[-1]))
        unit.samples += rows
        judge.skip(rows)
        return True

    def _remember(self, timer: Floats, columns: dict[str, Column], row: int) -> None:
        """The last sample, which is recorded at the end if it was not."""
        last = {
            name: Column(
                c.vartype,
                c.values[row : row + 1],
                None if c.status is None else c.status[row : row + 1],
                None if c.ranges is None else c.ranges[row : row + 1],
            )
            for name, c in columns.items()
        }
        self._last = timer[row : row + 1], last
        self._time = float(timer[row])

    def _put(self, timer: Floats, columns: dict[str, Column], chosen: NDArray[np.intp] | None = None) -> None:
        """Record the `chosen` samples, as they would read after the wire."""
        rows = np.arange(len(timer)) if chosen is None else chosen
        if not len(rows):
            return
        wide = len(self._compiled.program.columns) == 4
        names = ("f", "r", "z") if wide else ("u", "i")[: len(self._compiled.program.columns) - 1]
        taken = [columns[name] for name in names]
        values = np.empty((len(rows), len(taken) + 2))
        status, ranges = np.zeros((2, len(rows), len(taken) + 2), np.uint8)
        values[:, 0] = timer[rows]
        values[:, -1] = np.arange(self._put_so_far + 1, self._put_so_far + len(rows) + 1)
        self._put_so_far += len(rows)
        for at, column in enumerate(taken, start=1):
            values[:, at] = column.values[rows]
            if column.status is not None and column.ranges is not None:
                status[:, at], ranges[:, at] = column.status[rows], column.ranges[rows]
        packages = Packages(
            ("eb", *(column.vartype for column in taken), NUMBER),
            (False, *(column.measured for column in taken), False),
            values,
            status,
            ranges,
        )
        if self._pending and self._pending[0].measured != packages.measured:
            self._deliver()  # a current that was set, then one that is measured
        self._pending.append(packages)
        self._pending_rows += len(rows)
        if self._pending_rows > WINDOW:
            self._deliver()

    def _deliver(self) -> None:
        """What was recorded and not yet handed on, as one block."""
        if not self._pending:
            return
        first, values = self._pending[0], np.concatenate([each.values for each in self._pending])
        status = np.concatenate([each.status for each in self._pending])
        ranges = np.concatenate([each.ranges for each in self._pending])
        self._pending, self._pending_rows = [], 0
        packages = Packages(first.vartypes, first.measured, quantise(values), status, ranges)
        self._measured += self._stream.take(packages)

    def _ended(self, outcome: int) -> ConditionMet | EnvelopeCrossed:
        causes = self._compiled.program.causes
        if outcome == 0:
            cause = next(iter(causes.values()))
        elif outcome > 0:
            cause = Cause(end=outcome - 1)
        else:
            cause = Cause(limit=next(limit for limit, code in LIMITS.items() if code == outcome))
        stream, limits = self._stream, self._envelope
        elapsed = stream.finish(cause.elapsed)
        match cause.limit:
            case None:
                return ConditionMet(cause.end, elapsed)
            case "voltage":
                violation = Violation("voltage", stream.last_voltage, *limits.voltage)
            case "current":
                violation = Violation("current", stream.last_current, *limits.current)
            case "charge":
                violation = Violation("charge", limits.charge, -limits.charge, limits.charge)
        return EnvelopeCrossed(violation, elapsed)
