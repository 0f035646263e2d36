"""Writing scripts: short names for the statements of MethodSCRIPT, used by the compiler.

The variables of a compiled script are single letters, which every firmware accepts:

    t time     u voltage   i current    e set voltage   w which end (below zero: a limit)
    n samples since the last recorded one (0: record this one)
    v j voltage and current of the last recorded sample   d difference
    a |current|   q charge   x |charge|   g time of the last sample   y time that is left for a hold
    r samples recorded so far   z time from which the next one is due
    f r z n frequency, real and imaginary part, number of the point (spectra, which wait for nothing)
    b c h k l m p s o y memory of ends that wait for something to settle
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hilcycler_drivers.emstat.wire.script import (
    Argument,
    Branch,
    Command,
    Comparison,
    If,
    Literal,
    MeasureLoop,
    Number,
    Option,
    Quoted,
    Statement,
    Variable,
    VarType,
    integer,
    number,
)

Value = float | int | Literal | Variable | str


def var(name: str) -> Variable:
    return Variable(name)


def value(given: Value) -> Number:
    """A variable by its name, an int as an integer literal, a float as a literal in SI."""
    match given:
        case Variable() | Literal():
            return given
        case str():
            return Variable(given)
        case int():
            return integer(given)
        case float():
            return number(given)


def call(name: str, *arguments: Argument, options: Sequence[Option] = ()) -> Command:
    return Command(name, arguments, tuple(options))


def declare(names: Iterable[str]) -> list[Statement]:
    return [call("var", var(name)) for name in names]


def store(name: str, given: float, vartype: str = "ja") -> Command:
    literal = value(given)
    assert isinstance(literal, Literal)
    return call("store_var", var(name), literal, VarType(vartype))


def copy(source: str | Variable, target: str | Variable) -> Command:
    a, b = (Variable(each) if isinstance(each, str) else each for each in (source, target))
    return call("copy_var", a, b)


def change(verb: str, name: str, by: Value) -> Command:
    """`change("add", "n", 1)` is `add_var n 1i`."""
    return call(f"{verb}_var", var(name), value(by))


def compare(left: Value, operator: str, right: Value) -> Comparison:
    return Comparison(value(left), operator, value(right))


def when(conditions: Sequence[Comparison], *then: Statement) -> Statement:
    """`then` if all of `conditions` hold, as nested ifs."""
    body = tuple(then)
    for condition in reversed(conditions):
        body = (If((Branch(condition, body),)),)
    (statement,) = body
    return statement


def package(names: Iterable[str]) -> list[Statement]:
    return [call("pck_start"), *(call("pck_add", var(name)) for name in names), call("pck_end")]


def say(text: str) -> Command:
    return call("send_string", Quoted(text))


def magnitude(source: str, target: str) -> list[Statement]:
    """`target` becomes |source|."""
    copied = [] if source == target else [copy(source, target)]
    return [*copied, when([compare(target, "<", 0.0)], change("mul", target, -1.0))]


def measure(command: Command, body: Iterable[Statement]) -> MeasureLoop:
    return MeasureLoop(command, tuple(body))
