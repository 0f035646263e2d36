"""Which Keithley SMUs there are, and what they can do.

Ranges and one-year accuracies: data sheet SPEC-2450 Rev. A, 1 PLC, 23 +- 5 degC. The 2460 and 2461
share the 2450's command set; their smaller ranges are taken with the 2450's figures, which is marked
where it is shown. The 2400's figures are those of its data sheet for the same ranges.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hilcycler.quantities import Ampere, Volt


class Dialect(StrEnum):
    """Which SCPI it speaks."""

    MODERN = "SCPI of the 2450, 2460 and 2461"
    LEGACY = "SCPI of the 2400"


@dataclass(frozen=True, slots=True)
class Range:
    """A range: full scale, and accuracy of a reading as gain of the reading plus offset."""

    full_scale: float
    gain: float
    offset: float

    @property
    def most(self) -> float:
        """Ranges reach 5 % beyond their full scale."""
        return 1.05 * self.full_scale


@dataclass(frozen=True, slots=True)
class Model:
    """One model: dialect, ranges (smallest first) and the largest source values."""

    name: str
    dialect: Dialect
    current: tuple[Range, ...]
    voltage: tuple[Range, ...]
    most_current: Ampere
    most_voltage: Volt

    @property
    def title(self) -> str:
        """What people call it, and records too."""
        return f"Keithley {self.name}"

    def current_range(self, value: Ampere) -> tuple[int, Range]:
        """Position and range of the smallest one that holds `value`."""
        return _smallest(self.current, value)

    def voltage_range(self, value: Volt) -> tuple[int, Range]:
        """Position and range of the smallest one that holds `value`."""
        return _smallest(self.voltage, value)


def _smallest(ranges: tuple[Range, ...], value: float) -> tuple[int, Range]:
    for at, each in enumerate(ranges):
        if abs(value) <= each.most:
            return at, each
    return len(ranges) - 1, ranges[-1]


_CURRENT: Final = (
    Range(1e-8, 0.0010, 5e-11),
    Range(1e-7, 0.0006, 1e-10),
    Range(1e-6, 0.00025, 3e-10),
    Range(1e-5, 0.00025, 1.5e-9),
    Range(1e-4, 0.0002, 1.5e-8),
    Range(1e-3, 0.0002, 1.5e-7),
    Range(1e-2, 0.0002, 1.5e-6),
    Range(1e-1, 0.00025, 1.5e-5),
    Range(1.0, 0.0003, 5e-4),
)
_VOLTAGE: Final = (
    Range(0.02, 0.0010, 1.5e-4),
    Range(0.2, 0.00012, 2e-4),
    Range(2.0, 0.00012, 3e-4),
    Range(20.0, 0.00015, 1e-3),
    Range(200.0, 0.00015, 1e-2),
)

MODELS: Final = {
    model.name: model
    for model in (
        Model("2450", Dialect.MODERN, _CURRENT, _VOLTAGE, 1.05, 210.0),
        Model("2460", Dialect.MODERN, (*_CURRENT[2:], Range(7.0, 0.0015, 5e-3)), _VOLTAGE[1:], 7.35, 105.0),
        Model("2461", Dialect.MODERN, (*_CURRENT[2:], Range(7.0, 0.0015, 5e-3)), _VOLTAGE[1:], 7.35, 105.0),
        Model("2400", Dialect.LEGACY, (*_CURRENT[2:],), _VOLTAGE[1:], 1.05, 210.0),
    )
}


def model_of(identity: str) -> tuple[Model | None, str, str]:
    """Model, serial number and firmware from an `*IDN?` reply; None for anybody else."""
    maker, _, rest = identity.partition(",")
    parts = [each.strip() for each in rest.split(",")]
    if not maker.strip().upper().startswith("KEITHLEY") or len(parts) < 3:
        return None, "", ""
    name = parts[0].upper().removeprefix("MODEL ").strip()
    return MODELS.get(name), parts[1], parts[2]
