"""The closed union of steps, and when each ends. SI, signs as in `cell`, nothing left to resolve.

What an instrument cannot do is refused by its capabilities; it is never missing here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

from hilcycler.quantities import Ampere, Coulomb, Hertz, Kelvin, Ohm, Second, Volt, VoltPerSecond


class Process(StrEnum):
    """What a step does to the cell, named so that no sign convention can invert an efficiency."""

    PLATE = "plate"
    STRIP = "strip"
    CHARGE = "charge"
    DISCHARGE = "discharge"


# --- when a step ends -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TimeReached:
    """The step has lasted `after`."""

    after: Second
    kind: Literal["time"] = "time"


@dataclass(frozen=True, slots=True)
class VoltageAbove:
    """The cell voltage is at or above `limit`, signed."""

    limit: Volt
    kind: Literal["voltage-above"] = "voltage-above"


@dataclass(frozen=True, slots=True)
class VoltageBelow:
    """The cell voltage is at or below `limit`, signed."""

    limit: Volt
    kind: Literal["voltage-below"] = "voltage-below"


@dataclass(frozen=True, slots=True)
class CurrentBelow:
    """The magnitude of the current has fallen to `limit`."""

    limit: Ampere
    kind: Literal["current-below"] = "current-below"


@dataclass(frozen=True, slots=True)
class CurrentAbove:
    """The magnitude of the current has risen to `limit`."""

    limit: Ampere
    kind: Literal["current-above"] = "current-above"


@dataclass(frozen=True, slots=True)
class ChargeReached:
    """The magnitude of the charge passed in this step has reached `charge`."""

    charge: Coulomb
    kind: Literal["charge"] = "charge"


@dataclass(frozen=True, slots=True)
class VoltageSettled:
    """|dV/dt| over the last `window` is at or below `rate`."""

    rate: VoltPerSecond
    window: Second = 60.0
    kind: Literal["voltage-settled"] = "voltage-settled"


@dataclass(frozen=True, slots=True)
class CurrentSettled:
    """|dI/dt| / |I| over the last `window` is at or below `relative_rate` (1/s): steady state."""

    relative_rate: float
    window: Second = 600.0
    kind: Literal["current-settled"] = "current-settled"


@dataclass(frozen=True, slots=True)
class TemperatureSettled:
    """The temperature has stayed within `tolerance` of its set-point for `window`."""

    tolerance: Kelvin
    window: Second
    kind: Literal["temperature-settled"] = "temperature-settled"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of `conditions` holds at the same sample."""

    conditions: tuple[Condition, ...]
    kind: Literal["all"] = "all"


Condition: TypeAlias = (
    TimeReached
    | VoltageAbove
    | VoltageBelow
    | CurrentBelow
    | CurrentAbove
    | ChargeReached
    | VoltageSettled
    | CurrentSettled
    | TemperatureSettled
    | AllOf
)

NEXT = "next"
STOP = "stop"


@dataclass(frozen=True, slots=True)
class End:
    """A condition and where the run goes when it is met.

    `then` is `next` (the following step), `stop` (end the run in good order) or the name of an
    enclosing repeat or group, which is left. A step ends by whichever of its ends is met first.
    """

    condition: Condition
    then: str = NEXT


# --- how a step is sampled ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sampling:
    """How often conditions are decided, and which of those samples are recorded.

    A sample is recorded when `every` has passed since the last recorded one, or the voltage or
    the current has changed by more than the given amount since then, or, with `points_per_decade`,
    the time in the step has become `growth` times that of the last recorded one. The first and the
    last sample of a step are always recorded. `decide` is the instrument's own period: a cut-off that is judged
    only on recorded samples comes late (10 s records add up to 0.28 % to a one-hour strip).
    """

    decide: Second = 1.0
    every: Second | None = 10.0
    voltage_change: Volt | None = None
    current_change: Ampere | None = None
    points_per_decade: int | None = None

    @property
    def growth(self) -> float | None:
        """The ratio of two recorded times that lie evenly on a logarithmic axis."""
        return None if self.points_per_decade is None else 10.0 ** (1.0 / self.points_per_decade)


# --- the steps ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rest:
    """Open circuit: the cell is disconnected, its voltage is watched."""

    ends: tuple[End, ...]
    sampling: Sampling = field(default_factory=Sampling)
    name: str = ""
    kind: Literal["rest"] = "rest"


@dataclass(frozen=True, slots=True)
class ConstantCurrent:
    """Galvanostatic. `current` is signed: negative plates on the working electrode."""

    current: Ampere
    ends: tuple[End, ...]
    sampling: Sampling = field(default_factory=Sampling)
    process: Process | None = None
    name: str = ""
    kind: Literal["constant-current"] = "constant-current"


@dataclass(frozen=True, slots=True)
class ConstantVoltage:
    """Potentiostatic hold. `versus_open_circuit`: `voltage` is added to the last rest voltage."""

    voltage: Volt
    ends: tuple[End, ...]
    sampling: Sampling = field(default_factory=Sampling)
    versus_open_circuit: bool = False
    process: Process | None = None
    name: str = ""
    kind: Literal["constant-voltage"] = "constant-voltage"


@dataclass(frozen=True, slots=True)
class ConstantCurrentConstantVoltage:
    """Constant current up to `voltage`, then held there with no gap, as one step.

    The ends are the hold's (current, time, ...); time and charge count from the start of the step.
    """

    current: Ampere
    voltage: Volt
    ends: tuple[End, ...]
    sampling: Sampling = field(default_factory=Sampling)
    process: Process | None = None
    name: str = ""
    kind: Literal["cc-cv"] = "cc-cv"


@dataclass(frozen=True, slots=True)
class PotentiostaticImpedance:
    """PEIS. `amplitude` in V rms about `bias` (None: the open-circuit voltage)."""

    amplitude: Volt
    highest: Hertz
    lowest: Hertz
    points_per_decade: int = 10
    bias: Volt | None = None
    periods: int = 3
    drift_check: bool = True
    name: str = ""
    kind: Literal["peis"] = "peis"


@dataclass(frozen=True, slots=True)
class GalvanostaticImpedance:
    """GEIS. `amplitude` in A rms about the direct current `bias`."""

    amplitude: Ampere
    highest: Hertz
    lowest: Hertz
    points_per_decade: int = 10
    bias: Ampere = 0.0
    periods: int = 3
    drift_check: bool = True
    name: str = ""
    kind: Literal["geis"] = "geis"


@dataclass(frozen=True, slots=True)
class LinearSweep:
    """LSV from `start` to `stop` at `rate` (positive number), in steps of `step`."""

    start: Volt
    stop: Volt
    rate: VoltPerSecond
    step: Volt = 1e-3
    versus_open_circuit: bool = False
    ends: tuple[End, ...] = ()
    name: str = ""
    kind: Literal["lsv"] = "lsv"


@dataclass(frozen=True, slots=True)
class CyclicVoltammetry:
    """CV: `start` -> `first_vertex` -> `second_vertex` -> `start`, `scans` times."""

    start: Volt
    first_vertex: Volt
    second_vertex: Volt
    rate: VoltPerSecond
    step: Volt = 1e-3
    scans: int = 1
    versus_open_circuit: bool = False
    ends: tuple[End, ...] = ()
    name: str = ""
    kind: Literal["cv"] = "cv"


@dataclass(frozen=True, slots=True)
class SetTemperature:
    """Bring the chamber to `temperature` and wait, at open circuit, for the ends."""

    temperature: Kelvin
    ends: tuple[End, ...]
    sampling: Sampling = field(default_factory=Sampling)
    name: str = ""
    kind: Literal["temperature"] = "temperature"


@dataclass(frozen=True, slots=True)
class OperatorPause:
    """Wait, at open circuit, until a named person says to go on."""

    message: str
    name: str = ""
    kind: Literal["pause"] = "pause"


Step: TypeAlias = (
    Rest
    | ConstantCurrent
    | ConstantVoltage
    | ConstantCurrentConstantVoltage
    | PotentiostaticImpedance
    | GalvanostaticImpedance
    | LinearSweep
    | CyclicVoltammetry
    | SetTemperature
    | OperatorPause
)


# --- what became of a step ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpectrumPoint:
    """One point of a spectrum; `imaginary` has the physical sign."""

    frequency: Hertz
    real: Ohm
    imaginary: Ohm


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a protocol may look at when it decides what comes next.

    `end` is the position in the step's `ends` of the one that was met, None if the step has none
    (a sweep or a spectrum that ran its course). `charge` is signed. `partial`: part of the step was
    not observed, so no efficiency may be computed from it. `spectrum`: its points in the order in which
    they were measured; none if a part was not observed.
    """

    end: int | None
    elapsed: Second
    charge: Coulomb
    last_voltage: Volt | None
    last_current: Ampere | None
    partial: bool = False
    spectrum: tuple[SpectrumPoint, ...] = ()
