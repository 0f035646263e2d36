"""The tables that profile files of several kinds share."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import model_validator

from hilcycler import quantities
from hilcycler_simulators.cells.ageing import Growth, Life
from hilcycler_simulators.cells.interfaces import Electrolyte, Film, Transfer
from hilcycler_simulators.cells.reading import (
    ActivationEnergy,
    ArealCurrent,
    ArealResistance,
    Concentration,
    Diffusion,
    Duration,
    Exponent,
    Factor,
    Share,
    Table,
    Thickness,
    TimeConstant,
    Transference,
    number,
    quantity,
)
from hilcycler_simulators.cells.shorts import Shorts, Soft
from hilcycler_simulators.cells.targets import AnyTarget

_HOUR = 3600.0


class BulkTable(Table):
    """The electrolyte in the separator."""

    resistance: ArealResistance
    transference: Transference
    diffusion: Diffusion
    concentration: Concentration
    separator: Thickness
    activation_energy: ActivationEnergy

    def part(self) -> Electrolyte:
        return Electrolyte(
            self.resistance,
            self.transference,
            self.diffusion,
            self.separator,
            self.concentration,
            self.activation_energy,
        )


class FilmTable(Table):
    """The solid-electrolyte interphases: resistance of all together."""

    resistance: ArealResistance
    time_constant: TimeConstant
    exponent: Exponent
    activation_energy: ActivationEnergy

    def part(self) -> Film:
        return Film(self.resistance, self.time_constant, self.exponent, self.activation_energy)


class TransferTable(Table):
    """Charge transfer: exchange current density of one electrode."""

    exchange_current: ArealCurrent
    time_constant: TimeConstant
    exponent: Exponent
    activation_energy: ActivationEnergy

    def part(self) -> Transfer:
        return Transfer(self.exchange_current, self.time_constant, self.exponent, self.activation_energy)


class MetalTable(Table):
    """What becomes of plated metal."""

    efficiency: Annotated[float, number(0.0, 1.0)] = 0.999
    dead_share: Share = 0.5


class GrowthTable(Table):
    """How something grows with cycles: steadily, and running away between `onset` and `dry`."""

    per_100_cycles: Annotated[float, number(-1.0, 100.0)] = 0.0
    onset: Annotated[float, number(0.0, 1e6)] | None = None
    dry: Annotated[float, number(1.0, 1e6)] | None = None
    gain: Factor = 0.0

    @model_validator(mode="after")
    def _runaway_is_whole(self) -> GrowthTable:
        _whole("onset", self.onset, "dry", self.dry)
        return self

    def part(self) -> Growth:
        return Growth(
            self.per_100_cycles / 100.0,
            math.inf if self.onset is None else self.onset,
            math.inf if self.dry is None else self.dry,
            self.gain,
        )


def _whole(onset_key: str, onset: float | None, dry_key: str, dry: float | None) -> None:
    if (onset is None) != (dry is None):
        raise ValueError(f"{onset_key} and {dry_key} go together: where the runaway begins and ends")
    if onset is not None and dry is not None and dry <= onset:
        raise ValueError(f"{dry_key} must be later than {onset_key}")


class HardShort(Table):
    """After how many hours of cycling at which current density the cell shorts for good."""

    current: ArealCurrent
    after: Duration


class SoftTable(Table):
    """Soft shorts: from `onset` of wear on, every `wait` on average, each lasting `lasts` on average."""

    onset: Duration
    wait: Duration = 10.0 * _HOUR
    lasts: Duration = 1.0 * _HOUR
    resistance: ArealResistance = 2e-3
    spread: Annotated[float, number(0.0, 3.0)] = 0.5


class LifeTable(Table):
    """How the cell changes; a change whose keys are absent does not happen."""

    activation: Factor = 0.0
    activation_time: Duration = 40.0 * _HOUR
    storage_growth: Factor = 0.0
    growth_per_1000_h: Factor = 0.0
    growth_onset: Duration | None = None
    growth_dry: Duration | None = None
    growth_gain: Factor = 0.0
    wear_exponent: Annotated[float, number(-2.0, 3.0)] = 1.0
    roughness: Annotated[float, number(-0.3, 100.0)] = 0.0
    hard_short: tuple[HardShort, ...] = ()
    hard_resistance: Annotated[
        float, quantity(quantities.AREAL_RESISTANCE, "0.01 ohm cm2", "100 ohm cm2")
    ] = 5e-5
    scatter: Annotated[float, number(0.0, 1.0)] = 0.0
    soft_short: SoftTable | None = None

    @model_validator(mode="after")
    def _consistent(self) -> LifeTable:
        _whole("growth_onset", self.growth_onset, "growth_dry", self.growth_dry)
        densities = [short.current for short in self.hard_short]
        if densities != sorted(set(densities)):
            raise ValueError("hard_short: the current densities must ascend, each once")
        return self

    def part(self, reference: float, seed: int) -> Life:
        """The laws; hours of wear are hours at `reference` (A/m2)."""
        growth = Growth(
            slope=self.growth_per_1000_h / 1000.0,
            onset=math.inf if self.growth_onset is None else self.growth_onset / _HOUR,
            dry=math.inf if self.growth_dry is None else self.growth_dry / _HOUR,
            gain=self.growth_gain,
        )
        soft = self.soft_short
        shorts = Shorts(
            hard=tuple((short.current, short.after / _HOUR) for short in self.hard_short),
            hard_resistance=self.hard_resistance,
            scatter=self.scatter,
            soft=None
            if soft is None
            else Soft(
                soft.onset / _HOUR, soft.wait / _HOUR, soft.lasts / _HOUR, soft.resistance, soft.spread
            ),
            seed=seed,
        )
        return Life(
            activation=self.activation,
            activation_hours=self.activation_time / _HOUR,
            growth=growth,
            reference=reference,
            exponent=self.wear_exponent,
            storage=self.storage_growth,
            roughness=self.roughness,
            shorts=shorts,
        )


class Heading(Table):
    """What every profile says about itself."""

    description: str
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()
    target: tuple[AnyTarget, ...] = ()
