"""Script variables, and the commands that only move numbers between them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, assert_never

from hilcycler_drivers.emstat.wire.script import (
    Argument,
    Command,
    Comparison,
    If,
    Literal,
    Loop,
    MeasureLoop,
    Number,
    Quoted,
    Statement,
    Variable,
    VarType,
)

UNSPECIFIED: Final = 0x0001
NOT_FINITE: Final = 0x0010
DIVISION_BY_ZERO: Final = 0x0028
ARRAY_INDEX: Final = 0x400F
PACKAGE_ORDER: Final = 0x401B
LITERAL_NOT_SUPPORTED: Final = 0x420D


@dataclass(frozen=True, slots=True)
class Value:
    """What a variable holds: an int or a float, and what it means.

    `status` and `range` came with the measurement, if it was `measured`.
    """

    number: float | int
    vartype: str = "aa"
    status: int = 0
    range: int = 0
    measured: bool = False


class Failure(Exception):
    """A runtime error: the script stops here, with the cell as it is."""

    def __init__(self, code: int, line: int) -> None:
        super().__init__(f"{code:04X} in line {line}")
        self.code, self.line = code, line


Variables: TypeAlias = dict[str, Value]
Package: TypeAlias = tuple[Value, ...]

ARITHMETIC: Final = frozenset({"add_var", "sub_var", "mul_var", "div_var", "mod_var", "pow_var", "log_var"})
PURE: Final = ARITHMETIC | {
    "var", "store_var", "copy_var", "alter_vartype", "int_to_float", "float_to_int", "timer_get",
    "pck_start", "pck_add", "pck_end", "breakloop", "abort", "send_string",
}  # fmt: skip
"""Commands that touch nothing but variables and the output."""


def is_pure(statements: tuple[Statement, ...]) -> bool:
    """Whether a body only computes and reports, so that it may run after its measurements."""
    for statement in statements:
        match statement:
            case Command(name) if name in PURE:
                continue
            case If(branches, otherwise) if all(is_pure(b.body) for b in branches) and is_pure(otherwise):
                continue
            case _:
                return False
    return True


def commands(statements: tuple[Statement, ...]) -> Iterator[Command]:
    """Every command within, also those that head a measurement loop, in order of their lines."""
    for statement in statements:
        match statement:
            case Command():
                yield statement
            case If(branches, otherwise):
                for branch in branches:
                    yield from commands(branch.body)
                yield from commands(otherwise)
            case MeasureLoop(command, body):
                yield command
                yield from commands(body)
            case Loop(_, body):
                yield from commands(body)
            case _:
                assert_never(statement)


def key(variable: Argument, variables: Mapping[str, Value], line: int) -> str:
    """Under which name a variable, or the array element its index now means, is kept."""
    if not isinstance(variable, Variable):
        raise Failure(LITERAL_NOT_SUPPORTED, line)
    if variable.index is None:
        return variable.name
    index = number(variable.index, variables, line)
    size = variables.get(f"{variable.name}[]")
    if size is None or not isinstance(index, int) or not 0 <= index < size.number:
        raise Failure(ARRAY_INDEX, line)
    return f"{variable.name}[{index}]"


def value(argument: Argument, variables: Mapping[str, Value], line: int) -> Value:
    """What a variable or a literal is; a variable never written is a failure."""
    if isinstance(argument, Literal):
        return Value(argument.mantissa if argument.is_integer else argument.value)
    found = variables.get(key(argument, variables, line))
    if found is None:
        raise Failure(UNSPECIFIED, line)
    return found


def number(argument: Number | Argument, variables: Mapping[str, Value], line: int) -> float | int:
    return value(argument, variables, line).number


def holds(comparison: Comparison, variables: Mapping[str, Value], line: int) -> bool:
    left = number(comparison.left, variables, line)
    right = number(comparison.right, variables, line)
    match comparison.operator:
        case "==":
            return left == right
        case "!=":
            return left != right
        case "<":
            return left < right
        case ">":
            return left > right
        case "<=":
            return left <= right
        case _:
            return left >= right


def assign(command: Command, variables: Variables) -> None:
    """Carry out a command that changes one variable and nothing else."""
    line, arguments = command.line, command.arguments
    if command.name == "var":
        return
    target = key(arguments[1] if command.name == "copy_var" else arguments[0], variables, line)
    match command.name:
        case "store_var":
            vartype = arguments[2]
            assert isinstance(vartype, VarType)
            variables[target] = Value(number(arguments[1], variables, line), vartype.code)
        case "copy_var":
            variables[target] = value(arguments[0], variables, line)
        case "alter_vartype":
            vartype = arguments[1]
            assert isinstance(vartype, VarType)
            variables[target] = replace(value(arguments[0], variables, line), vartype=vartype.code)
        case "int_to_float":
            old = value(arguments[0], variables, line)
            variables[target] = replace(old, number=float(old.number))
        case "float_to_int":
            old = value(arguments[0], variables, line)
            if not abs(old.number) < 2.0**31:
                raise Failure(NOT_FINITE, line)
            variables[target] = replace(old, number=int(old.number))
        case _:
            old = value(arguments[0], variables, line)
            operand = number(arguments[1], variables, line)
            variables[target] = replace(old, number=_arithmetic(command.name, old.number, operand, line))


def _arithmetic(name: str, left: float, right: float, line: int) -> float | int:
    result = _calculated(name, left, right, line)
    if isinstance(result, int):  # 32 bits, as the processor has them
        return (result + 2**31) % 2**32 - 2**31
    return result


def _calculated(name: str, left: float, right: float, line: int) -> float | int:
    whole = isinstance(left, int) and isinstance(right, int)
    try:
        match name:
            case "add_var":
                return left + right
            case "sub_var":
                return left - right
            case "mul_var":
                return left * right
            case "div_var" if whole:
                return int(math.copysign(abs(left) // abs(right), left * right))
            case "div_var":
                return left / right
            case "mod_var":
                return int(math.fmod(left, right)) if whole else math.fmod(left, right)
            case "pow_var":
                return int(left**right) if whole and right >= 0 else math.pow(left, right)
            case _:
                return math.log(left, right)
    except ZeroDivisionError:
        raise Failure(DIVISION_BY_ZERO, line) from None
    except (ValueError, OverflowError):
        raise Failure(NOT_FINITE, line) from None


def text(quoted: Argument, variables: Mapping[str, Value], line: int) -> str:
    """What `send_string` says: `{x}` in an f-string is the value of x."""
    assert isinstance(quoted, Quoted)
    if not quoted.formatted:
        return quoted.text
    parts = quoted.text.split("{")
    said = parts[0]
    for part in parts[1:]:
        name, _, rest = part.partition("}")
        held = variables.get(name)
        if held is None:
            raise Failure(UNSPECIFIED, line)
        said += f"{held.number + 0.0:g}" if isinstance(held.number, float) else str(held.number)
        said += rest
    return said
