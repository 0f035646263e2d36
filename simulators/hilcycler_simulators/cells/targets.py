"""What a profile is tuned to: published numbers, and how the twin's own are measured.

Every kind of target states its conditions, runs a procedure on a fresh cell and compares. Numbers
that cannot hold together with others of their paper carry the reason in `conflict`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

from hilcycler import quantities
from hilcycler_simulators.cells.kinetics import GAS
from hilcycler_simulators.cells.reading import ArealCharge, ArealCurrent, Duration, Table, number, quantity
from hilcycler_simulators.cells.runs import Runs

_HOUR: Final = 3600.0
_MAH_G: Final = 3.6e3  # C/kg
_PERCENT: Final = 0.01
_ROUNDING: Final = 1.001  # a number at the edge of its tolerance is within

Volts = Annotated[float, quantity(quantities.VOLTAGE, "-10 V", "10 V")]
Percent = Annotated[float, quantity(quantities.RATIO, "0 %", "200 %")]
PerMass = Annotated[float, quantity(quantities.SPECIFIC_CHARGE, "1 mAh/g", "4000 mAh/g")]
Resistance = Annotated[float, quantity(quantities.RESISTANCE, "0.01 ohm", "100000 ohm")]
Conductivity = Annotated[float, quantity("mS/cm", "0.0001 mS/cm", "1000 mS/cm")]
Energy = Annotated[float, quantity("kJ/mol", "0 kJ/mol", "200 kJ/mol")]
Rate = Annotated[float, number(1e-3, 100.0)]
Cycles = Annotated[int, Field(ge=1, le=100_000)]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One number: what was published, what the twin shows, and whether that is near enough.

    Numbers are in `unit`. `at_least`: the publication only says "more than".
    """

    quantity: str
    published: float
    twin: float
    tolerance: float
    unit: str
    where: str
    at_least: bool = False
    conflict: str = ""

    @property
    def met(self) -> bool:
        """Whether the twin shows what was published."""
        if self.at_least:
            return self.twin >= self.published
        return abs(self.twin - self.published) <= self.tolerance * _ROUNDING


class Target(Table):
    """A published number: where it stands, and why it cannot hold, if it cannot."""

    where: str
    conflict: str = ""
    at_least: bool = False

    @property
    def extent(self) -> float:
        """How long a run it needs, by whatever measure: longer runs are done first."""
        return 0.0

    @abstractmethod
    def compare(self, runs: Runs) -> Iterator[Comparison]:
        """The twin beside the publication."""

    def comparison(self, name: str, unit: str, published: float, twin: float, tolerance: float) -> Comparison:
        return Comparison(
            name,
            published,
            twin,
            tolerance,
            unit,
            self.where,
            at_least=self.at_least,
            conflict=self.conflict,
        )


class Symmetric(Target):
    """A number from plating and stripping a symmetric cell."""

    current: ArealCurrent
    charge: ArealCharge

    @property
    def cycling(self) -> str:
        """The conditions, for people."""
        return f"{self.current / 10.0:g} mA/cm2, {self.charge / 3.6e4:g} mAh/cm2"


class Overpotential(Symmetric):
    """Mean |V| over the central half of the charge, both half-cycles that end at `after`."""

    quantity: Literal["overpotential"]
    after: Duration
    value: Volts

    @property
    def extent(self) -> float:
        return self.after

    def compare(self, runs: Runs) -> Iterator[Comparison]:
        hours = self.after / _HOUR
        twin = runs.symmetric(self.current, self.charge, hours).overpotential(hours)
        name = f"overpotential at {hours:g} h ({self.cycling})"
        yield self.comparison(name, "mV", 1e3 * self.value, 1e3 * twin, max(1.0, 30.0 * self.value))


class Outlives(Symmetric):
    """A life that was not seen to end: no short, no polarisation beyond 0.5 V by then."""

    quantity: Literal["outlives"]
    value: Duration

    @property
    def extent(self) -> float:
        return 1.3 * self.value

    def compare(self, runs: Runs) -> Iterator[Comparison]:
        hours = self.value / _HOUR
        twin = runs.symmetric(
            self.current, self.charge, hours + 2.0 * self.charge / self.current / _HOUR
        ).life
        name = f"life ({self.cycling})"
        yield Comparison(name, hours, twin, 0.0, "h", self.where, at_least=True, conflict=self.conflict)


class Short(Symmetric):
    """A hard short at a stated hour, to be met within a half-cycle."""

    quantity: Literal["short"]
    value: Duration

    @property
    def extent(self) -> float:
        return 1.3 * self.value

    def compare(self, runs: Runs) -> Iterator[Comparison]:
        hours, half = self.value / _HOUR, self.charge / self.current / _HOUR
        twin = runs.symmetric(self.current, self.charge, hours + 6.0 * half).short
        yield self.comparison(
            f"short ({self.cycling})", "h", hours, float("nan") if twin is None else twin, half
        )


class Onset(Symmetric):
    """The hour at which the polarisation starts to rise: 10 % above that of half the hour."""

    quantity: Literal["onset"]
    value: Duration

    @property
    def extent(self) -> float:
        return 1.3 * self.value

    def compare(self, runs: Runs) -> Iterator[Comparison]:
        hours = self.value / _HOUR
        twin = runs.symmetric(self.current, self.charge, 1.3 * hours).rises_above(1.1, since=0.5 * hours)
        yield self.comparison(f"polarisation rises ({self.cycling})", "h", hours, twin, 0.05 * hours)


class Transference(Target):
    """Bruce and Vincent, with the initial current from the resistances."""

    quantity: Literal["transference"]
    value: Annotated[float, number(0.0, 1.0)]

    def compare(self, runs: Runs) -> Iterator[Comparison]:
        yield self.comparison("t+", "", self.value, runs.transference(), 0.01)


class ConductivityTarget(Target):
    """From the high-frequency resistance of a blocking cell."""

    quantity: Literal["conductivity"]
    value: Conductivity

    def compare(self, runs: Runs) -> Iterator[Comparison]:
        name = "conductivity"
        yield self.comparison(name, "mS/cm", 10.0 * self.value, 10.0 * runs.conductivity(), 0.3 * self.value)


class ActivationEnergy(Target):
    """Of one named resistance, from ln(1/R) against 1/T."""

    quantity: Literal["activation-energy"]
    of: Literal["R_b", "R_SEI", "R_ct"]
    value: Energy

    def compare(self, runs: Runs) -> Iterator[Comparison]:
        twin = GAS * runs.arrhenius_slope(self.of)
        yield self.comparison(f"E_a of {self.of}", "kJ/mol", 1e-3 * self.value, 1e-3 * twin, 0.5)


class ExchangeCurrent(Target):
    """RT/(F R_ct) of one electrode, cycled for `after`; most papers take it from a Tafel plot."""

    quantity: Literal["exchange-current"]
    after: Duration = 50.0 * _HOUR
    value: ArealCurrent

    def compare(self, runs: Runs) -> Iterator[Comparison]:
        twin = runs.exchange_current(self.after / _HOUR)
        yield self.comparison("j0", "mA/cm2", 0.1 * self.value, 0.1 * twin, 0.003 * self.value)


class Interface(Target):
    """A resistance from the spectrum: of a new cell, or of a full cell after some cycles at 1 C."""

    quantity: Literal["resistance"]
    of: Literal["R_SEI", "R_ct", "R_SEI + R_ct"]
    cycle: Annotated[int, Field(ge=0, le=100_000)] = 0
    window: tuple[Volts, Volts] = (2.8, 4.3)
    value: Resistance

    def compare(self, runs: Runs) -> Iterator[Comparison]:
        truth = runs.truth_after(self.cycle, self.window)
        twin = sum(truth[f"{part}_ohm"] for part in self.of.split(" + "))
        name = self.of + (f" after {self.cycle} cycles" if self.cycle else " as assembled")
        yield self.comparison(name, "ohm", self.value, twin, 0.03 * self.value)


class Efficiency(Target):
    """Stripped over plated charge on copper: the mean of `over` cycles up to `cycle`."""

    quantity: Literal["efficiency"]
    current: ArealCurrent
    charge: ArealCharge
    cutoff: Volts = 0.5
    cycle: Cycles
    over: Cycles = 10
    value: Percent

    @property
    def extent(self) -> float:
        return float(self.cycle)

    def compare(self, runs: Runs) -> Iterator[Comparison]:
        found = runs.efficiencies(self.current, self.charge, self.cutoff, self.cycle)
        twin = float(found[max(self.cycle - self.over, 0) : self.cycle].mean())
        name = f"CE at cycle {self.cycle} ({self.current / 10.0:g} mA/cm2, {self.charge / 3.6e4:g} mAh/cm2)"
        yield self.comparison(name, "%", self.value / _PERCENT, twin / _PERCENT, 0.1)


class ReservoirEfficiency(Target):
    """The Aurbach test: reservoir of 4 mAh/cm2, ten cycles of 1 mAh/cm2 at 0.5 mA/cm2, to 1 V."""

    quantity: Literal["reservoir-efficiency"]
    value: Percent

    def compare(self, runs: Runs) -> Iterator[Comparison]:
        twin = runs.reservoir_efficiency()
        yield self.comparison("CE, reservoir method", "%", self.value / _PERCENT, twin / _PERCENT, 0.1)


class Nucleation(Target):
    """|V| of the first plating on copper: its deepest point, its end, or the difference."""

    quantity: Literal["nucleation"]
    of: Literal["tip", "plateau", "difference"]
    current: ArealCurrent
    charge: ArealCharge = 3.6e4
    value: Volts

    def compare(self, runs: Runs) -> Iterator[Comparison]:
        tip, plateau = runs.nucleation(self.current, self.charge)
        twin = {"tip": tip, "plateau": plateau, "difference": tip - plateau}[self.of]
        yield self.comparison(
            f"nucleation, {self.of}", "mV", 1e3 * self.value, 1e3 * twin, max(1.0, 30.0 * self.value)
        )


class Full(Target):
    """A number from cycling a full cell at one rate, after `first` cycles at other rates."""

    rate: Rate
    window: tuple[Volts, Volts]
    first: tuple[Rate, ...] = ()

    @property
    def cycling(self) -> str:
        """The conditions, for people."""
        return f"{self.rate:g} C, {self.window[0]:g} to {self.window[1]:g} V"


class Capacity(Full):
    """Discharged capacity per active mass in one cycle at the rate, the first being 1."""

    quantity: Literal["capacity"]
    cycle: Cycles
    value: PerMass

    @property
    def extent(self) -> float:
        return float(self.cycle)

    def compare(self, runs: Runs) -> Iterator[Comparison]:
        found = runs.full(self.rate, self.window, self.first, self.cycle).discharged
        twin, value = float(found[self.cycle - 1]) / _MAH_G, self.value / _MAH_G
        yield self.comparison(
            f"capacity, cycle {self.cycle} ({self.cycling})", "mAh/g", value, twin, 0.03 * value
        )


class Retention(Full):
    """Discharged capacity after some cycles over that of the first at the rate."""

    quantity: Literal["retention"]
    cycles: Cycles
    value: Percent

    @property
    def extent(self) -> float:
        return float(self.cycles)

    def compare(self, runs: Runs) -> Iterator[Comparison]:
        found = runs.full(self.rate, self.window, self.first, self.cycles).discharged
        twin = float(found[self.cycles - 1] / found[0]) / _PERCENT
        name = f"retention after {self.cycles} cycles ({self.cycling})"
        yield self.comparison(name, "%", self.value / _PERCENT, twin, 0.5)


class MeanEfficiency(Full):
    """Mean of discharged over charged capacity."""

    quantity: Literal["mean-efficiency"]
    cycles: Cycles
    value: Percent

    @property
    def extent(self) -> float:
        return float(self.cycles)

    def compare(self, runs: Runs) -> Iterator[Comparison]:
        run = runs.full(self.rate, self.window, self.first, self.cycles)
        twin = float((run.discharged / run.charged)[: self.cycles].mean()) / _PERCENT
        name = f"mean CE over {self.cycles} cycles ({self.cycling})"
        yield self.comparison(name, "%", self.value / _PERCENT, twin, 0.1)


class RateCapacity(Target):
    """A rate test: `each` cycles at every rate, the capacity of the last at each."""

    quantity: Literal["rate-capacity"]
    window: tuple[Volts, Volts]
    rates: tuple[Rate, ...]
    each: Cycles = 5
    values: tuple[PerMass, ...]

    def compare(self, runs: Runs) -> Iterator[Comparison]:
        found = runs.rates(self.rates, self.each, self.window).discharged / _MAH_G
        for at, (rate, stated) in enumerate(zip(self.rates, self.values, strict=True)):
            twin, value = float(found[(at + 1) * self.each - 1]), stated / _MAH_G
            yield self.comparison(f"capacity at {rate:g} C", "mAh/g", value, twin, 0.03 * value)


AnyTarget: TypeAlias = Annotated[
    Overpotential
    | Outlives
    | Short
    | Onset
    | Transference
    | ConductivityTarget
    | ActivationEnergy
    | ExchangeCurrent
    | Interface
    | Efficiency
    | ReservoirEfficiency
    | Nucleation
    | Capacity
    | Retention
    | MeanEfficiency
    | RateCapacity,
    Field(discriminator="quantity"),
]
