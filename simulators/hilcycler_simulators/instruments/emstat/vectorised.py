"""The body of a measurement loop, run over whole grids at once, with the same result as `run_plain`.

A body is executed statement by statement on columns, each `if` as a mask over the rows. What one
row leaves for the next (a counter, the value last recorded) cannot be known beforehand, so it is
guessed: counters count on, held values stay, and once two events in a row came at one distance,
events go on coming at it. The columns computed from a guess tell whether it was right: row k+1 must
begin as row k ended. Up to the first row where it does not, everything is exact, by induction from
the first row, whose beginning is known. There the guess starts afresh. Rows that do what cannot be
done in columns run plainly, one by one. So the guess decides how fast this is, never what comes out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hilcycler_drivers.emstat.wire.script import Statement
from hilcycler_simulators.instruments.emstat.body import (
    GOES_ON,
    Column,
    Done,
    Grid,
    Lines,
    Outcome,
    run_plain,
)
from hilcycler_simulators.instruments.emstat.columns import (
    Block,
    Col,
    Mask,
    Sweep,
    blocks,
    column_of,
    written,
)
from hilcycler_simulators.instruments.emstat.foresight import Foresight, foresee
from hilcycler_simulators.instruments.emstat.values import Package, Variables

_FIRST_STRETCH: Final = 64
_LONG_STRETCH: Final = 4096
_STRETCH_GROWTH: Final = 8
_HARDLY_WORTH_IT: Final = 4
"""Rows a guess must carry on average, else some are run plainly before guessing again."""

_REFINEMENTS: Final = 3
_PLAIN_STRETCH: Final = 64


def run_vectorised(
    body: tuple[Statement, ...], grid: Grid, variables: Variables, package: Package | None, *, muted: bool
) -> Done:
    """As `run_plain`, for pure bodies."""
    plan = foresee(body, frozenset(grid.columns))
    if plan is None or package is not None:
        return run_plain(body, grid, variables, package, muted=muted)
    return _Run(plan, grid, variables, muted).run()


class _Run:
    """A grid, stretch by stretch."""

    def __init__(self, plan: Foresight, grid: Grid, variables: Variables, muted: bool) -> None:  # noqa: FBT001
        self._plan = plan
        self._grid = grid
        self._variables = dict(variables)
        self._muted = muted
        self._output: list[Block | Lines] = []
        self._row = 0
        self._gap = plan.habit.gap  # rows from one event to the next, once two were alike
        self._last_event = plan.habit.first - self._gap if self._gap else -1
        self._last_gap = 0

    def run(self) -> Done:
        stretch, tries, carried = _LONG_STRETCH if self._gap else _FIRST_STRETCH, 0, 0
        while self._row < len(self._grid):
            begun = self._row
            outcome = self._stretch(min(stretch, len(self._grid) - self._row))
            if isinstance(outcome, Done):
                return outcome
            stretch = (
                stretch * _STRETCH_GROWTH if self._row - begun == stretch else max(stretch, _FIRST_STRETCH)
            )
            tries, carried = tries + 1, carried + self._row - begun
            if tries >= 8 and carried < tries * _HARDLY_WORTH_IT:
                tries = carried = 0
                if (done := self._plainly(min(_PLAIN_STRETCH, len(self._grid) - self._row))) is not None:
                    return done
        return self._done(GOES_ON)

    def _stretch(self, length: int) -> Done | None:
        """Guess and run `length` rows; keep those that were right, at least one."""
        grid = self._grid.rows(self._row, self._row + length)
        guesses = {name: self._guess(name, grid) for name in self._plan.carried if name in self._variables}
        sweep = self._sweep(grid, guesses)
        for _ in range(_REFINEMENTS):
            if not (better := self._refined(guesses, sweep, length)):
                break
            guesses |= better
            sweep = self._sweep(grid, guesses)
        right = min(sweep.exact, self._right(guesses, sweep, length))
        if right == 0:
            return self._plainly(1)
        stops = sweep.stopped_at < right
        rows = sweep.stopped_at + 1 if stops else right
        self._keep(sweep, rows)
        if not stops and rows < length:
            self._event(self._row - 1)
        return self._done(sweep.outcome) if stops else None

    def _refined(self, guesses: dict[str, Col], sweep: Sweep, length: int) -> dict[str, Col]:
        """Better guesses for what every row copies or adds, now that it is known what."""
        better = {}
        for name in self._plan.follows & guesses.keys():
            ended = sweep.variables[name]
            if ended.kind == guesses[name].kind:
                now = column_of(self._variables[name])
                better[name] = replace(
                    now,
                    numbers=_later(now.numbers, ended.numbers, length),
                    status=_later(now.status, ended.status, length),
                    ranges=_later(now.ranges, ended.ranges, length),
                )
        for name in self._plan.sums & guesses.keys() & sweep.added.keys():
            guess, added = guesses[name], sweep.added[name]
            if guess.integer == added.integer:
                ladder = np.add.accumulate(_later(self._variables[name].number, added.numbers, length))
                better[name] = replace(guess, numbers=ladder)
        return {name: column for name, column in better.items() if _differ(column, guesses[name])}

    def _sweep(self, grid: Grid, guesses: dict[str, Col]) -> Sweep:
        start = {name: column_of(v) for name, v in self._variables.items()} | guesses
        for name, column in grid.columns.items():
            start[name] = Col(
                column.values,
                integer=False,
                vartype=column.vartype,
                measured=column.measured,
                status=0 if column.status is None else column.status,
                ranges=0 if column.ranges is None else column.ranges,
            )
        sweep = Sweep(grid, start)
        sweep.run(self._plan.body)
        return sweep

    def _right(self, guesses: dict[str, Col], sweep: Sweep, length: int) -> int:
        """How many rows, from the first, began as guessed."""
        right = length
        for name in self._plan.carried:
            ended, guess = sweep.variables.get(name), guesses.get(name)
            if ended is None:
                continue
            if guess is None or guess.kind != ended.kind:
                return 1
            for was, said in (
                (ended.numbers, guess.numbers),
                (ended.status, guess.status),
                (ended.ranges, guess.ranges),
            ):
                wrong = _shifted(was, length) != _shifted(said, length, later=1)
                if wrong.any():
                    right = min(right, int(np.argmax(wrong)) + 1)
        return right

    def _guess(self, name: str, grid: Grid) -> Col:
        """What `name` will be at the beginning of each row."""
        plan, now, length = self._plan, self._variables[name], len(grid)
        column = column_of(now)
        phase = (self._row - 1 - self._last_event) % self._gap if self._gap else 0
        rows = np.arange(phase, phase + length)  # counted from the last event
        since, passed = (rows % self._gap, rows // self._gap) if self._gap else (rows, np.zeros(length, int))
        event = np.maximum(passed * self._gap - phase - 1, 0)  # the row of the event before each row
        by, step, source = plan.counts.get(name), plan.steps.get(name), plan.copies.get(name)
        if by is not None:
            counting = _counted(now.number, by.number, np.arange(length))
            if not self._gap or not (name in plan.reset or source is not None):
                return replace(column, numbers=counting)
            left = plan.habit.left.get(name, now.number)
            restarted = _counted(left, by.number, since)
            return replace(column, numbers=np.where(passed == 0, counting, restarted))
        if not self._gap:
            return column
        if step is not None:
            return replace(column, numbers=_counted(now.number, step.number, passed))
        if source in grid.columns:
            held = grid.columns[source]
            if column.kind == (False, held.vartype, held.measured):
                return _held(column, held, event, passed == 0)
        elif source is not None and column.kind == (False, "eb", False):
            return replace(column, numbers=np.where(passed == 0, now.number, grid.timer[event]))
        return column

    def _event(self, row: int) -> None:
        """The guess went wrong after `row`: something happened in it, or did not."""
        gap = row - self._last_event
        if not self._gap:
            self._gap = gap if gap == self._last_gap else 0
        elif gap % self._gap == 0:  # what was expected did not come
            self._gap = gap = 0
        self._last_gap, self._last_event = gap, row
        for name in self._plan.counts:
            self._plan.habit.left[name] = self._variables[name].number

    def _keep(self, sweep: Sweep, rows: int) -> None:
        if not self._muted:
            self._output += [block.shifted(self._row) for block in blocks(sweep.said, rows)]
        for name, column in sweep.variables.items():
            self._variables[name] = column.at(rows - 1)
        self._row += rows
        if self._gap:
            self._last_event += (self._row - 1 - self._last_event) // self._gap * self._gap

    def _plainly(self, rows: int) -> Done | None:
        grid = self._grid.rows(self._row, self._row + rows)
        done = run_plain(self._plan.body, grid, self._variables, None, muted=self._muted)
        self._output.append(done.lines.shifted(self._row))
        self._variables = done.variables
        self._row += done.rows
        if done.outcome != GOES_ON:
            return replace(done, rows=self._row, lines=written(self._output))
        if done.package is not None:  # begun and not ended: the rest cannot be done in columns
            rest = self._grid.rows(self._row)
            more = run_plain(self._plan.body, rest, self._variables, done.package, muted=self._muted)
            self._output.append(more.lines.shifted(self._row))
            return replace(more, rows=self._row + more.rows, lines=written(self._output))
        self._gap = 0
        return None

    def _done(self, outcome: Outcome) -> Done:
        if self._gap:
            self._plan.habit.gap, self._plan.habit.first = self._gap, self._last_event % self._gap
        return Done(self._row, outcome, written(self._output), self._variables)


def _counted(start: float, by: float, times: NDArray[np.intp]) -> Any:  # noqa: ANN401
    """`start` plus `by`, `times` times over; floats added one by one, as the body does."""
    if isinstance(start, int) and isinstance(by, int):
        return start + by * times
    most = int(times.max(initial=0))
    ladder = np.add.accumulate(np.concatenate(([float(start)], np.full(most, float(by)))))
    return ladder[times]


def _later(first: Any, column: Any, length: int) -> Any:  # noqa: ANN401
    """`first`, then the rows of a column up to the last but one: what each row finds."""
    return np.concatenate(([first], np.broadcast_to(np.asarray(column), length)[:-1]))


def _differ(a: Col, b: Col) -> bool:
    return not (
        np.all(np.equal(a.numbers, b.numbers))
        and np.all(np.equal(a.status, b.status))
        and np.all(np.equal(a.ranges, b.ranges))
    )


def _shifted(column: Any, length: int, later: int = 0) -> Any:  # noqa: ANN401
    """Rows 0 to n-2 of a column, or 1 to n-1; for a single number a column of it."""
    if isinstance(column, np.ndarray) and column.ndim:
        return column[later : length - 1 + later]
    return np.full(length - 1, column)


def _held(column: Col, held: Column, event: NDArray[np.intp], before: Mask) -> Col:
    """What was copied at the last event, but before the first of them what `column` says."""
    numbers = np.where(before, column.numbers, held.values[event])
    if held.status is None or held.ranges is None:
        return replace(column, numbers=numbers)
    status = np.where(before, column.status, held.status[event])
    return replace(
        column, numbers=numbers, status=status, ranges=np.where(before, column.ranges, held.ranges[event])
    )
