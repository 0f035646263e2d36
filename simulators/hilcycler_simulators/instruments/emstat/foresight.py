"""What can be known about the body of a measurement loop without running it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from hilcycler_drivers.emstat.wire.script import Argument, Command, If, Literal, Statement, Variable
from hilcycler_simulators.instruments.emstat.values import Value, commands


@dataclass(slots=True)
class Habit:
    """How far apart the events of a body were when it last ran, the row of the first, what they left."""

    gap: int = 0
    first: int = 0
    left: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Foresight:
    """What can be known about a body without running it.

    `carried`: variables that a row may read as an earlier row left them. For each, by how much it
    counts in every row, by how much at an event, whence an event copies it (else it is `reset`), and
    whether every row adds another variable to it (`sums`) or copies one into it (`follows`).
    """

    body: tuple[Statement, ...]
    carried: frozenset[str]
    counts: dict[str, Value] = field(default_factory=dict)
    steps: dict[str, Value] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)
    reset: set[str] = field(default_factory=set)
    sums: set[str] = field(default_factory=set)
    follows: set[str] = field(default_factory=set)
    habit: Habit = field(default_factory=Habit)

    def note(self, command: Command, target: str, *, always: bool) -> None:
        """What a command does to a carried variable: in every row, or only at events."""
        change = command.arguments[1] if len(command.arguments) > 1 else None
        match command.name:
            case "add_var" | "sub_var" if isinstance(change, Literal):
                sign = -1 if command.name == "sub_var" else 1
                by = Value(sign * (change.mantissa if change.is_integer else change.value))
                (self.counts if always else self.steps)[target] = by
            case "add_var" | "sub_var" if always:
                self.sums.add(target)
            case "copy_var" if always:
                self.follows.add(target)
            case "copy_var":
                self.copies[target] = str(command.arguments[0])
            case _:
                self.reset.add(target)


@lru_cache(maxsize=256)
def foresee(body: tuple[Statement, ...], outputs: frozenset[str]) -> Foresight | None:
    """None if the body uses array elements, which are not kept in columns.

    `outputs` are the variables that the loop itself writes before the body runs.
    """
    everything = list(commands(body))
    if any(isinstance(a, Variable) and a.index is not None for c in everything for a in c.arguments):
        return None
    carried: set[str] = set()
    written: set[str] = set()
    certain = _assigned(body, set(outputs), carried, written)
    seen = Foresight(body, frozenset(carried | (written - certain)))
    always = {id(statement) for statement in body}
    for command in everything:
        target = _target(command)
        if target is not None and target in seen.carried:
            seen.note(command, target, always=id(command) in always)
    return seen


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
