"""The tree of a script.

Script        = statements [ "on_finished:" statements ]
statement     = Command | MeasureLoop | Loop | If
argument      = Variable | Literal | VarType | Quoted
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from hilcycler_drivers.emstat.wire.packages import prefix_factor


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable, or one element of an array."""

    name: str
    index: Variable | Literal | None = None

    def __str__(self) -> str:
        return self.name if self.index is None else f"{self.name}[{self.index}]"


@dataclass(frozen=True, slots=True)
class Literal:
    """`mantissa` times the SI prefix; the prefix `i` marks an integer."""

    mantissa: int
    prefix: str = ""

    @property
    def value(self) -> float:
        """In SI."""
        multiply, divide = prefix_factor(self.prefix or " ")
        return self.mantissa * multiply / divide

    @property
    def is_integer(self) -> bool:
        return self.prefix == "i"

    def __str__(self) -> str:
        return f"{self.mantissa}{self.prefix}"


@dataclass(frozen=True, slots=True)
class VarType:
    """What a variable means, as two letters: see `vartypes`."""

    code: str

    def __str__(self) -> str:
        return self.code


@dataclass(frozen=True, slots=True)
class Quoted:
    """Text; with `formatted`, an f-string, in which `{x}` stands for a variable."""

    text: str
    formatted: bool = False

    def __str__(self) -> str:
        return f'{"f" * self.formatted}"{self.text}"'


Argument: TypeAlias = Variable | Literal | VarType | Quoted
Number: TypeAlias = Variable | Literal


@dataclass(frozen=True, slots=True)
class Option:
    """`nscans(2)`: an optional argument, after the others."""

    name: str
    arguments: tuple[Argument, ...]

    def __str__(self) -> str:
        return f"{self.name}({' '.join(map(str, self.arguments))})"


@dataclass(frozen=True, slots=True)
class Command:
    """Any command that is a line of its own."""

    name: str
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    line: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return " ".join(map(str, (self.name, *self.arguments, *self.options)))


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left operator right`, the operator one of == != < > <= >=."""

    left: Number
    operator: str
    right: Number

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"


@dataclass(frozen=True, slots=True)
class MeasureLoop:
    """`meas_loop_...` with the body that runs after each measurement."""

    command: Command
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """`loop`: repeats while the comparison holds."""

    condition: Comparison
    body: tuple[Statement, ...]
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Branch:
    """One arm of an If."""

    condition: Comparison
    body: tuple[Statement, ...]
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class If:
    """`if`, any number of `elseif`, perhaps `else`."""

    branches: tuple[Branch, ...]
    otherwise: tuple[Statement, ...] = ()


Statement: TypeAlias = Command | MeasureLoop | Loop | If


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script. `on_finished` runs at its end and on an abort, not after a runtime error."""

    body: tuple[Statement, ...]
    on_finished: tuple[Statement, ...] = ()
