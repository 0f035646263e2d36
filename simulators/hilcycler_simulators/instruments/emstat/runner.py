"""A script at work: a generator of output, each line with the simulated time at which it is due.

Between two outputs the runner can be interrupted (`h`, `Z`, `Y`, `R`), at a simulated time no later
than the end of what it has just put out. What it had foreseen beyond that time has not happened:
the cell lives only up to it, and the variables are those of the last sample before it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final, assert_never

import numpy as np

from hilcycler.quantities import Second
from hilcycler_drivers.emstat.wire import (
    LoopEnded,
    LoopStarted,
    RepeatEnded,
    RepeatStarted,
    Reply,
    ScanEnded,
    ScanStarted,
    encode,
)
from hilcycler_drivers.emstat.wire.script import Command, If, Loop, MeasureLoop, Script, Statement, VarType
from hilcycler_simulators.instruments.emstat.body import (
    ABORTED,
    BROKEN,
    GOES_ON,
    NO_LINES,
    Done,
    Grid,
    Outcome,
    Plain,
    run_plain,
    write,
)
from hilcycler_simulators.instruments.emstat.converter import Floats
from hilcycler_simulators.instruments.emstat.output import Interrupt, Judged, Output, PowerLost, Steps, Taken
from hilcycler_simulators.instruments.emstat.sweeps import Sweep
from hilcycler_simulators.instruments.emstat.techniques import MUST_BE_POSITIVE, NOT_SUPPORTED, prepare
from hilcycler_simulators.instruments.emstat.unit import BAD_VARTYPE, OUT_OF_BOUNDS, Unit
from hilcycler_simulators.instruments.emstat.values import PURE, Failure, Value, holds, is_pure, key, number
from hilcycler_simulators.instruments.emstat.vectorised import run_vectorised

WINDOW: Final = 8192
"""Samples looked ahead at once: bounds memory, and with it the cell's work that an abort wastes."""

_FEW: Final = 16
_BREATHE_EVERY: Final = 1000

_IGNORED: Final = frozenset(
    {"set_pgstat_chan", "set_max_bandwidth", "set_acquisition_frac", "set_acquisition_frac_autoadjust",
     "file_open", "file_close"}
)  # fmt: skip


class _Abort(Exception):
    """`Z`: the rest is skipped, `on_finished:` runs."""


class _AbortLoop(Exception):
    """`Y`: the current measurement loop ends."""


class Runner:
    """Runs one script on a unit. `vectorise`: run the bodies of measurement loops over whole grids."""

    def __init__(self, unit: Unit, script: Script, *, vectorise: bool = True) -> None:
        self._unit = unit
        self._script = script
        self._run_body = run_vectorised if vectorise else run_plain
        self._plain = Plain({})
        self._measuring = 0
        self._reversed = False
        self._metronome: tuple[Second, Second] | None = None  # next tick, period
        self._halted: Second = 0.0
        self._repeats = 0

    def run(self) -> Steps:
        """The whole script. Failure is a runtime error: `on_finished:` has not run."""
        for body in (self._script.body, self._script.on_finished):
            with suppress(_Abort):
                yield from self._block(body)

    # --- time and interrupts

    @property
    def _now(self) -> Second:
        return self._unit.circuit.clock

    def _say(self, message: Reply) -> Steps:
        data = encode(message)
        yield from self._put(data)

    def _put(self, data: bytes) -> Steps:
        interrupt = yield Output(data, np.array([len(data)]), np.array([self._now]), self._now)
        yield from self._obey(interrupt)

    def _pass(self, seconds: Second) -> Steps:
        """Let time pass, under whatever the cell is under."""
        end = self._now + seconds
        while self._now < end:
            interrupt = yield Output.nothing(end)
            if interrupt is None:
                self._unit.circuit.pass_time(end - self._now)
                return
            self._unit.circuit.pass_time(interrupt.at - self._now)
            halted = self._halted
            yield from self._obey(interrupt)
            end += self._halted - halted

    def _obey(self, interrupt: Interrupt | None) -> Steps:
        while interrupt is not None:
            match interrupt.command:
                case "Z":
                    raise _Abort
                case "Y":
                    if self._measuring:
                        raise _AbortLoop
                    return
                case "R":
                    self._reversed = True
                    return
                case "h":
                    # The cell stays as it is; only the script stands still.
                    interrupt = yield Output.nothing(float("inf"))
                    if interrupt is not None:
                        self._halted += interrupt.at - self._now
                        self._unit.circuit.pass_time(interrupt.at - self._now)
                case "H":
                    return
                case "power":
                    raise PowerLost
                case _:
                    assert_never(interrupt.command)

    # --- statements

    def _block(self, body: tuple[Statement, ...]) -> Judged:
        for statement in body:
            match statement:
                case Command():
                    outcome = yield from self._command(statement)
                case If():
                    outcome = yield from self._if(statement)
                case Loop():
                    outcome = yield from self._loop(statement)
                case MeasureLoop():
                    outcome = yield from self._measure_loop(statement)
                case _:
                    assert_never(statement)
            if outcome != GOES_ON:
                return outcome
        return GOES_ON

    def _if(self, statement: If) -> Judged:
        for branch in statement.branches:
            if holds(branch.condition, self._plain.variables, branch.line):
                return (yield from self._block(branch.body))
        return (yield from self._block(statement.otherwise))

    def _loop(self, loop: Loop) -> Judged:
        yield from self._say(RepeatStarted())
        outcome: Outcome = GOES_ON
        try:
            while holds(loop.condition, self._plain.variables, loop.line):
                outcome = yield from self._block(loop.body)
                yield from self._breathe()
                if outcome != GOES_ON:
                    break
        except _Abort:
            yield from self._close(RepeatEnded())
            raise
        yield from self._say(RepeatEnded())
        return GOES_ON if outcome == BROKEN else outcome

    def _breathe(self) -> Steps:
        self._repeats += 1
        if self._repeats % _BREATHE_EVERY == 0:
            interrupt = yield Output.nothing(self._now, breath=True)
            yield from self._obey(interrupt)

    def _close(self, *messages: Reply) -> Steps:
        """Say the ends of what is being aborted; further commands make no difference any more."""
        for message in messages:
            data = encode(message)
            yield Output(data, np.array([len(data)]), np.array([self._now]), self._now)

    def _command(self, command: Command) -> Judged:
        line, arguments, variables = command.line, command.arguments, self._plain.variables
        if command.name in PURE:
            return (yield from self._pure(command))
        match command.name:
            case "wait":
                yield from self._pass(self._positive(command, 0))
            case "timer_start":
                self._unit.timer_origin = self._now
            case "set_int":
                period = self._positive(command, 0)
                self._metronome = (self._now + period, period)
            case "await_int":
                yield from self._await(line)
            case "array":
                variables[f"{arguments[0]}[]"] = Value(int(number(arguments[1], variables, line)))
            case "set_script_output":
                self._plain.muted = not int(number(arguments[0], variables, line)) & 1
            case "meas":
                yield from self._single(command)
            case name if name in _IGNORED:
                pass
            case _:
                self._set(command)
        return GOES_ON

    def _pure(self, command: Command) -> Judged:
        self._plain.timer = self._now - self._unit.timer_origin
        outcome = self._plain.do(command)
        if self._plain.said:
            data = write(self._plain.said).data
            self._plain.said.clear()
            yield from self._put(data)
        if outcome == ABORTED:
            raise _Abort
        return outcome

    def _positive(self, command: Command, argument: int) -> float:
        given = float(number(command.arguments[argument], self._plain.variables, command.line))
        if not given >= 0.0:
            raise Failure(MUST_BE_POSITIVE, command.line)
        if not given < float("inf"):
            raise Failure(OUT_OF_BOUNDS, command.line)
        return given

    def _await(self, line: int) -> Steps:
        if self._metronome is None or not self._metronome[1] > 0.0:
            raise Failure(MUST_BE_POSITIVE, line)
        tick, period = self._metronome
        if tick > self._now:
            yield from self._pass(tick - self._now)
        while tick <= self._now:
            tick += period
        self._metronome = (tick, period)

    def _single(self, command: Command) -> Steps:
        yield from self._pass(self._positive(command, 0))
        vartype = command.arguments[2]
        assert isinstance(vartype, VarType)
        look = self._unit.circuit.look(np.array([1e-9]))
        match vartype.code:
            case "ab":
                column = self._unit.voltage_column(look)
            case "ba":
                column = self._unit.current_column(look)
            case _:
                raise Failure(BAD_VARTYPE, command.line)
        self._unit.samples += 1
        self._plain.variables[key(command.arguments[1], self._plain.variables, command.line)] = column.at(0)

    def _set(self, command: Command) -> None:
        """Commands that set the hardware."""
        unit, line = self._unit, command.line
        numbers = [
            float(number(a, self._plain.variables, line))
            for a in command.arguments
            if not isinstance(a, VarType)
        ]
        vartype = next((a.code for a in command.arguments if isinstance(a, VarType)), "")
        match command.name:
            case "set_pgstat_mode":
                unit.set_mode(int(numbers[0]), line)
            case "set_e":
                unit.set_potential(numbers[0], line)
            case "set_i":
                unit.set_current(numbers[0], line)
            case "set_range":
                unit.set_range(vartype, numbers[0], numbers[0], line)
            case "set_autoranging":
                unit.set_range(vartype, numbers[0], numbers[1], line)
            case "set_range_minmax":
                unit.set_range(vartype, 0.0, max(map(abs, numbers)), line)
            case "cell_on":
                self._cell_on(command)
            case "cell_off":
                unit.cell_off()
            case _:
                raise Failure(NOT_SUPPORTED, line)

    def _cell_on(self, command: Command) -> None:
        for option in command.options:
            look = self._unit.circuit.look(np.array([1e-9]))
            name = key(option.arguments[0], self._plain.variables, command.line)
            self._plain.variables[name] = self._unit.voltage_column(look).at(0)
            self._unit.samples += 1
        self._unit.cell_on(command.line)

    # --- measurement loops

    def _measure_loop(self, loop: MeasureLoop) -> Judged:
        technique = prepare(self._unit, loop.command, self._plain.variables)
        scans = len(technique.scans) > 1
        outcome: Outcome = GOES_ON
        yield from self._say(LoopStarted(technique.number))
        self._measuring += 1
        self._reversed = False
        try:
            for n, sweep in enumerate(technique.scans):
                if scans:
                    yield from self._say(ScanStarted(n))
                outcome = yield from self._rows(sweep, loop.body)
                if scans:
                    yield from self._say(ScanEnded())
                if outcome != GOES_ON:
                    break
        except _AbortLoop:
            yield from self._close(*([ScanEnded()] * scans))
        except _Abort:
            yield from self._close(*([ScanEnded()] * scans), LoopEnded())
            raise
        finally:
            self._measuring -= 1
        yield from self._close(LoopEnded()) if outcome == ABORTED else self._say(LoopEnded())
        if outcome == ABORTED:
            raise _Abort
        return GOES_ON

    def _rows(self, sweep: Sweep, body: tuple[Statement, ...]) -> Judged:
        """One scan: window after window, or row after row where the body does more than compute."""
        origin, first = self._now, 0
        step = self._window if is_pure(body) else self._row
        while first < sweep.rows:
            offsets = sweep.offsets(first, min(WINDOW, sweep.rows - first))
            behind = self._now - origin
            if float(offsets[0]) <= behind:  # the body took longer than the interval
                origin += behind - float(offsets[0]) + 1e-6
                behind = self._now - origin
            halted = self._halted
            taken = _Rows(sweep, first, offsets - behind if behind else offsets, offsets)
            rows, outcome = yield from step(taken, body, origin)
            origin += self._halted - halted
            first += rows
            if outcome != GOES_ON:
                return outcome
            if self._reversed:
                self._reversed = False
                sweep = sweep.reversed_at(first)
        return GOES_ON

    def _window(self, taken: _Rows, body: tuple[Statement, ...], origin: Second) -> Taken:
        """Many rows at once; what an interrupt cuts off is run again up to the cut."""
        unit, start = self._unit, self._now
        look, columns = taken.sweep.measure(taken.first, taken.times)
        count = len(look.voltage)
        grid = Grid(columns, taken.offsets[:count] + (origin - unit.timer_origin))
        done = self._execute(body, grid)
        times = taken.times[: done.rows]
        end = float(times[-1])
        interrupt = yield Output(
            done.lines.data, done.lines.ends, start + times[done.lines.rows], start + end
        )
        if interrupt is not None:
            end = interrupt.at - start
            reached = int(np.searchsorted(start + times, interrupt.at, side="right"))
            if reached < done.rows:
                done = self._execute(body, grid.rows(0, reached))
        look.commit(end)
        unit.samples += done.rows
        self._plain.variables, self._plain.package = done.variables, done.package
        if done.failure is not None:
            raise done.failure
        yield from self._obey(interrupt)
        return done.rows, done.outcome

    def _execute(self, body: tuple[Statement, ...], grid: Grid) -> Done:
        plain = self._plain
        if len(grid) == 0:
            return Done(0, GOES_ON, NO_LINES, plain.variables, plain.package)
        run = self._run_body if len(grid) > _FEW else run_plain
        return run(body, grid, plain.variables, plain.package, muted=plain.muted)

    def _row(self, taken: _Rows, body: tuple[Statement, ...], origin: Second) -> Taken:  # noqa: ARG002
        """One row, after which the body may do whatever a script may."""
        start = self._now
        look, columns = taken.sweep.measure(taken.first, taken.times[:1])
        wait = float(taken.times[0])
        interrupt = yield Output.nothing(start + wait)
        if interrupt is not None and interrupt.at < start + wait:
            look.commit(interrupt.at - start)
            yield from self._obey(interrupt)
            return 0, GOES_ON
        look.commit(wait)
        self._unit.samples += 1
        for name, column in columns.items():
            self._plain.variables[name] = column.at(0)
        yield from self._obey(interrupt)
        outcome = yield from self._block(body)
        return 1, outcome


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of a sweep from `first` on: `times` from now, `offsets` from the scan's beginning."""

    sweep: Sweep
    first: int
    times: Floats
    offsets: Floats
