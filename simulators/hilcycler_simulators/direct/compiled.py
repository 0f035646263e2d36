"""A step's program taken apart: its measurement loops, what sets the hardware before each, what each judges."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from hilcycler.protocol import Envelope
from hilcycler.quantities import Second
from hilcycler.steps import (
    ChargeReached,
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    CyclicVoltammetry,
    End,
    LinearSweep,
    Rest,
    Sampling,
    Step,
    VoltageAbove,
    VoltageBelow,
)
from hilcycler_drivers.emstat import ending, refusal
from hilcycler_drivers.emstat.compile import compile_step
from hilcycler_drivers.emstat.program import Program
from hilcycler_drivers.emstat.recording import Recording
from hilcycler_drivers.emstat.wire.devices import Device
from hilcycler_drivers.emstat.wire.script import Command, If, MeasureLoop, Script, Statement

_HARDWARE: Final = frozenset(
    {"set_pgstat_mode", "set_range", "set_autoranging", "set_range_minmax", "set_e", "set_i", "cell_on",
     "timer_start"}
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One measurement loop: what sets the hardware before it, and the ends that it judges."""

    before: Script
    loop: MeasureLoop
    ends: tuple[tuple[int, End], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A program in parts. `hold` is the outcome of its first loop that leads into the second, 0 if none.

    `integrate`: the loops keep a ledger of charge. `lasts`: the common time limit of both loops.
    """

    program: Program
    parts: tuple[Part, ...]
    recording: Recording
    integrate: bool
    hold: int
    lasts: Second

    @property
    def interval(self) -> Second:
        """Between two samples."""
        return self.program.interval or 1.0


@lru_cache(maxsize=256)
def compiled(step: Step, envelope: Envelope, device: Device) -> Compiled:
    """The parts of `step`; StepRefused as the driver refuses it."""
    refusal.check(step, envelope, device, device.script_bits)
    program = compile_step(step, envelope, device)
    parts = tuple(_parts(step, program.script.body))
    sampled = isinstance(step, Rest | ConstantCurrent)
    names = ("u",) if isinstance(step, Rest) else ("u", "i")
    period = program.interval or 1.0
    sampling = getattr(step, "sampling", Sampling(decide=period, every=period))
    hold, lasts = 0, 0.0
    if isinstance(step, ConstantCurrentConstantVoltage):
        hold, lasts = len(step.ends) + 1, ending.time_limit(step.ends, None, envelope).seconds
    return Compiled(program, parts, Recording.of(sampling, period, names), not sampled, hold, lasts)


def _parts(step: Step, body: tuple[Statement, ...]) -> list[Part]:
    parts: list[Part] = []
    before: list[Statement] = []
    for statement in _flat(body):
        if isinstance(statement, MeasureLoop):
            parts.append(Part(Script(tuple(before)), statement, _ends(step, len(parts))))
            before = []
        elif isinstance(statement, Command) and statement.name in _HARDWARE:
            before.append(statement)
    return parts


def _flat(body: tuple[Statement, ...]) -> list[Statement]:
    """The statements in order; an `if` that holds a loop, as the way into a hold does, is entered."""
    found: list[Statement] = []
    for statement in body:
        if isinstance(statement, If):
            inner = [each for branch in statement.branches for each in _flat(branch.body)]
            found += inner if any(isinstance(each, MeasureLoop) for each in inner) else []
        else:
            found.append(statement)
    return found


def _ends(step: Step, number: int) -> tuple[tuple[int, End], ...]:
    """The ends that the loop `number` of a step judges."""
    match step:
        case Rest():
            return tuple(ending.judged(step.ends, None))
        case ConstantCurrent():
            return tuple(ending.judged(step.ends, step.current))
        case ConstantCurrentConstantVoltage() if number == 0:
            charges = [
                (at, end)
                for at, end in ending.judged(step.ends, None)
                if isinstance(end.condition, ChargeReached)
            ]
            arrived = VoltageAbove(step.voltage) if step.current > 0.0 else VoltageBelow(step.voltage)
            return (*charges, (len(step.ends), End(arrived)))
        case LinearSweep() | CyclicVoltammetry():
            return tuple(enumerate(step.ends))
        case _:
            return tuple(ending.judged(getattr(step, "ends", ()), None))
