"""What another program's form cannot say: each by a name, and all of them at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from hilcycler.errors import RequestError
from hilcycler.protocol import ends_of
from hilcycler.quantities import Ampere, Second, Volt
from hilcycler.steps import (
    NEXT,
    ChargeReached,
    ConstantCurrent,
    CurrentBelow,
    Step,
    TimeReached,
    VoltageAbove,
    VoltageBelow,
)


class Loss(StrEnum):
    """Something that would be lost. Those marked `may be accepted` can be, by name."""

    TARGET = "an end that leads elsewhere than to the next step"
    TIME_GUARD = "a time after which the run stops (may be accepted)"
    CONDITION = "an end condition of a kind that the form does not have"
    SEVERAL_LIMITS = "more than one voltage limit in a step"
    WRONG_SIDE = "a voltage limit on the side that the current moves away from"
    ZERO_VOLTAGE = "a limit at 0 V, which its tools drop silently"
    ENDLESS = "a step without a time"
    COMMON_TIME = "CC-CV as one step with a common time limit"
    STEP_KIND = "a kind of step that the form does not have"
    BIAS = "a bias, or voltages versus open circuit"
    DRIFT_CHECK = "the drift check of a spectrum (may be accepted)"
    RECORDING = "recording by change, or other than in most steps (may be accepted)"
    DECIDING = "a deciding period other than 1 s (may be accepted)"
    SAFETY = "a safety limit that the form does not have (may be accepted)"
    SOME_CYCLES = "steps in some cycles only"
    TOO_LONG = "more steps than the form takes"
    AMPLITUDE = "whether an amplitude is rms or peak"
    STAIRCASE = "the step of a sweep's staircase other than 1 mV (may be accepted)"


ACCEPTABLE = frozenset(loss for loss in Loss if loss.endswith("(may be accepted)"))


class CannotExpress(RequestError):
    """Everything that stands in the way; `losses` by name, for programs."""

    def __init__(self, form: str, found: Iterable[tuple[str, Loss]]) -> None:
        self.losses = tuple(found)
        lines = [f"{where}: {loss}" for where, loss in dict.fromkeys(self.losses)]
        super().__init__(f"{form} cannot express:\n" + "\n".join(lines))


class Ledger:
    """Collects losses while a protocol is translated."""

    def __init__(self, form: str, accepted: Collection[Loss] = ()) -> None:
        if stubborn := [loss for loss in accepted if loss not in ACCEPTABLE]:
            raise RequestError(f"'{stubborn[0]}' cannot be accepted: the protocol would mean something else")
        self._form, self._accepted = form, frozenset(accepted)
        self._found: list[tuple[str, Loss]] = []

    def note(self, where: str, loss: Loss) -> None:
        """Something is lost, unless that was accepted."""
        if loss not in self._accepted:
            self._found.append((where, loss))

    def close(self) -> None:
        """CannotExpress if anything is lost."""
        if self._found:
            raise CannotExpress(self._form, self._found)


@dataclass(frozen=True, slots=True)
class SimpleEnds:
    """The ends that every other form knows: a time, one voltage, a current."""

    time: Second | None = None
    voltage: Volt | None = None
    current: Ampere | None = None


def simple_ends(step: Step, where: str, ledger: Ledger) -> SimpleEnds:
    """Reduce a step's ends. At constant current a charge is a time; of several times the first counts."""
    times: list[Second] = []
    voltages: list[Volt] = []
    currents: list[Ampere] = []
    for end in ends_of(step):
        if end.then != NEXT:
            guard = isinstance(end.condition, TimeReached)
            ledger.note(where, Loss.TIME_GUARD if guard else Loss.TARGET)
            continue
        match end.condition:
            case TimeReached(after):
                times.append(after)
            case ChargeReached(charge) if isinstance(step, ConstantCurrent):
                times.append(charge / abs(step.current))
            case VoltageAbove(limit) | VoltageBelow(limit) if isinstance(step, ConstantCurrent):
                rising = isinstance(end.condition, VoltageAbove)
                if rising != (step.current > 0.0):
                    ledger.note(where, Loss.WRONG_SIDE)
                voltages.append(limit)
            case CurrentBelow(limit) if not isinstance(step, ConstantCurrent):
                currents.append(limit)
            case _:
                ledger.note(where, Loss.CONDITION)
    if len(voltages) > 1 or len(currents) > 1:
        ledger.note(where, Loss.SEVERAL_LIMITS)
    return SimpleEnds(min(times, default=None), next(iter(voltages), None), next(iter(currents), None))


def number(value: float) -> float:
    """Without the last digits that conversion of units has added."""
    return float(f"{value:.12g}")


def named(step: Step, index: int) -> str:
    """How a step is called in a refusal."""
    return f"step {index} ({step.name or step.kind})"
