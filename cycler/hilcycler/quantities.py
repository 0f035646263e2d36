"""Quantities: written by people with a unit, SI floats inside, converted once, at the border.

`parse("1 mA/cm2", AREAL_CURRENT)` is 10.0 (A/m2). A bare number is an error: in a file that sets
currents, guessing the unit is a hazard.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from hilcycler.errors import QuantityError

# What a float means; one name a unit. Aliases, so that arithmetic stays plain.
Ampere: TypeAlias = float
AmperePerSquareMetre: TypeAlias = float
Coulomb: TypeAlias = float
Hertz: TypeAlias = float
Kelvin: TypeAlias = float
Kilogram: TypeAlias = float
Metre: TypeAlias = float
Ohm: TypeAlias = float
Second: TypeAlias = float
SquareMetre: TypeAlias = float
Volt: TypeAlias = float
VoltPerSecond: TypeAlias = float

AMPERE_HOUR: Final = 3600.0
ZERO_CELSIUS: Final = 273.15


@dataclass(frozen=True, slots=True)
class Dimension:
    """A kind of quantity: its name, SI exponents and an example to show in errors.

    Exponents are over kilogram, metre, second, ampere, kelvin and ratio (written in per cent).
    """

    name: str
    exponents: tuple[int, int, int, int, int, int]
    example: str


TIME = Dimension("time", (0, 0, 1, 0, 0, 0), "10 s, 5 min, 1 h")
CURRENT = Dimension("current", (0, 0, 0, 1, 0, 0), "1 mA")
AREAL_CURRENT = Dimension("current per area", (0, -2, 0, 1, 0, 0), "1 mA/cm2")
SPECIFIC_CURRENT = Dimension("current per active mass", (-1, 0, 0, 1, 0, 0), "170 mA/g")
VOLTAGE = Dimension("voltage", (1, 2, -3, -1, 0, 0), "500 mV")
VOLTAGE_RATE = Dimension("voltage per time", (1, 2, -4, -1, 0, 0), "1 mV/s, 1 mV/h")
CHARGE = Dimension("charge", (0, 0, 1, 1, 0, 0), "1 mAh")
AREAL_CHARGE = Dimension("charge per area", (0, -2, 1, 1, 0, 0), "1 mAh/cm2")
SPECIFIC_CHARGE = Dimension("charge per active mass", (-1, 0, 1, 1, 0, 0), "170 mAh/g")
FREQUENCY = Dimension("frequency", (0, 0, -1, 0, 0, 0), "100 kHz, 10 mHz")
TEMPERATURE = Dimension("temperature", (0, 0, 0, 0, 1, 0), "25 degC, 298.15 K")
RESISTANCE = Dimension("resistance", (1, 2, -3, -2, 0, 0), "20 mohm")
AREAL_RESISTANCE = Dimension("resistance times area", (1, 4, -3, -2, 0, 0), "33 ohm cm2")
AREA = Dimension("area", (0, 2, 0, 0, 0, 0), "1.131 cm2")
LENGTH = Dimension("length", (0, 1, 0, 0, 0, 0), "25 um")
MASS = Dimension("mass", (1, 0, 0, 0, 0, 0), "12.3 mg")
VOLUME = Dimension("volume", (0, 3, 0, 0, 0, 0), "30 uL")
RATIO = Dimension("ratio", (0, 0, 0, 0, 0, 1), "1 %")
RELATIVE_RATE = Dimension("relative change per time", (0, 0, -1, 0, 0, 1), "1 %/h")
TEMPERATURE_RATE = Dimension("temperature per time", (0, 0, -1, 0, 1, 0), "0.1 K/min")

DIMENSIONS: Final = (
    TIME, CURRENT, AREAL_CURRENT, SPECIFIC_CURRENT, VOLTAGE, VOLTAGE_RATE, CHARGE, AREAL_CHARGE,
    SPECIFIC_CHARGE, FREQUENCY, TEMPERATURE, RESISTANCE, AREAL_RESISTANCE, AREA, LENGTH, MASS, VOLUME, RATIO,
    RELATIVE_RATE, TEMPERATURE_RATE,
)  # fmt: skip
_BY_EXPONENTS: Final[dict[tuple[int, ...], Dimension]] = {d.exponents: d for d in DIMENSIONS}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value in SI with its kind."""

    value: float
    dimension: Dimension


@dataclass(frozen=True, slots=True)
class CRate:
    """A rate in multiples of the cell's nominal capacity per hour: `C/10` is 0.1."""

    per_hour: float


@dataclass(frozen=True, slots=True)
class Amplitude:
    """Of an alternating excitation, as root mean square, in V or A by `dimension`."""

    rms: float
    dimension: Dimension


_V = (1, 2, -3, -1, 0, 0)
_UNITS: Final[dict[str, tuple[float, tuple[int, ...]]]] = {
    "s": (1.0, (0, 0, 1, 0, 0, 0)),
    "min": (60.0, (0, 0, 1, 0, 0, 0)),
    "h": (3600.0, (0, 0, 1, 0, 0, 0)),
    "d": (86400.0, (0, 0, 1, 0, 0, 0)),
    "A": (1.0, (0, 0, 0, 1, 0, 0)),
    "Ah": (AMPERE_HOUR, (0, 0, 1, 1, 0, 0)),
    "V": (1.0, _V),
    "ohm": (1.0, (1, 2, -3, -2, 0, 0)),
    "Hz": (1.0, (0, 0, -1, 0, 0, 0)),
    "K": (1.0, (0, 0, 0, 0, 1, 0)),
    "m": (1.0, (0, 1, 0, 0, 0, 0)),
    "g": (1e-3, (1, 0, 0, 0, 0, 0)),
    "L": (1e-3, (0, 3, 0, 0, 0, 0)),
    "%": (1e-2, (0, 0, 0, 0, 0, 1)),
}
_PREFIXES: Final = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "c": 1e-2, "k": 1e3, "M": 1e6}
_TRANSLATE: Final = str.maketrans(
    {
        "²": "2",
        "³": "3",
        "⁻": "-",
        "¹": "1",
        "\u00b5": "u",  # micro sign
        "\u03bc": "u",  # Greek mu
        "\u03a9": "ohm",  # Greek omega
        "\u2126": "ohm",  # ohm sign
        "·": " ",
        "−": "-",
        "^": "",
    }
)
_NUMBER: Final = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_QUANTITY: Final = re.compile(rf"({_NUMBER})\s*(.*)", re.DOTALL)
_FACTOR: Final = re.compile(r"([A-Za-z%]+)(-?\d+)?")
_C_OVER: Final = re.compile(r"([+-]?)C\s*/\s*(\d+(?:\.\d+)?)")
_TIMES_C: Final = re.compile(rf"({_NUMBER})\s*C")
_LONGEST: Final = 64
_CELSIUS: Final = frozenset({"degC", "°C", "celsius"})


def read(text: str) -> Quantity:
    """The quantity that `text` says, of whatever kind; QuantityError if it says none."""
    match = _QUANTITY.fullmatch(_clean(text))
    if match is None:
        raise QuantityError(f"{text[:_LONGEST]!r} is not a number with a unit (such as {CURRENT.example})")
    value, unit = float(match[1]), match[2].strip()
    if not math.isfinite(value):
        raise QuantityError(f"{text!r} is too large")
    if not unit:
        raise QuantityError(f"{text!r} has no unit")
    if unit in _CELSIUS:
        return Quantity(value + ZERO_CELSIUS, TEMPERATURE)
    factor, exponents = _unit(unit, text)
    dimension = _BY_EXPONENTS.get(exponents)
    if dimension is None:
        raise QuantityError(f"{unit!r} in {text!r} is no kind of quantity used here")
    return Quantity(value * factor, dimension)


def parse(text: str, *expected: Dimension) -> float:
    """The SI value of `text`, which must be of one of the kinds `expected`."""
    wanted = " or ".join(f"{d.name} (such as {d.example})" for d in expected)
    try:
        quantity = read(text)
    except QuantityError as error:
        raise QuantityError(f"{error}; expected a {wanted}") from None
    if quantity.dimension not in expected:
        raise QuantityError(f"{text!r} is a {quantity.dimension.name}; expected a {wanted}")
    return quantity.value


def parse_rate(text: str) -> CRate | None:
    """`C/10`, `1 C`, `-0.5 C`; None if `text` is not written as a C-rate."""
    cleaned = _clean(text)
    if over := _C_OVER.fullmatch(cleaned):
        if float(over[2]) == 0.0:
            raise QuantityError(f"{text!r} divides by zero")
        return CRate((-1.0 if over[1] == "-" else 1.0) / float(over[2]))
    if times := _TIMES_C.fullmatch(cleaned):
        return CRate(float(times[1]))
    return None


def parse_amplitude(text: str, expected: Dimension) -> Amplitude:
    """`10 mV rms` or `10 mV peak`. Without the word it is an error: programs differ by sqrt(2)."""
    head, _, word = _clean(text).rpartition(" ")
    if word not in {"rms", "peak"}:
        raise QuantityError(f"amplitude {text!r} must say rms or peak, as in '10 mV rms'")
    value = parse(head, expected)
    if not value > 0.0:
        raise QuantityError(f"amplitude {text!r} must be positive")
    return Amplitude(value if word == "rms" else value / math.sqrt(2.0), expected)


def _clean(text: str) -> str:
    if len(text) > _LONGEST:
        raise QuantityError(f"{text[:_LONGEST]!r}... is too long for a quantity")
    return text.translate(_TRANSLATE).strip()


def _unit(unit: str, text: str) -> tuple[float, tuple[int, ...]]:
    """Factor and exponents of a product of units: `mA/cm2`, `mA cm-2`, `ohm cm2`."""
    factor, exponents = 1.0, [0] * 6
    numerator, *denominators = unit.split("/")
    parts = [(part, 1) for part in numerator.split()]
    parts += [(part, -1) for denominator in denominators for part in denominator.split()]
    if not parts or len(parts) > len(exponents):
        raise QuantityError(f"{unit!r} in {text!r} is not a unit")
    for part, sign in parts:
        match = _FACTOR.fullmatch(part)
        known = match and _prefixed(match[1])
        if not match or not known or abs(int(match[2] or 1)) > 3:
            raise QuantityError(f"{part!r} in {text!r} is not a unit")
        power = sign * int(match[2] or 1)
        factor *= known[0] ** power
        exponents = [have + power * more for have, more in zip(exponents, known[1], strict=True)]
    return factor, tuple(exponents)


def _prefixed(symbol: str) -> tuple[float, tuple[int, ...]] | None:
    if symbol in _UNITS:
        return _UNITS[symbol]
    prefix, base = symbol[0], symbol[1:]
    if prefix in _PREFIXES and base in _UNITS and base not in {"min", "h", "d", "%"}:
        factor, exponents = _UNITS[base]
        return _PREFIXES[prefix] * factor, exponents
    return None


def engineering(value: float, unit: str, digits: int = 4) -> str:
    """`engineering(0.00123, "V")` is `1.23 mV`, for people to read."""
    if not math.isfinite(value):
        return f"{value} {unit}"
    if value == 0.0:
        return f"0 {unit}"
    exponent = max(-9, min(6, 3 * math.floor(math.log10(abs(value)) / 3)))
    prefix = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M"}[exponent]
    return f"{value / 10.0**exponent:.{digits}g} {prefix}{unit}"


def duration(seconds: Second) -> str:
    """`duration(7380)` is `2 h 3 min`, for people to read."""
    if not math.isfinite(seconds):
        return "for ever"
    if seconds < 60.0:
        return f"{seconds:.3g} s"
    minutes, hours, days = seconds / 60.0, seconds / 3600.0, seconds / 86400.0
    if hours < 1.0:
        return f"{int(minutes)} min {int(seconds % 60)} s" if seconds % 60 >= 1 else f"{int(minutes)} min"
    if days < 3.0:
        return f"{int(hours)} h {int(minutes % 60)} min" if minutes % 60 >= 1 else f"{int(hours)} h"
    return f"{int(days)} d {int(hours % 24)} h" if hours % 24 >= 1 else f"{int(days)} d"
