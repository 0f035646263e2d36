"""The values of a profile file: each with its unit, each within a stated range.

A value that is no quantity, or lies outside what is physical, is refused with the key and the
allowed range; nothing is guessed.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from hilcycler import quantities
from hilcycler.errors import QuantityError, RequestError
from hilcycler.quantities import Dimension

_NUMBER: Final = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S.*?)\s*")
_OWN_UNITS: Final = {  # what cells need and protocols do not
    "kJ/mol": 1e3,
    "mol/L": 1e3,
    "cm2/s": 1e-4,
    "1/cm2": 1e4,
    "mS/cm": 0.1,
    "uF/cm2": 1e-2,
    "mg/cm2": 1e-2,
}


KINDS: Final = ("symmetric", "plating", "intercalation", "sulfur", "blocking")


class Table(BaseModel):
    """A table of a profile file: every key known, none changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _read(text: object, dimension: Dimension | str) -> float:
    if not isinstance(text, str):
        example = dimension.example if isinstance(dimension, Dimension) else f"1 {dimension}"
        raise ValueError(f"{text!r} is not a quantity in quotes such as '{example}'")  # noqa: TRY004 (pydantic's way)
    if isinstance(dimension, Dimension):
        try:
            return quantities.parse(text, dimension)
        except QuantityError as error:
            raise ValueError(str(error)) from None
    match = _NUMBER.fullmatch(text)
    if match is None or match[2] != dimension:
        raise ValueError(f"{text!r} is not a number of {dimension}")
    return float(match[1]) * _OWN_UNITS[dimension]


def quantity(dimension: Dimension | str, lowest: str, highest: str) -> BeforeValidator:
    """A value with a unit between `lowest` and `highest`, both allowed; SI when read."""
    low, high = _read(lowest, dimension), _read(highest, dimension)

    def check(text: object) -> float:
        value = _read(text, dimension)
        if not low <= value <= high:
            raise ValueError(f"{text!r} is outside {lowest} to {highest}")
        return value

    return BeforeValidator(check)


def number(lowest: float, highest: float) -> BeforeValidator:
    """A plain number between two bounds, both allowed."""

    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{value!r} is not a number from {lowest:g} to {highest:g}")  # noqa: TRY004
        if not lowest <= value <= highest:
            raise ValueError(f"{value!r} is outside {lowest:g} to {highest:g}")
        return float(value)

    return BeforeValidator(check)


Area = Annotated[float, quantity(quantities.AREA, "0.01 cm2", "1000 cm2")]
Thickness = Annotated[float, quantity(quantities.LENGTH, "1 um", "2000 um")]
ArealResistance = Annotated[float, quantity(quantities.AREAL_RESISTANCE, "0.001 ohm cm2", "100000 ohm cm2")]
ArealCurrent = Annotated[float, quantity(quantities.AREAL_CURRENT, "0.001 mA/cm2", "1000 mA/cm2")]
ArealCharge = Annotated[float, quantity(quantities.AREAL_CHARGE, "0.001 mAh/cm2", "1000 mAh/cm2")]
TimeConstant = Annotated[float, quantity(quantities.TIME, "0.1 us", "100 h")]
Duration = Annotated[float, quantity(quantities.TIME, "1 s", "100000 h")]
ActivationEnergy = Annotated[float, quantity("kJ/mol", "0 kJ/mol", "200 kJ/mol")]
Exponent = Annotated[float, number(0.5, 1.0)]
Transference = Annotated[float, number(0.01, 1.0)]
Share = Annotated[float, number(0.0, 1.0)]
Concentration = Annotated[float, quantity("mol/L", "0.01 mol/L", "12 mol/L")]
Diffusion = Annotated[float, quantity("cm2/s", "1e-16 cm2/s", "1e-3 cm2/s")]
Loading = Annotated[float, quantity("mg/cm2", "0.01 mg/cm2", "200 mg/cm2")]
SpecificCapacity = Annotated[float, quantity(quantities.SPECIFIC_CHARGE, "1 mAh/g", "4000 mAh/g")]
ArealCapacitance = Annotated[float, quantity("uF/cm2", "0.01 uF/cm2", "1e6 uF/cm2")]
Factor = Annotated[float, number(0.0, 1000.0)]


def refusal(where: str, error: ValidationError) -> RequestError:
    """All that is wrong with a file, one line a key."""
    lines = []
    for fault in error.errors(include_url=False):
        key = ".".join(str(part) for part in fault["loc"] if part not in KINDS) or "the file"
        match fault["type"]:
            case "union_tag_not_found" | "union_tag_invalid":
                tag = str(fault["ctx"]["discriminator"]).strip("'")
                key = f"{key}.{tag}" if fault["loc"] else tag
                said = f"must be one of: {fault['ctx'].get('expected_tags', ', '.join(KINDS))}"
            case "missing":
                said = "is missing"
            case "extra_forbidden":
                said = "is no key of this table"
            case _:
                said = fault["msg"].removeprefix("Value error, ")
        lines.append(f"{where}: {key}: {said}")
    return RequestError("\n".join(lines))
