"""A body executed once over many rows: every variable a column, each `if` a mask over the rows."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
    VarType,
)
from hilcycler_simulators.instruments.emstat.body import ABORTED, BROKEN, GOES_ON, Grid, Lines, Outcome, join
from hilcycler_simulators.instruments.emstat.converter import Bytes, Floats
from hilcycler_simulators.instruments.emstat.values import Value

Mask: TypeAlias = NDArray[np.bool_]
Numbers: TypeAlias = Any  # a column of float64 or int64, or one Python number for all rows

_LARGEST_INTEGER: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Col:
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


def column_of(value: Value) -> Col:
    return Col(
        value.number, isinstance(value.number, int), value.vartype, value.measured, value.status, value.range
    )


@dataclass(slots=True)
class Said:
    """A package at one place of the body: in which rows it was sent, and its columns."""

    mask: Mask | None
    columns: tuple[Col, ...]


class Sweep:
    """One execution of a body over `rows` rows, from guessed beginnings. Everything ends as columns.

    `exact` is the number of rows, from the first, in which nothing was met that columns cannot do.
    A mask tells for which rows a statement runs; None is all of them.
    """

    def __init__(self, grid: Grid, variables: dict[str, Col]) -> None:
        self.rows = len(grid)
        self.variables = variables
        self.exact = self.rows
        self.said: list[Said] = []
        self.stopped_at = self.rows
        self.outcome: Outcome = GOES_ON
        self.added: dict[str, Col] = {}
        self._timer = grid.timer
        self._stopped: Mask | None = None  # rows left by breakloop or abort
        self._package: list[Col] | None = None
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

    def _value(self, argument: Argument, mask: Mask | None) -> Col | None:
        if isinstance(argument, Literal):
            number = argument.mantissa if argument.is_integer else argument.value
            return Col(number, argument.is_integer)
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
                self._store(str(command.arguments[0]), Col(self._timer, integer=False, vartype="eb"), mask)
            case "store_var":
                vartype = command.arguments[2]
                assert isinstance(vartype, VarType)
                if (source := self._value(command.arguments[1], mask)) is not None:
                    stored = Col(source.numbers, source.integer, vartype.code)
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
                self.said.append(Said(mask, tuple(self._package)))
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
        self._store(name, Col(result, integer, old.vartype, old.measured, old.status, old.ranges), mask)

    def _refuse_where(self, condition: Any, mask: Mask | None) -> None:  # noqa: ANN401  (a column or one bool)
        if np.any(condition):
            wrong = np.broadcast_to(condition, self.rows)
            self._refuse(wrong if mask is None else wrong & mask)

    def _store(self, name: str, new: Col, mask: Mask | None) -> None:
        if mask is None:
            self.variables[name] = new
            return
        old = self.variables.get(name)
        if old is None or old.kind != new.kind:
            self._refuse(mask)
            return
        self.variables[name] = Col(
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


# --- output ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Block:
    """Packages of one layout, not yet written, and the rows they belong to."""

    layout: tuple[tuple[str, ...], tuple[bool, ...]]
    rows: NDArray[np.intp]
    values: Floats
    status: Bytes
    ranges: Bytes

    def shifted(self, rows: int) -> Block:
        return replace(self, rows=self.rows + rows)

    def write(self) -> Lines:
        data = encode(Packages(*self.layout, self.values, self.status, self.ranges))
        length = len(data) // len(self.rows)
        return Lines(data, np.arange(1, len(self.rows) + 1) * length, self.rows)


def blocks(said: list[Said], rows: int) -> list[Block]:
    """The packages sent in the first `rows` rows, in the order in which they were."""
    blocks = [block for one in said if len((block := _block_of(one, rows)).rows)]
    if len(blocks) <= 1:
        return blocks
    pieces = [
        (row, site, block, n)
        for site, block in enumerate(blocks)
        for n, row in enumerate(block.rows.tolist())
    ]
    pieces.sort(key=lambda piece: piece[:2])
    return [
        Block(b.layout, b.rows[n : n + 1], b.values[n : n + 1], b.status[n : n + 1], b.ranges[n : n + 1])
        for _, _, b, n in pieces
    ]


def _block_of(said: Said, rows: int) -> Block:
    chosen = np.arange(rows) if said.mask is None else np.flatnonzero(said.mask[:rows])
    k = len(said.columns)
    values, status, ranges = np.empty((len(chosen), k)), *np.zeros((2, len(chosen), k), np.uint8)
    for j, column in enumerate(said.columns):
        values[:, j] = _taken(column.numbers, chosen)
        if column.measured:
            status[:, j] = _taken(column.status, chosen)
            ranges[:, j] = _taken(column.ranges, chosen)
    layout = tuple(c.vartype for c in said.columns), tuple(c.measured for c in said.columns)
    return Block(layout, chosen, values, status, ranges)


def written(output: Sequence[Block | Lines]) -> Lines:
    """Everything as bytes, neighbours of one layout at once."""
    lines: list[Lines] = []
    for layout, group in groupby(output, key=lambda part: part.layout if isinstance(part, Block) else None):
        parts = list(group)
        blocks = [part for part in parts if isinstance(part, Block)]
        if layout is None:
            lines += [part for part in parts if isinstance(part, Lines)]
        elif len(blocks) == 1:
            lines.append(blocks[0].write())
        else:
            together = (
                np.concatenate([getattr(b, of) for b in blocks])
                for of in ("rows", "values", "status", "ranges")
            )
            lines.append(Block(layout, *together).write())
    return join(lines)


def _taken(column: Any, chosen: NDArray[np.intp]) -> Any:  # noqa: ANN401
    return column[chosen] if isinstance(column, np.ndarray) else column
