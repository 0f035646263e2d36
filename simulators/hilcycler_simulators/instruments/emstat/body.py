"""The body of a measurement loop, run sample by sample: the meaning of `vectorised`, and its judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilcycler_drivers.emstat.wire import Packages, Text, encode
from hilcycler_drivers.emstat.wire.script import Command, If, Statement
from hilcycler_simulators.instruments.emstat.converter import Bytes, Floats
from hilcycler_simulators.instruments.emstat.values import (
    PACKAGE_ORDER,
    Failure,
    Package,
    Value,
    Variables,
    assign,
    holds,
    key,
    text,
    value,
)

GOES_ON: Final = "goes on"
BROKEN: Final = "left by breakloop"
ABORTED: Final = "aborted"
FAILED: Final = "failed"
Outcome: TypeAlias = Literal["goes on", "left by breakloop", "aborted", "failed"]


@dataclass(frozen=True, slots=True)
class Column:
    """Samples of one output variable; `reading` metadata only where it was measured."""

    vartype: str
    values: Floats
    status: Bytes | None = None
    ranges: Bytes | None = None

    @property
    def measured(self) -> bool:
        return self.status is not None

    def at(self, row: int) -> Value:
        number = float(self.values[row])
        if self.status is None or self.ranges is None:
            return Value(number, self.vartype)
        return Value(number, self.vartype, int(self.status[row]), int(self.ranges[row]), measured=True)


@dataclass(frozen=True, slots=True)
class Grid:
    """Consecutive measurements: what the loop puts into which variables, and its timer's readings."""

    columns: dict[str, Column]
    timer: Floats

    def __len__(self) -> int:
        return len(self.timer)

    def rows(self, first: int, last: int | None = None) -> Grid:
        part = slice(first, last)
        columns = {
            name: Column(
                c.vartype,
                c.values[part],
                None if c.status is None else c.status[part],
                None if c.ranges is None else c.ranges[part],
            )
            for name, c in self.columns.items()
        }
        return Grid(columns, self.timer[part])


@dataclass(frozen=True, slots=True)
class Lines:
    """Output of a stretch of rows: line `i` ends before `data[ends[i]]` and belongs to `rows[i]`."""

    data: bytes
    ends: NDArray[np.intp]
    rows: NDArray[np.intp]

    def shifted(self, rows: int) -> Lines:
        return Lines(self.data, self.ends, self.rows + rows)


NO_LINES: Final = Lines(b"", np.empty(0, np.intp), np.empty(0, np.intp))


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a grid: how many of its rows ran, how they ended, what was said."""

    rows: int
    outcome: Outcome
    lines: Lines
    variables: Variables
    package: Package | None = None
    failure: Failure | None = None


@dataclass(slots=True)
class Plain:
    """Runs statements one after the other. `package` is one being put together; `muted` holds it back."""

    variables: Variables
    package: Package | None = None
    muted: bool = False
    said: list[tuple[int, Package | bytes]] = field(default_factory=list)
    row: int = 0
    timer: float = 0.0

    def run(self, statements: tuple[Statement, ...]) -> Outcome:
        """Pure statements only; Failure as it comes."""
        for statement in statements:
            outcome = GOES_ON
            match statement:
                case If(branches, otherwise):
                    for branch in branches:
                        if holds(branch.condition, self.variables, branch.line):
                            outcome = self.run(branch.body)
                            break
                    else:
                        outcome = self.run(otherwise)
                case Command():
                    outcome = self.do(statement)
                case _:
                    raise AssertionError(statement)
            if outcome != GOES_ON:
                return outcome
        return GOES_ON

    def do(self, command: Command) -> Outcome:
        """One pure command."""
        match command.name:
            case "breakloop":
                return BROKEN
            case "abort":
                return ABORTED
            case "pck_start":
                self.package = ()
            case "pck_add" | "pck_end" if self.package is None:
                raise Failure(PACKAGE_ORDER, command.line)
            case "pck_add":
                assert self.package is not None
                self.package += (value(command.arguments[0], self.variables, command.line),)
            case "pck_end":
                assert self.package is not None
                if self.package and not self.muted:
                    self.said.append((self.row, self.package))
                self.package = None
            case "send_string":
                said = text(command.arguments[0], self.variables, command.line)
                if not self.muted:
                    self.said.append((self.row, encode(Text(said))))
            case "timer_get":
                target = key(command.arguments[0], self.variables, command.line)
                self.variables[target] = Value(self.timer, "eb")
            case _:
                assign(command, self.variables)
        return GOES_ON


def run_plain(
    body: tuple[Statement, ...], grid: Grid, variables: Variables, package: Package | None, *, muted: bool
) -> Done:
    """Run `body` after each measurement of `grid`, from `variables` on; they are not changed."""
    plain = Plain(dict(variables), package, muted)
    outcome: Outcome = GOES_ON
    failure = None
    rows = 0
    try:
        for row in range(len(grid)):
            plain.row, plain.timer = row, float(grid.timer[row])
            for name, column in grid.columns.items():
                plain.variables[name] = column.at(row)
            rows = row + 1
            outcome = plain.run(body)
            if outcome != GOES_ON:
                break
    except Failure as error:
        outcome, failure = FAILED, error
    return Done(rows, outcome, write(plain.said), plain.variables, plain.package, failure)


def write(said: Sequence[tuple[int, Package | bytes]]) -> Lines:
    """Bytes of what was said, packages of one layout at a time."""
    data: list[bytes] = []
    lengths: list[int] = []
    at = 0
    while at < len(said):
        first = said[at][1]
        if isinstance(first, bytes):
            data.append(first)
            lengths.append(len(first))
            at += 1
            continue
        alike = [first]
        while at + len(alike) < len(said) and _same_layout(following := said[at + len(alike)][1], first):
            assert not isinstance(following, bytes)
            alike.append(following)
        block = encode(_packages(alike))
        data.append(block)
        lengths += [len(block) // len(alike)] * len(alike)
        at += len(alike)
    if not said:
        return NO_LINES
    return Lines(b"".join(data), np.cumsum(lengths), np.array([row for row, _ in said], np.intp))


def _same_layout(package: Package | bytes, first: Package) -> bool:
    return not isinstance(package, bytes) and [(v.vartype, v.measured) for v in package] == [
        (v.vartype, v.measured) for v in first
    ]


def _packages(alike: Sequence[Package]) -> Packages:
    first = alike[0]
    return Packages(
        tuple(v.vartype for v in first),
        tuple(v.measured for v in first),
        np.array([[v.number for v in package] for package in alike], np.float64),
        np.array([[v.status for v in package] for package in alike], np.uint8),
        np.array([[v.range for v in package] for package in alike], np.uint8),
    )


def join(parts: Sequence[Lines]) -> Lines:
    """One after the other."""
    parts = [part for part in parts if len(part.ends)]
    if len(parts) <= 1:
        return parts[0] if parts else NO_LINES
    offsets = np.cumsum([0, *(len(part.data) for part in parts[:-1])])
    return Lines(
        b"".join(part.data for part in parts),
        np.concatenate([part.ends + offset for part, offset in zip(parts, offsets, strict=True)]),
        np.concatenate([part.rows for part in parts]),
    )
