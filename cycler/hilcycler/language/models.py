"""The document model: every key of a protocol file, its kind, and what it means.

The descriptions are what editors show beside a key; `docs/protocol.schema.json` is made from them.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from hilcycler.language.conditions import (
    ChargeGoal,
    ChargeGoals,
    CurrentChangeGoal,
    CurrentChangeGoals,
    CurrentGoal,
    CurrentGoals,
    TemperatureGoal,
    TemperatureGoals,
    TimeGoal,
    TimeGoals,
    VoltageChangeGoal,
    VoltageChangeGoals,
    VoltageGoal,
    VoltageGoals,
)
from hilcycler.language.strict_model import Strict, wrong
from hilcycler.language.words import (
    AnyCurrent,
    Area,
    Capacity,
    Count,
    Current,
    CurrentAmplitude,
    CurrentSpan,
    Cycles,
    Density,
    Duration,
    Flag,
    Frequency,
    Goal,
    Length,
    Mass,
    Name,
    Periods,
    Prose,
    SignedCurrent,
    SweepRate,
    Temperature,
    TemperatureSpan,
    TimeDensity,
    Voltage,
    VoltageAmplitude,
    VoltageSpan,
    VoltageStep,
    Words,
    listed,
)
from hilcycler.steps import NEXT

OpenCircuit = Annotated[str, Words(("open circuit",))]
ProcessName = Annotated[str, Words(("plate", "strip", "charge", "discharge"))]


def _one_or_more(value: Any) -> Any:  # noqa: ANN401  (whatever a file holds)
    return value if isinstance(value, (list, tuple)) else [value]


_NUMBERS = WithJsonSchema(
    {"type": ["string", "integer", "array"], "items": {"type": "integer"}, "examples": ["1, 20, 50"]}
)


class AllOf(Strict):
    """Conditions that must hold at the same sample."""

    time: TimeGoal | None = Field(None, description="at least this long in the step, such as 10 min")
    charge: ChargeGoal | None = Field(None, description="at least this much charge in the step")
    voltage: VoltageGoal | None = Field(None, description="above or below a voltage")
    current: CurrentGoal | None = Field(None, description="above or below a current, as magnitude")
    voltage_change: VoltageChangeGoal | None = Field(None, description="below a rate: at rest")
    current_change: CurrentChangeGoal | None = Field(None, description="below a relative rate: steady state")
    temperature: TemperatureGoal | None = Field(None, description="settled: within 0.5 K for 30 min")
    then: Name = Field(NEXT, description="where the run goes: next, stop, or the name of an enclosing repeat")

    @property
    def goals(self) -> tuple[Goal, ...]:
        """All of them."""
        every = (
            self.time,
            self.charge,
            self.voltage,
            self.current,
            self.voltage_change,
            self.current_change,
            self.temperature,
        )
        return tuple(goal for goal in every if goal is not None)


class Until(Strict):
    """When a step ends: at whichever of these is met first."""

    time: TimeGoals = Field((), description="this long in the step, such as 10 h")
    charge: ChargeGoals = Field(
        (),
        description="this much charge in the step, as magnitude: 1 mAh/cm2, 1 mAh, 170 mAh/g, 50 % of nominal",
    )
    voltage: VoltageGoals = Field(
        (), description="above 0.5 V, below -0.5 V -> stop; signed, or a list of such"
    )
    current: CurrentGoals = Field((), description="below C/20, above 2 mA; the magnitude of the current")
    voltage_change: VoltageChangeGoals = Field(
        (), description="below 1 mV/h over 10 min: the magnitude of dV/dt, settled"
    )
    current_change: CurrentChangeGoals = Field(
        (),
        description="below 1 % over 10 min, or below 6 %/h: the relative change of the current, steady state",
    )
    temperature: TemperatureGoals = Field((), description="within 0.5 K for 30 min: of the set-point")
    all_of: Annotated[tuple[AllOf, ...], BeforeValidator(_one_or_more)] = Field(
        (), description="conditions that must hold together, with `then` for where to go"
    )

    @property
    def goals(self) -> tuple[Goal, ...]:
        """Those outside `all of`."""
        return (
            *self.time,
            *self.charge,
            *self.voltage,
            *self.current,
            *self.voltage_change,
            *self.current_change,
            *self.temperature,
        )


class Record(Strict):
    """What is recorded, and how often conditions are decided."""

    every: Duration | None = Field(None, description="at least once in this time, such as 10 s")
    voltage_change: VoltageStep | None = Field(
        None, description="and whenever the voltage has moved this far"
    )
    current_change: Current | None = Field(None, description="and whenever the current has moved this far")
    points_per_decade: TimeDensity | None = Field(
        None,
        description="so many to each decade of the step's time, such as 50; `every` beside it is the longest interval (1 min)",
    )
    decide_every: Duration | None = Field(
        None, description="the instrument's own period, at which end conditions and limits are judged"
    )


class Timed(Strict):
    """What most steps share."""

    for_: Duration | None = Field(None, description="ends after this time at the latest, such as 10 min")
    until: Until | None = Field(None, description="other conditions that end the step")
    record: Record | None = Field(None, description="in place of the file's `record`, key by key")
    name: Name | None = Field(None, description="a name of yours, seen in tables and exports")


class Rest(Timed):
    """Open circuit: the cell is disconnected and its voltage watched."""

    short = "for"


class Driven(Timed):
    """Constant current in a named direction."""

    current: Current = Field(description="a positive current, such as 1 mA/cm2, 2 mA, C/10 or 170 mA/g")
    hold_at: Voltage | None = Field(None, description="then hold this voltage (CC-CV as one step)")


class SignedCurrentStep(Timed):
    """Constant current with its sign: negative plates on the working electrode."""

    current: SignedCurrent = Field(description="a signed current, such as -1 mA/cm2")
    hold_at: Voltage | None = Field(None, description="then hold this voltage (CC-CV as one step)")


class Hold(Timed):
    """Constant voltage."""

    voltage: Voltage = Field(description="a signed voltage, such as 10 mV")
    versus: OpenCircuit | None = Field(None, description="open circuit: added to the last rest voltage")
    process: ProcessName | None = Field(
        None, description="what it does to the cell, where efficiencies count it"
    )


class Peis(Strict):
    """Potentiostatic impedance."""

    amplitude: VoltageAmplitude = Field(description="an amplitude that says rms or peak, such as '10 mV rms'")
    from_: Frequency = Field(description="the highest frequency, such as 1 MHz")
    to: Frequency = Field(description="the lowest frequency, such as 10 mHz")
    points_per_decade: Density = Field(10, description="how densely the frequencies lie")
    bias: Voltage | None = Field(
        None, description="the direct voltage; the open-circuit voltage if not given"
    )
    periods: Periods = Field(3, description="periods averaged at each frequency")
    drift_check: Flag = Field(True, description="repeat the first point at the end")
    name: Name | None = Field(None, description="a name of yours")


class Geis(Strict):
    """Galvanostatic impedance."""

    amplitude: CurrentAmplitude = Field(
        description="an amplitude that says rms or peak, such as '100 uA rms'"
    )
    from_: Frequency = Field(description="the highest frequency, such as 100 kHz")
    to: Frequency = Field(description="the lowest frequency, such as 10 mHz")
    points_per_decade: Density = Field(10, description="how densely the frequencies lie")
    bias: AnyCurrent | None = Field(None, description="the direct current; zero if not given")
    periods: Periods = Field(3, description="periods averaged at each frequency")
    drift_check: Flag = Field(True, description="repeat the first point at the end")
    name: Name | None = Field(None, description="a name of yours")


class Sweep(Strict):
    """Linear sweep voltammetry."""

    from_: Voltage = Field(description="where it starts, such as -200 mV")
    to: Voltage = Field(description="where it stops, such as 200 mV")
    rate: SweepRate = Field(description="a positive rate, such as 1 mV/s")
    step: VoltageStep | None = Field(None, description="the staircase; 1 mV if not given")
    versus: OpenCircuit | None = Field(None, description="open circuit: added to the last rest voltage")
    until: Until | None = Field(None, description="conditions that end the sweep before its course")
    name: Name | None = Field(None, description="a name of yours")


class Voltammetry(Strict):
    """Cyclic voltammetry: start, first vertex, second vertex, start."""

    start: Voltage = Field(description="where each scan starts and ends, such as 0 V")
    first_vertex: Voltage = Field(description="where the sweep turns first, such as -0.2 V")
    second_vertex: Voltage = Field(description="where it turns next, such as 0.3 V")
    rate: SweepRate = Field(description="a positive rate, such as 1 mV/s")
    step: VoltageStep | None = Field(None, description="the staircase; 1 mV if not given")
    scans: Count = Field(1, description="how many")
    versus: OpenCircuit | None = Field(None, description="open circuit: added to the last rest voltage")
    until: Until | None = Field(None, description="conditions that end the scans before their course")
    name: Name | None = Field(None, description="a name of yours")


class Chamber(Timed):
    """Bring the chamber to a temperature and wait at open circuit."""

    to: Temperature = Field(description="a temperature such as 40 degC")


class Pause(Strict):
    """Wait at open circuit until a named person says to go on."""

    short = "message"
    message: Prose = Field(description="what the operator is asked to do")
    name: Name | None = Field(None, description="a name of yours")


class Item(Strict):
    """One entry of `steps`: a step, or a repeat, group or insert that holds `steps`."""

    rest: Rest | None = Field(None, description="open circuit, such as `rest: 10 min`")
    plate: Driven | None = Field(
        None, description="deposit metal on the working electrode (negative current)"
    )
    strip: Driven | None = Field(
        None, description="dissolve metal from the working electrode (positive current)"
    )
    charge: Driven | None = Field(None, description="charge the cell (positive current)")
    discharge: Driven | None = Field(None, description="discharge the cell (negative current)")
    constant_current: SignedCurrentStep | None = Field(None, description="a current with its sign")
    constant_voltage: Hold | None = Field(None, description="hold a voltage")
    peis: Peis | None = Field(None, description="an impedance spectrum under potential control")
    geis: Geis | None = Field(None, description="an impedance spectrum under current control")
    linear_sweep: Sweep | None = Field(None, description="LSV")
    cyclic_voltammetry: Voltammetry | None = Field(None, description="CV")
    temperature: Chamber | None = Field(None, description="set the chamber")
    pause: Pause | None = Field(None, description="wait for the operator")
    repeat: Count | None = Field(
        None, description="how many times `steps` run; the innermost repeat counts cycles"
    )
    group: Name | None = Field(None, description="the name of `steps` that belong together and share `until`")
    every: Cycles | None = Field(
        None, description="`steps` run in every so many-th pass of the repeat around them"
    )
    in_cycles: Annotated[tuple[Count, ...], BeforeValidator(listed), _NUMBERS] | None = Field(
        None, description="`steps` run in these passes of the repeat around them, such as 1, 20, 50"
    )
    name: Name | None = Field(None, description="the name of a repeat, for targets")
    until: Until | None = Field(None, description="conditions added to each of `steps`")
    steps: tuple[Item, ...] | None = Field(None, description="what a repeat, group or insert holds")

    @classmethod
    def kinds(cls) -> tuple[str, ...]:
        """The keys of which an item has exactly one."""
        return tuple(key for key, name in cls.key_names().items() if name in _KINDS)

    @classmethod
    def keys_in_words(cls) -> str:
        """The kinds; what may stand beside them is said where it matters."""
        return ", ".join(cls.kinds())

    @classmethod
    def unknown(cls, key: str) -> str:
        """See Strict; a step's own key, one level too far out, is a common slip of indentation."""
        if key in _OWN_KEYS:
            return "belongs inside the step, indented once more"
        return super().unknown(key)

    @property
    def kind(self) -> str:
        """The key that says what it is."""
        return next(
            key
            for key, name in self.key_names().items()
            if name in _KINDS and getattr(self, name) is not None
        )

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        given = [key for key, name in self.key_names().items() if getattr(self, name) is not None]
        kinds = [key for key in given if self.key_names()[key] in _KINDS]
        if not kinds or len(kinds) > 1:
            found = " and ".join(kinds) or ", ".join(given) or "nothing"
            raise wrong(f"found {found}; expected one of {self.keys_in_words()}")
        if kinds[0] not in _HOLDERS:
            if extra := [key for key in given if key != kinds[0]]:
                raise wrong(f"'{extra[0]}' belongs inside '{kinds[0]}', indented once more")
        elif not self.steps:
            raise wrong(f"'{kinds[0]}' holds no steps; expected steps beside it")
        elif self.name is not None and kinds[0] != "repeat":
            raise wrong(f"'{kinds[0]}' takes no name; only a repeat does (a group is named by its key)")
        return self


_HOLDERS = ("repeat", "group", "every", "in cycles")
_OWN_KEYS = frozenset({"for", "record", "current", "voltage", "amplitude", "hold at", "rate"})
_KINDS = tuple(name for name in Item.model_fields if name not in {"name", "until", "steps"})


class ElectrodeModel(Strict):
    """One electrode."""

    short = "material"
    material: Name = Field(description="what it is made of, such as Li")
    area: Area | None = Field(None, description="its geometric area")
    active_mass: Mass | None = Field(None, description="its active mass, such as 12.3 mg")


class CellModel(Strict):
    """The cell, by which areal, specific and C-rate values are resolved."""

    name: Name | None = Field(None, description="the cell's name")
    working: ElectrodeModel = Field(description="the working electrode, such as Cu or Li")
    counter: ElectrodeModel = Field(description="the counter electrode, such as Li")
    reference: ElectrodeModel | None = Field(
        None, description="the reference electrode of a three-electrode cell"
    )
    area: Area | None = Field(None, description="the smaller electrode's area; resolves mA/cm2 and mAh/cm2")
    nominal_capacity: Capacity | None = Field(
        None, description="what 1 C refers to: 2.04 mAh, 170 mAh/g, 2 mAh/cm2"
    )
    separator_thickness: Length | None = Field(None, description="such as 25 um")
    electrolyte: Prose | None = Field(
        None, description="such as 1 M LiTFSI in DOL:DME 1:1 v with 1 wt% LiNO3"
    )
    notes: dict[str, Prose] | None = Field(None, description="whatever else should be remembered")


class Safety(Strict):
    """Limits that switch the cell off when crossed. They narrow the bench's, never widen them."""

    voltage: VoltageSpan | None = Field(None, description="such as -1 V to 1 V")
    current: CurrentSpan | None = Field(None, description="such as -5 mA to 5 mA or -5 mA/cm2 to 5 mA/cm2")
    charge: Capacity | None = Field(None, description="the most in one step, as magnitude")
    temperature: TemperatureSpan | None = Field(None, description="such as 10 degC to 45 degC")


class ProtocolFile(Strict):
    """A whole file: `steps`, or an `experiment` by name."""

    protocol: Name | None = Field(None, description="the protocol's name")
    description: Prose | None = Field(None, description="what it is for, in a sentence")
    parameters: dict[str, Name] | None = Field(
        None, description="names with default values, used below as $name and set by --set name=value"
    )
    cell: CellModel | None = Field(None, description="the cell; may be given when the run starts instead")
    safety: Safety | None = Field(None, description="limits that switch the cell off when crossed")
    record: Record | None = Field(None, description="what is recorded, unless a step says otherwise")
    experiment: Name | None = Field(
        None, description="a ready experiment in place of steps: cycler experiments"
    )
    with_: dict[str, Any] | None = Field(None, description="the experiment's parameters")
    steps: tuple[Item, ...] | None = Field(None, description="what is done, in order")

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.steps is None) == (self.experiment is None):
            found = "both" if self.steps is not None else "neither"
            raise wrong(f"expected either 'steps' or an 'experiment'; found {found}")
        if self.steps is not None and not self.steps:
            raise wrong("'steps' is empty; expected at least one step")
        if self.steps is not None and self.protocol is None:
            raise wrong("'protocol' is missing; expected the protocol's name")
        if self.with_ is not None and self.experiment is None:
            raise wrong("'with' belongs to 'experiment'; expected 'parameters' to declare your own")
        return self
