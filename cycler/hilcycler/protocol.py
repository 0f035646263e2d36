"""A protocol: an immutable tree of steps, repeats and groups, and the walk through it.

The walk is a generator that receives each step's result, so a hand-written adaptive protocol and a
protocol file look the same to the engine, and both are resumed after a crash by sending the
recorded results to a fresh generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilcycler.errors import RequestError
from hilcycler.quantities import Ampere, Coulomb, Kelvin, Volt
from hilcycler.steps import (
    NEXT,
    STOP,
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CyclicVoltammetry,
    End,
    GalvanostaticImpedance,
    LinearSweep,
    OperatorPause,
    PotentiostaticImpedance,
    Rest,
    SetTemperature,
    Step,
    StepResult,
)

_ENDLESS = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Envelope:
    """The safety limits. Crossing one is a trip: the cell is switched off and stays off.

    Each pair is (lowest, highest) allowed, signed. `charge` bounds the magnitude passed in one step.
    """

    voltage: tuple[Volt, Volt] = _ENDLESS
    current: tuple[Ampere, Ampere] = _ENDLESS
    charge: Coulomb = math.inf
    temperature: tuple[Kelvin, Kelvin] = (0.0, math.inf)

    def intersect(self, other: Envelope) -> Envelope:
        """What both allow. No protocol can widen the bench's envelope."""
        return Envelope(
            voltage=_narrow(self.voltage, other.voltage),
            current=_narrow(self.current, other.current),
            charge=min(self.charge, other.charge),
            temperature=_narrow(self.temperature, other.temperature),
        )

    def first_violation(self, voltage: NDArray[np.float64], current: NDArray[np.float64]) -> Violation | None:
        """The first sample outside, or None. Written so that NaN is outside."""
        for quantity, values, (lowest, highest) in (
            ("voltage", voltage, self.voltage),
            ("current", current, self.current),
        ):
            inside = (values >= lowest) & (values <= highest)
            if not inside.all():
                at = int(np.argmin(inside))
                return Violation(quantity, float(values[at]), lowest, highest)
        return None


@dataclass(frozen=True, slots=True)
class Violation:
    """Which limit was crossed, and by what value (SI). NaN: the reading itself was unusable."""

    quantity: str
    value: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{self.quantity} {self.value:.6g} outside {self.lowest:.6g} to {self.highest:.6g}"


@dataclass(frozen=True, slots=True)
class Repeat:
    """`body`, `times` times over. A repeat that holds no other repeat counts the cycles."""

    times: int
    body: tuple[Node, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Steps with common limits: `ends` apply to each of them, after its own."""

    body: tuple[Node, ...]
    ends: tuple[End, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Insert:
    """`body` in some passes of the repeat around it: every `every`-th, and those in `at` (from 1).

    A spectrum every 20 cycles, without leaving the repeat.
    """

    body: tuple[Node, ...]
    every: int = 0
    at: tuple[int, ...] = ()

    def runs_in(self, number: int) -> bool:
        """Whether the body runs in the pass `number` (from 1)."""
        return number in self.at or (self.every > 0 and number % self.every == 0)

    def count(self, passes: int) -> int:
        """In how many of the first `passes` the body runs."""
        listed = sum(1 for number in set(self.at) if 1 <= number <= passes and not self._periodic(number))
        return listed + (passes // self.every if self.every > 0 else 0)

    def _periodic(self, number: int) -> bool:
        return self.every > 0 and number % self.every == 0


Node: TypeAlias = Step | Repeat | Group | Insert


@dataclass(frozen=True, slots=True)
class Protocol:
    """An electrochemical procedure for one cell, with its safety limits.

    With `deciding`, the results decide which steps of `body` run, and how often: `body` is then the most
    that may happen.
    """

    name: str
    body: tuple[Node, ...]
    safety: Envelope = field(default_factory=Envelope)
    description: str = ""
    deciding: Deciding | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A step with its place: `index` in the protocol as written (from 1), `cycle` (from 0)."""

    step: Step
    index: int
    cycle: int


Plan: TypeAlias = Generator[Planned, StepResult, None]


@dataclass(frozen=True, slots=True)
class Deciding:
    """Decides what comes next from the results so far.

    `plan` is given the steps of the body, in order as written, and must be pure: after a restart a fresh
    plan is told the recorded results and then has to ask for the same steps. `name` and `version` are kept
    with the run: another version may decide otherwise, so a run does not go on with one.
    """

    name: str
    version: str
    plan: Callable[[Sequence[Step]], Plan]


class Extensions:
    """Cycles that people add to the repeat that is running: pairs of (in which cycle they asked, how many).

    A walk that is given the same pairs from its beginning takes the same way, so a restart replays them.
    """

    def __init__(self, given: Iterable[tuple[int, int]] = ()) -> None:
        self._given = list(given)
        self.cycle: int | None = None  # the walk's, while it is inside a repeat that counts cycles

    def add(self, cycles: int) -> int:
        """Add to the repeat that is running; returns the cycle that it is in. RequestError outside of one."""
        if cycles < 1:
            raise RequestError(f"extend by {cycles} cycles: expected 1 or more")
        if self.cycle is None:
            raise RequestError("no repeat is running that could be extended")
        self._given.append((self.cycle, cycles))
        return self.cycle

    def between(self, first: int, last: int) -> int:
        """How many were asked for in the cycles from `first` to `last`."""
        return sum(cycles for cycle, cycles in self._given if first <= cycle <= last)


def walk(protocol: Protocol, extensions: Extensions | None = None) -> Plan:
    """The steps of `protocol`: in order, following repeats and named exits, or as its `deciding` decides."""
    if protocol.deciding is not None:
        return _decided(protocol.deciding, steps_of(protocol.body))
    return _Walk(protocol, extensions or Extensions()).run()


def resume(
    make: Callable[[], Plan], results: Iterable[StepResult], taken: Sequence[tuple[int, int]] = ()
) -> tuple[Plan, Planned | None]:
    """A fresh plan, wound forward through recorded `results`; None if it is already at its end.

    `taken`: index and cycle of the steps that gave them. RequestError if the plan asks for others: it is
    not the plan that was begun, or it is not pure.
    """
    plan = make()
    try:
        planned = next(plan)
        for at, result in enumerate(results):
            if at < len(taken) and taken[at] != (planned.index, planned.cycle):
                index, cycle = taken[at]
                raise RequestError(
                    f"told the recorded results, the protocol asks for step {planned.index} of cycle "
                    f"{planned.cycle} where the run did step {index} of cycle {cycle}: it decides otherwise "
                    "than when the run was begun"
                )
            planned = plan.send(result)
    except StopIteration:
        return plan, None
    return plan, planned


def _decided(deciding: Deciding, steps: Sequence[Step]) -> Plan:
    """What `deciding` asks for, which must be among `steps`; an end that stops the run stops it in any case.

    RequestError for a step that was not written down, and so was checked by nobody.
    """
    plan = deciding.plan(steps)
    planned = next(plan, None)
    while planned is not None:
        if planned.step not in steps[planned.index - 1 : planned.index]:
            raise RequestError(
                f"{deciding.name} asks for a step {planned.index} that its protocol does not hold"
            )
        result = yield planned
        if result.end is not None and ends_of(planned.step)[result.end].then == STOP:
            plan.close()
            return
        try:
            planned = plan.send(result)
        except StopIteration:
            return


def steps_of(nodes: Sequence[Node], common: tuple[End, ...] = ()) -> tuple[Step, ...]:
    """Each step once, in order as written, with the common ends of the groups around it."""
    found: list[Step] = []
    for node in nodes:
        match node:
            case Group():
                found += steps_of(node.body, (*node.ends, *common))
            case Repeat() | Insert():
                found += steps_of(node.body, common)
            case _:
                found.append(with_ends(node, common))
    return tuple(found)


def count_steps(nodes: Sequence[Node]) -> int:
    """Steps that will run if no end leads elsewhere."""
    return int(total(nodes, lambda _: 1))


def total(
    nodes: Sequence[Node],
    of: Callable[[Step], float],
    passes: int = 1,
    common: tuple[End, ...] = (),
    inserts: tuple[Insert, ...] = (),
) -> float:
    """The sum of `of` over the steps that will run if no end leads elsewhere, in closed form.

    `of` sees each step as the walk gives it, with the common ends of the groups around it. `nodes`
    stand in a repeat of `passes`, within `inserts`.
    """
    runs = _runs(inserts, passes)
    result: float = 0
    for node in nodes if runs else ():
        match node:
            case Repeat():
                result += runs * total(node.body, of, node.times, common)
            case Group():
                result += total(node.body, of, passes, (*node.ends, *common), inserts)
            case Insert():
                result += total(node.body, of, passes, common, (*inserts, node))
            case _:
                result += runs * of(with_ends(node, common))
    return result


def _runs(inserts: tuple[Insert, ...], passes: int) -> int:
    """In how many of `passes` all of `inserts` run."""
    match inserts:
        case ():
            return passes
        case (only,):
            return only.count(passes)
        case _:
            return sum(all(each.runs_in(number) for each in inserts) for number in range(1, passes + 1))


class _Walk:
    """State of one walk: the cycle counter and the numbering of steps as written."""

    def __init__(self, protocol: Protocol, extensions: Extensions) -> None:
        self._body = protocol.body
        self._extensions = extensions
        self._cycle = 0

    def run(self) -> Plan:
        yield from self._nodes(self._body, 1, (), 1)

    def _nodes(
        self, nodes: Sequence[Node], index: int, common: tuple[End, ...], number: int
    ) -> Generator[Planned, StepResult, str]:
        """Walk `nodes` in pass `number`; the first has `index`. Returns where to go next."""
        for node in nodes:
            then = yield from self._node(node, index, common, number)
            if then != NEXT:
                return then
            index += _written(node)
        return NEXT

    def _node(
        self, node: Node, index: int, common: tuple[End, ...], number: int
    ) -> Generator[Planned, StepResult, str]:
        match node:
            case Repeat() if _holds_repeat(node.body):
                for own in range(1, node.times + 1):
                    then = yield from self._nodes(node.body, index, common, own)
                    if then != NEXT:
                        return NEXT if then == node.name else then
                return NEXT
            case Repeat():
                return (yield from self._cycles(node, index, common))
            case Group():
                then = yield from self._nodes(node.body, index, (*node.ends, *common), number)
                return NEXT if then == node.name else then
            case Insert():
                if not node.runs_in(number):
                    return NEXT
                return (yield from self._nodes(node.body, index, common, number))
            case _:
                step = with_ends(node, common)
                result = yield Planned(step, index, self._cycle)
                ends = ends_of(step)
                return NEXT if result.end is None else ends[result.end].then

    def _cycles(
        self, repeat: Repeat, index: int, common: tuple[End, ...]
    ) -> Generator[Planned, StepResult, str]:
        """A repeat that counts the cycles, with those that were added to it meanwhile."""
        first, own, then = self._cycle + 1, 0, NEXT
        while then == NEXT and own < repeat.times + self._extensions.between(first, self._cycle):
            own += 1
            self._cycle += 1
            self._extensions.cycle = self._cycle
            then = yield from self._nodes(repeat.body, index, common, own)
        self._extensions.cycle = None
        return NEXT if then == repeat.name else then


def ends_of(step: Step) -> tuple[End, ...]:
    """The ends of a step; empty for those that run their course."""
    match step:
        case PotentiostaticImpedance() | GalvanostaticImpedance() | OperatorPause():
            return ()
        case _:
            return step.ends


def with_ends(step: Step, common: tuple[End, ...]) -> Step:
    """`step` with the `common` ends of the groups around it, after its own; spectra and pauses take none."""
    if not common:
        return step
    match step:
        case (
            Rest()
            | ConstantCurrent()
            | ConstantVoltage()
            | ConstantCurrentConstantVoltage()
            | LinearSweep()
            | CyclicVoltammetry()
            | SetTemperature()
        ):
            return replace(step, ends=(*step.ends, *common))
        case PotentiostaticImpedance() | GalvanostaticImpedance() | OperatorPause():
            return step


def _written(node: Node) -> int:
    """How many steps a node holds as written."""
    match node:
        case Repeat() | Group() | Insert():
            return sum(_written(child) for child in node.body)
        case _:
            return 1


def _holds_repeat(nodes: Sequence[Node]) -> bool:
    return any(isinstance(n, Repeat) or (isinstance(n, Group) and _holds_repeat(n.body)) for n in nodes)


def _narrow(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    return max(a[0], b[0]), min(a[1], b[1])


__all__ = [
    "NEXT",
    "STOP",
    "Deciding",
    "Envelope",
    "Extensions",
    "Group",
    "Insert",
    "Node",
    "Plan",
    "Planned",
    "Protocol",
    "Repeat",
    "Violation",
    "count_steps",
    "ends_of",
    "resume",
    "steps_of",
    "total",
    "walk",
    "with_ends",
]
