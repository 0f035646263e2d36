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

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilcycler_drivers.emstat.wire import Packages, encode
from hilcycler_drivers.emstat.wire.script import (
    Argument,
    Command,
    Comparison,
    If,
    Literal,
    Statement,
    Variable,
    VarType,
)
from hilcycler_simulators.instruments.emstat.body import (
    ABORTED,
    BROKEN,
    GOES_ON,
    Column,
    Done,
    Grid,
    Lines,
    Outcome,
    join,
    run_plain,
)
from hilcycler_simulators.instruments.emstat.converter import Bytes, Floats
from hilcycler_simulators.instruments.emstat.values import Package, Value, Variables, commands

Mask: TypeAlias = NDArray[np.bool_]
Numbers: TypeAlias = Any  # a column of float64 or int64, or one Python number for all rows

_FIRST_STRETCH: Final = 64
_LONG_STRETCH: Final = 4096
_STRETCH_GROWTH: Final = 8
_HARDLY_WORTH_IT: Final = 4
"""Rows a guess must carry on average, else some are run plainly before guessing again."""

_REFINEMENTS: Final = 3
_PLAIN_STRETCH: Final = 64
_LARGEST_INTEGER: Final = 2**31 - 1


def run_vectorised(
    body: tuple[Statement, ...], grid: Grid, variables: Variables, package: Package | None, *, muted: bool
) -> Done:
    """As `run_plain`, for pure bodies."""
    plan = _plan(body, frozenset(grid.columns))
    if plan is None or package is not None:
        return run_plain(body, grid, variables, package, muted=muted)
    return _Run(plan, grid, variables, muted).run()


@dataclass(slots=True)
class _Habit:
    """How far apart the events of a body were when it last ran, the row of the first, what they left."""

    gap: int = 0
    first: int = 0
    left: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What can be known about a body without running it.

    `carried`: variables that a row may read as an earlier row left them. For each, by how much it
    counts in every row, by how much at an event, whence an event copies it, and whether every row
    adds another variable to it (`sums`) or copies one into it (`follows`).
    """

    body: tuple[Statement, ...]
    carried: frozenset[str]
    counts: dict[str, Value]
    steps: dict[str, Value]
    reset: frozenset[str]
    copies: dict[str, str]
    sums: frozenset[str]
    follows: frozenset[str]
    habit: _Habit


@lru_cache(maxsize=256)
def _plan(body: tuple[Statement, ...], outputs: frozenset[str]) -> _Plan | None:
    """None if the body uses array elements, which are not kept in columns.

    `outputs` are the variables that the loop itself writes before the body runs.
    """
    everything = list(commands(body))
    if any(isinstance(a, Variable) and a.index is not None for c in everything for a in c.arguments):
        return None
    carried: set[str] = set()
    written: set[str] = set()
    certain = _assigned(body, set(outputs), carried, written)
    carried |= written - certain
    always = [c for c in body if isinstance(c, Command)]
    counts: dict[str, Value] = {}
    steps: dict[str, Value] = {}
    reset: set[str] = set()
    sums: set[str] = set()
    follows: set[str] = set()
    copies: dict[str, str] = {}
    for command in everything:
        target = _target(command)
        if target not in carried:
            continue
        change = command.arguments[1] if len(command.arguments) > 1 else None
        if command.name in {"add_var", "sub_var"} and isinstance(change, Literal):
            sign = -1 if command.name == "sub_var" else 1
            by = Value(sign * (change.mantissa if change.is_integer else change.value))
            (counts if any(command is c for c in always) else steps)[target] = by
        elif command.name in {"add_var", "sub_var"} and any(command is c for c in always):
            sums.add(target)
        elif command.name == "copy_var" and any(command is c for c in always):
            follows.add(target)
        elif command.name == "copy_var":
            copies[target] = str(command.arguments[0])
        else:
            reset.add(target)
    return _Plan(
        body,
        frozenset(carried),
        counts,
        steps,
        frozenset(reset),
        copies,
        frozenset(sums),
        frozenset(follows),
        _Habit(),
    )


def _assigned(
    body: tuple[Statement, ...], certain: set[str], carried: set[str], written: set[str]
) -> set[str]:
    """Variables certainly written by `body`; what may be read before goes to `carried`."""
    certain = set(certain)
    for statement in body:
        match statement:
            case If(branches, otherwise):
                for branch in branches:
                    carried |= _names(branch.condition.left, branch.condition.right) - certain
                arms = [_assigned(b.body, certain, carried, written) for b in branches]
                arms.append(_assigned(otherwise, certain, carried, written))
                certain = set.intersection(*arms)
            case Command():
                carried |= _names(*_reads(statement)) - certain
                if (target := _target(statement)) is not None:
                    written.add(target)
                    certain.add(target)
            case _:
                raise AssertionError(statement)
    return certain


def _target(command: Command) -> str | None:
    match command.name:
        case "copy_var":
            return str(command.arguments[1])
        case "pck_start" | "pck_add" | "pck_end" | "breakloop" | "abort" | "send_string" | "var":
            return None
        case _:
            return str(command.arguments[0])


def _reads(command: Command) -> tuple[Argument, ...]:
    match command.name:
        case "copy_var":
            return command.arguments[:1]
        case "store_var":
            return command.arguments[1:]
        case "timer_get" | "var":
            return ()
        case _:
            return command.arguments


def _names(*arguments: Argument) -> set[str]:
    return {a.name for a in arguments if isinstance(a, Variable)}


# --- columns --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Col:
    """A variable over the rows: numbers and metadata as columns, or one for all rows."""

    numbers: Numbers
    integer: bool
    vartype: str = "aa"
    measured: bool = False
    status: Any = 0
    ranges: Any = 0

    @property
    def kind(self) -> tuple[bool, str, bool]:
        return self.integer, self.vartype, self.measured

    def at(self, row: int) -> Value:
        number = _cell(self.numbers, row)
        return Value(
            int(number) if self.integer else float(number),
            self.vartype,
            int(_cell(self.status, row)),
            int(_cell(self.ranges, row)),
            self.measured,
        )


def _cell(column: Any, row: int) -> Any:  # noqa: ANN401  (a column or one number for all)
    return column[row] if isinstance(column, np.ndarray) else column


def _column(value: Value) -> _Col:
    return _Col(
        value.number, isinstance(value.number, int), value.vartype, value.measured, value.status, value.range
    )


@dataclass(slots=True)
class _Said:
    """A package at one place of the body: in which rows it was sent, and its columns."""

    mask: Mask | None
    columns: tuple[_Col, ...]


class _Sweep:
    """One execution of a body over `rows` rows, from guessed beginnings. Everything ends as columns.

    `exact` is the number of rows, from the first, in which nothing was met that columns cannot do.
    A mask tells for which rows a statement runs; None is all of them.
    """

    def __init__(self, grid: Grid, variables: dict[str, _Col]) -> None:
        self.rows = len(grid)
        self.variables = variables
        self.exact = self.rows
        self.said: list[_Said] = []
        self.stopped_at = self.rows
        self.outcome: Outcome = GOES_ON
        self.added: dict[str, _Col] = {}
        self._timer = grid.timer
        self._stopped: Mask | None = None  # rows left by breakloop or abort
        self._package: list[_Col] | None = None
        self._package_mask: Mask | None = None

    def run(self, body: tuple[Statement, ...]) -> None:
        with np.errstate(all="ignore"):
            self._block(body, None)
        if self._package is not None:
            self.exact = 0

    def _refuse(self, mask: Mask | None) -> None:
        """The rows of `mask` do what cannot be done in columns."""
        if mask is None:
            self.exact = 0
        elif mask.any():
            self.exact = min(self.exact, int(np.argmax(mask)))

    def _block(self, body: tuple[Statement, ...], mask: Mask | None) -> None:
        """Run for the rows of `mask`, less those that are left on the way."""
        for statement in body:
            stopped = self._stopped
            if isinstance(statement, If):
                self._if(statement, mask)
            else:
                assert isinstance(statement, Command)
                self._command(statement, mask)
            if self._stopped is not stopped:
                assert self._stopped is not None
                mask = ~self._stopped if mask is None else mask & ~self._stopped

    def _if(self, statement: If, mask: Mask | None) -> None:
        undecided = mask
        for branch in statement.branches:
            met = self._holds(branch.condition, undecided)
            how_many = np.count_nonzero(met)
            if how_many == self.rows:
                self._block(branch.body, None)
                return
            if how_many:
                self._block(branch.body, met)
            undecided = ~met if undecided is None else undecided & ~met
        if statement.otherwise and (undecided is None or undecided.any()):
            self._block(statement.otherwise, undecided)

    def _holds(self, comparison: Comparison, mask: Mask | None) -> Mask:
        """For which rows of `mask` the comparison holds."""
        left, right = self._value(comparison.left, mask), self._value(comparison.right, mask)
        if left is None or right is None:
            return np.zeros(self.rows, bool)
        met = _COMPARE[comparison.operator](left.numbers, right.numbers)
        everywhere: Mask = met if isinstance(met, np.ndarray) else np.full(self.rows, met)
        return everywhere if mask is None else everywhere & mask

    def _value(self, argument: Argument, mask: Mask | None) -> _Col | None:
        if isinstance(argument, Literal):
            number = argument.mantissa if argument.is_integer else argument.value
            return _Col(number, argument.is_integer)
        found = self.variables.get(str(argument))
        if found is None:
            self._refuse(mask)  # never written: a failure, which the plain run reports
        return found

    def _command(self, command: Command, mask: Mask | None) -> None:
        match command.name:
            case "breakloop" | "abort":
                self._stop(BROKEN if command.name == "breakloop" else ABORTED, mask)
            case "pck_start" | "pck_add" | "pck_end":
                self._pack(command, mask)
            case "timer_get":
                self._store(str(command.arguments[0]), _Col(self._timer, integer=False, vartype="eb"), mask)
            case "store_var":
                vartype = command.arguments[2]
                assert isinstance(vartype, VarType)
                if (source := self._value(command.arguments[1], mask)) is not None:
                    stored = _Col(source.numbers, source.integer, vartype.code)
                    self._store(str(command.arguments[0]), stored, mask)
            case "copy_var":
                if (source := self._value(command.arguments[0], mask)) is not None:
                    self._store(str(command.arguments[1]), source, mask)
            case "add_var" | "sub_var" | "mul_var" | "div_var":
                self._arithmetic(command, mask)
            case "var":
                pass
            case _:
                self._refuse(mask)

    def _stop(self, outcome: Outcome, mask: Mask | None) -> None:
        if self._package is not None:
            self._refuse(mask)
        first = 0 if mask is None else int(np.argmax(mask))
        if first < self.stopped_at:
            self.stopped_at, self.outcome = first, outcome
        leaving = np.ones(self.rows, bool) if mask is None else mask
        self._stopped = leaving if self._stopped is None else self._stopped | leaving

    def _pack(self, command: Command, mask: Mask | None) -> None:
        if command.name == "pck_start" and self._package is None:
            self._package, self._package_mask = [], mask
        elif self._package is None or mask is not self._package_mask:
            self._refuse(mask)
        elif command.name == "pck_add":
            if (column := self._value(command.arguments[0], mask)) is not None:
                self._package.append(column)
        else:
            if self._package:
                self.said.append(_Said(mask, tuple(self._package)))
            self._package = None

    def _arithmetic(self, command: Command, mask: Mask | None) -> None:
        name = str(command.arguments[0])
        old, operand = self._value(command.arguments[0], mask), self._value(command.arguments[1], mask)
        if old is None or operand is None:
            return
        integer = old.integer and operand.integer
        match command.name:
            case "add_var":
                result = old.numbers + operand.numbers
                self.added[name] = operand
            case "sub_var":
                result = old.numbers - operand.numbers
                self.added[name] = replace(operand, numbers=-operand.numbers)
            case "mul_var" if not integer:
                result = old.numbers * operand.numbers
            case "div_var" if not integer:
                self._refuse_where(operand.numbers == 0, mask)
                result = np.divide(old.numbers, operand.numbers)
            case _:
                self._refuse(mask)
                return
        if integer:
            self._refuse_where(np.abs(result) > _LARGEST_INTEGER, mask)
        self._store(name, _Col(result, integer, old.vartype, old.measured, old.status, old.ranges), mask)

    def _refuse_where(self, condition: Any, mask: Mask | None) -> None:  # noqa: ANN401  (a column or one bool)
        if np.any(condition):
            wrong = np.broadcast_to(condition, self.rows)
            self._refuse(wrong if mask is None else wrong & mask)

    def _store(self, name: str, new: _Col, mask: Mask | None) -> None:
        if mask is None:
            self.variables[name] = new
            return
        old = self.variables.get(name)
        if old is None or old.kind != new.kind:
            self._refuse(mask)
            return
        self.variables[name] = _Col(
            _merge(mask, new.numbers, old.numbers),
            old.integer,
            old.vartype,
            old.measured,
            _merge(mask, new.status, old.status),
            _merge(mask, new.ranges, old.ranges),
        )


_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def _merge(mask: Mask, new: Any, old: Any) -> Any:  # noqa: ANN401  (columns or single numbers)
    if new is old or (not isinstance(new, np.ndarray) and not isinstance(old, np.ndarray) and new == old):
        return old
    return np.where(mask, new, old)


# --- stretches ------------------------------------------------------------------------------


class _Run:
    """A grid, stretch by stretch."""

    def __init__(self, plan: _Plan, grid: Grid, variables: Variables, muted: bool) -> None:  # noqa: FBT001
        self._plan = plan
        self._grid = grid
        self._variables = dict(variables)
        self._muted = muted
        self._output: list[_Block | Lines] = []
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

    def _refined(self, guesses: dict[str, _Col], sweep: _Sweep, length: int) -> dict[str, _Col]:
        """Better guesses for what every row copies or adds, now that it is known what."""
        better = {}
        for name in self._plan.follows & guesses.keys():
            ended = sweep.variables[name]
            if ended.kind == guesses[name].kind:
                now = _column(self._variables[name])
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

    def _sweep(self, grid: Grid, guesses: dict[str, _Col]) -> _Sweep:
        start = {name: _column(v) for name, v in self._variables.items()} | guesses
        for name, column in grid.columns.items():
            start[name] = _Col(
                column.values,
                integer=False,
                vartype=column.vartype,
                measured=column.measured,
                status=0 if column.status is None else column.status,
                ranges=0 if column.ranges is None else column.ranges,
            )
        sweep = _Sweep(grid, start)
        sweep.run(self._plan.body)
        return sweep

    def _right(self, guesses: dict[str, _Col], sweep: _Sweep, length: int) -> int:
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

    def _guess(self, name: str, grid: Grid) -> _Col:
        """What `name` will be at the beginning of each row."""
        plan, now, length = self._plan, self._variables[name], len(grid)
        column = _column(now)
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

    def _keep(self, sweep: _Sweep, rows: int) -> None:
        if not self._muted:
            self._output += [block.shifted(self._row) for block in _said(sweep.said, rows)]
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
            return replace(done, rows=self._row, lines=_written(self._output))
        if done.package is not None:  # begun and not ended: the rest cannot be done in columns
            rest = self._grid.rows(self._row)
            more = run_plain(self._plan.body, rest, self._variables, done.package, muted=self._muted)
            self._output.append(more.lines.shifted(self._row))
            return replace(more, rows=self._row + more.rows, lines=_written(self._output))
        self._gap = 0
        return None

    def _done(self, outcome: Outcome) -> Done:
        if self._gap:
            self._plan.habit.gap, self._plan.habit.first = self._gap, self._last_event % self._gap
        return Done(self._row, outcome, _written(self._output), self._variables)


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


def _differ(a: _Col, b: _Col) -> bool:
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


def _held(column: _Col, held: Column, event: NDArray[np.intp], before: Mask) -> _Col:
    """What was copied at the last event, but before the first of them what `column` says."""
    numbers = np.where(before, column.numbers, held.values[event])
    if held.status is None or held.ranges is None:
        return replace(column, numbers=numbers)
    status = np.where(before, column.status, held.status[event])
    return replace(
        column, numbers=numbers, status=status, ranges=np.where(before, column.ranges, held.ranges[event])
    )


# --- output ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Block:
    """Packages of one layout, not yet written, and the rows they belong to."""

    layout: tuple[tuple[str, ...], tuple[bool, ...]]
    rows: NDArray[np.intp]
    values: Floats
    status: Bytes
    ranges: Bytes

    def shifted(self, rows: int) -> _Block:
        return replace(self, rows=self.rows + rows)

    def write(self) -> Lines:
        data = encode(Packages(*self.layout, self.values, self.status, self.ranges))
        length = len(data) // len(self.rows)
        return Lines(data, np.arange(1, len(self.rows) + 1) * length, self.rows)


def _said(said: list[_Said], rows: int) -> list[_Block]:
    """The packages sent in the first `rows` rows, in the order in which they were."""
    blocks = [block for one in said if len((block := _block(one, rows)).rows)]
    if len(blocks) <= 1:
        return blocks
    pieces = [
        (row, site, block, n)
        for site, block in enumerate(blocks)
        for n, row in enumerate(block.rows.tolist())
    ]
    pieces.sort(key=lambda piece: piece[:2])
    return [
        _Block(b.layout, b.rows[n : n + 1], b.values[n : n + 1], b.status[n : n + 1], b.ranges[n : n + 1])
        for _, _, b, n in pieces
    ]


def _block(said: _Said, rows: int) -> _Block:
    chosen = np.arange(rows) if said.mask is None else np.flatnonzero(said.mask[:rows])
    k = len(said.columns)
    values, status, ranges = np.empty((len(chosen), k)), *np.zeros((2, len(chosen), k), np.uint8)
    for j, column in enumerate(said.columns):
        values[:, j] = _taken(column.numbers, chosen)
        if column.measured:
            status[:, j] = _taken(column.status, chosen)
            ranges[:, j] = _taken(column.ranges, chosen)
    layout = tuple(c.vartype for c in said.columns), tuple(c.measured for c in said.columns)
    return _Block(layout, chosen, values, status, ranges)


def _written(output: Sequence[_Block | Lines]) -> Lines:
    """Everything as bytes, neighbours of one layout at once."""
    lines: list[Lines] = []
    for layout, group in groupby(output, key=lambda part: part.layout if isinstance(part, _Block) else None):
        parts = list(group)
        blocks = [part for part in parts if isinstance(part, _Block)]
        if layout is None:
            lines += [part for part in parts if isinstance(part, Lines)]
        elif len(blocks) == 1:
            lines.append(blocks[0].write())
        else:
            together = (
                np.concatenate([getattr(b, of) for b in blocks])
                for of in ("rows", "values", "status", "ranges")
            )
            lines.append(_Block(layout, *together).write())
    return join(lines)


def _taken(column: Any, chosen: NDArray[np.intp]) -> Any:  # noqa: ANN401
    return column[chosen] if isinstance(column, np.ndarray) else column
