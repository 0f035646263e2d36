"""What may stand as a value in a protocol file: quantities, ranges, counts, conditions.

Each kind reads the text that somebody wrote, keeps it with its place, and describes itself for the
JSON Schema. What depends on the cell (`1 mA/cm2`, `C/10`) stays unresolved until a file is bound to
a cell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from hilcycler import quantities
from hilcycler.errors import QuantityError
from hilcycler.language.faults import Where, shown
from hilcycler.language.strict_model import wrong
from hilcycler.language.strict_yaml import Text
from hilcycler.quantities import Amplitude, CRate, Dimension, Quantity
from hilcycler.steps import NEXT

NOWHERE: Final = Where()
_NUMBER: Final = re.compile(r"[-+−]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


@dataclass(frozen=True, slots=True)
class Written:
    """A quantity as somebody wrote it, what it says, and where. Two of the same text are equal."""

    text: str
    value: Quantity | CRate | Amplitude = field(compare=False)
    where: Where = field(default=NOWHERE, compare=False)

    def __str__(self) -> str:
        return self.text

    @property
    def si(self) -> float:
        """The value of a quantity that needs no cell to be resolved."""
        assert isinstance(self.value, Quantity), f"{self.text} needs a cell"
        return self.value.value

    def times(self, factor: float) -> str:
        """So many times this quantity, in its own unit: `1 mAh/cm2` 1.5 times is `1.5 mAh/cm2`."""
        match = _NUMBER.match(self.text)
        assert match is not None, f"{self.text} has no number to multiply"
        return f"{float(match[0].replace('−', '-')) * factor:.10g}{self.text[match.end() :]}"


@dataclass(frozen=True, slots=True)
class Span:
    """`LOW to HIGH`; None where it is open."""

    text: str
    low: Written | None
    high: Written | None
    where: Where = field(default=NOWHERE, compare=False)

    def __str__(self) -> str:
        return self.text


GoalKind: TypeAlias = Literal[
    "time",
    "charge",
    "voltage above",
    "voltage below",
    "current above",
    "current below",
    "voltage settled",
    "current settled",
    "temperature settled",
]


@dataclass(frozen=True, slots=True)
class Goal:
    """One end condition as written: `value` and, where the condition has one, `window`; `then` where to."""

    text: str
    kind: GoalKind
    value: Written
    window: Written | None = None
    then: str = NEXT

    def __str__(self) -> str:
        return self.text


class Reader:
    """An annotation that turns one text into one value, for pydantic."""

    expected: ClassVar[str] = "text"

    def read(self, text: str, where: Where) -> Any:  # noqa: ANN401  (each reader has its own)
        """The value; QuantityError says what is wrong with `text`."""
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """What an editor is told."""
        return {"type": "string"}

    def _validate(self, value: object) -> object:
        if isinstance(value, (Written, Span, Goal)):
            value = str(value)
        if isinstance(value, (list, Mapping)):
            found = "a list" if isinstance(value, list) else "keys"
            raise wrong(f"expected {self._wanted()}; found {found}")
        where = value.where if isinstance(value, Text) else NOWHERE
        try:
            return self.read(str(value), where)
        except QuantityError as error:
            raise wrong(str(error)) from None

    def _wanted(self) -> str:
        return self.expected

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._validate, serialization=core_schema.to_string_ser_schema()
        )

    def __get_pydantic_json_schema__(
        self, _core: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return self.schema()


@dataclass(frozen=True)
class Of(Reader):
    """A quantity of one of `dimensions`, or a C-rate where `rate`."""

    dimensions: tuple[Dimension, ...]
    rate: bool = False
    sign: Literal["positive", "not negative", "not zero", "any"] = "positive"

    def read(self, text: str, where: Where) -> Written:
        rate = quantities.parse_rate(text) if self.rate else None
        value: Quantity | CRate = rate if rate is not None else self._quantity(text)
        number = value.per_hour if isinstance(value, CRate) else value.value
        if self.sign == "positive" and not number > 0.0:
            raise QuantityError(f"{shown(text)} must be greater than zero")
        if self.sign == "not negative" and not number >= 0.0:
            raise QuantityError(f"{shown(text)} must not be negative")
        if self.sign == "not zero" and number == 0.0:
            raise QuantityError(f"{shown(text)} must not be zero (write rest for zero current)")
        return Written(text, value, where)

    def _quantity(self, text: str) -> Quantity:
        if "->" in text:
            raise QuantityError(
                f"{shown(text)} has a target; expected {self._wanted()} (targets stand in 'until')"
            )
        try:
            quantity = quantities.read(text)
        except QuantityError as error:
            raise QuantityError(f"{error}; expected {self._wanted()}") from None
        if quantity.dimension not in self.dimensions:
            raise QuantityError(f"{shown(text)} is {_a(quantity.dimension.name)}; expected {self._wanted()}")
        return quantity

    def _wanted(self) -> str:
        kinds = [f"{_a(dimension.name)} (such as {dimension.example})" for dimension in self.dimensions]
        return " or ".join([*kinds, "a C-rate (such as C/10)"] if self.rate else kinds)

    def schema(self) -> dict[str, Any]:
        examples = [dimension.example.split(",")[0] for dimension in self.dimensions]
        examples += ["C/10"] if self.rate else []
        pattern = r"^[-+−]?(\d|\.\d|C).*|^\$" if self.rate else r"^[-+−]?(\d|\.\d).*|^\$"
        return {"type": "string", "pattern": pattern, "examples": examples}


@dataclass(frozen=True)
class SpanOf(Reader):
    """`LOW to HIGH`, `above LOW` or `below HIGH`, each a quantity of one of `dimensions`."""

    dimensions: tuple[Dimension, ...]

    def read(self, text: str, where: Where) -> Span:
        end = Of(self.dimensions, sign="any")
        side, _, limit = text.partition(" ")
        if side in {"above", "below"}:
            written = end.read(limit.strip(), where)
            return Span(text, written, None, where) if side == "above" else Span(text, None, written, where)
        low, to, high = text.partition(" to ")
        if not to:
            raise QuantityError(f"{shown(text)} is no range; expected {self._wanted()}")
        return Span(text, end.read(low.strip(), where), end.read(high.strip(), where), where)

    def _wanted(self) -> str:
        example = self.dimensions[0].example.split(",")[0]
        return f"'LOW to HIGH', such as '-{example} to {example}'"

    def schema(self) -> dict[str, Any]:
        example = self.dimensions[0].example.split(",")[0]
        pattern = r".+ to .+|^(above|below) .+|^\$"
        return {"type": "string", "pattern": pattern, "examples": [f"-{example} to {example}"]}


@dataclass(frozen=True)
class AmplitudeOf(Reader):
    """An amplitude that says rms or peak, of one of `dimensions`."""

    dimensions: tuple[Dimension, ...]

    def read(self, text: str, where: Where) -> Written:
        head = text.rpartition(" ")[0]
        named = next((d for d in self.dimensions if _is(head, d)), self.dimensions[0])
        return Written(text, quantities.parse_amplitude(text, named), where)

    def _wanted(self) -> str:
        return f"an amplitude such as '{self.dimensions[0].example.split(',')[0]} rms'"

    def schema(self) -> dict[str, Any]:
        example = self.dimensions[0].example.split(",")[0]
        return {"type": "string", "pattern": r" (rms|peak)$|^\$", "examples": [f"{example} rms"]}


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _is(text: str, dimension: Dimension) -> bool:
    try:
        return quantities.read(text).dimension == dimension
    except QuantityError:
        return False


@dataclass(frozen=True)
class CountOf(Reader):
    """A whole number from `least` to `most`; `unit` may follow it, as in `20 cycles`."""

    least: int = 1
    most: int = 1_000_000
    unit: str = ""

    def read(self, text: str, _where: Where) -> int:
        number = text.removesuffix(self.unit).strip() if self.unit else text
        if not re.fullmatch(r"\d{1,9}", number, re.ASCII) or not self.least <= int(number) <= self.most:
            raise QuantityError(f"{shown(text)} is no count; expected {self._wanted()}")
        return int(number)

    def _wanted(self) -> str:
        unit = f", as in '20 {self.unit}'" if self.unit else ""
        return f"a whole number from {self.least} to {self.most}{unit}"

    def schema(self) -> dict[str, Any]:
        number = {"type": "integer", "minimum": self.least, "maximum": self.most}
        text = {
            "type": "string",
            "pattern": rf"^\d+( {self.unit})?$|^\$",
            "examples": [f"20 {self.unit}".strip()],
        }
        return {"anyOf": [number, text]}


@dataclass(frozen=True)
class YesNo(Reader):
    """`yes` or `no`."""

    def read(self, text: str, _where: Where) -> bool:
        if text.lower() not in {"yes", "no", "true", "false"}:
            raise QuantityError(f"{shown(text)} is neither yes nor no")
        return text.lower() in {"yes", "true"}

    def _wanted(self) -> str:
        return "yes or no"

    def schema(self) -> dict[str, Any]:
        return {"enum": ["yes", "no", True, False]}

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        in_words = core_schema.plain_serializer_function_ser_schema(lambda value: "yes" if value else "no")
        return core_schema.no_info_plain_validator_function(self._validate, serialization=in_words)


@dataclass(frozen=True)
class Words(Reader):
    """Free text on one line; one of `choices` where they are given."""

    choices: tuple[str, ...] = ()
    longest: int = 200

    def read(self, text: str, _where: Where) -> str:
        if self.choices and text not in self.choices:
            raise QuantityError(f"{shown(text)} is not known here; expected {self._wanted()}")
        if not text.strip() or len(text) > self.longest or not text.replace("\n", " ").isprintable():
            raise QuantityError(
                f"{shown(text)} is no name; expected up to {self.longest} printable characters"
            )
        return text

    def _wanted(self) -> str:
        return " or ".join(self.choices) or "text"

    def schema(self) -> dict[str, Any]:
        return (
            {"enum": list(self.choices)} if self.choices else {"type": ["string", "number"], "minLength": 1}
        )


Choice = Words
"""One of several words: `Annotated[str, Choice(("linear", "cyclic"))]`."""


def listed(value: object) -> object:
    """`1 mV/s, 2 mV/s` as a list, each with the place of the text: for fields that hold several."""
    if not isinstance(value, str):
        return value
    where = value.where if isinstance(value, Text) else NOWHERE
    return [Text(part.strip(), where) for part in value.split(",")]


Duration: TypeAlias = Annotated[Written, Of((quantities.TIME,))]
_CURRENTS: Final = (quantities.CURRENT, quantities.AREAL_CURRENT, quantities.SPECIFIC_CURRENT)
_CHARGES: Final = (quantities.CHARGE, quantities.AREAL_CHARGE, quantities.SPECIFIC_CHARGE)
Current: TypeAlias = Annotated[Written, Of(_CURRENTS, rate=True)]
SignedCurrent: TypeAlias = Annotated[Written, Of(_CURRENTS, rate=True, sign="not zero")]
AnyCurrent: TypeAlias = Annotated[Written, Of(_CURRENTS, rate=True, sign="any")]
Charge: TypeAlias = Annotated[Written, Of((*_CHARGES, quantities.RATIO))]
ArealCurrent: TypeAlias = Annotated[Written, Of((quantities.AREAL_CURRENT, quantities.CURRENT))]
ArealCapacity: TypeAlias = Annotated[Written, Of((quantities.AREAL_CHARGE, quantities.CHARGE))]
ArealCharge: TypeAlias = Annotated[
    Written, Of((quantities.AREAL_CHARGE, quantities.CHARGE), sign="not negative")
]
Capacity: TypeAlias = Annotated[Written, Of(_CHARGES)]
Voltage: TypeAlias = Annotated[Written, Of((quantities.VOLTAGE,), sign="any")]
VoltageStep: TypeAlias = Annotated[Written, Of((quantities.VOLTAGE,))]
SweepRate: TypeAlias = Annotated[Written, Of((quantities.VOLTAGE_RATE,))]
Share: TypeAlias = Annotated[Written, Of((quantities.RATIO,))]
Frequency: TypeAlias = Annotated[Written, Of((quantities.FREQUENCY,))]
TemperatureStep: TypeAlias = Annotated[Written, Of((quantities.TEMPERATURE,))]
Temperature: TypeAlias = Annotated[Written, Of((quantities.TEMPERATURE,))]
Area: TypeAlias = Annotated[Written, Of((quantities.AREA,))]
Mass: TypeAlias = Annotated[Written, Of((quantities.MASS,))]
Length: TypeAlias = Annotated[Written, Of((quantities.LENGTH,))]
VoltageSpan: TypeAlias = Annotated[Span, SpanOf((quantities.VOLTAGE,))]
CurrentSpan: TypeAlias = Annotated[Span, SpanOf(_CURRENTS)]
TemperatureSpan: TypeAlias = Annotated[Span, SpanOf((quantities.TEMPERATURE,))]
VoltageAmplitude: TypeAlias = Annotated[Written, AmplitudeOf((quantities.VOLTAGE,))]
CurrentAmplitude: TypeAlias = Annotated[Written, AmplitudeOf((quantities.CURRENT, quantities.AREAL_CURRENT))]
Count: TypeAlias = Annotated[int, CountOf()]
Cycles: TypeAlias = Annotated[int, CountOf(unit="cycles")]
Density: TypeAlias = Annotated[int, CountOf(most=100)]
TimeDensity: TypeAlias = Annotated[int, CountOf(most=1000)]
Periods: TypeAlias = Annotated[int, CountOf(most=1000)]
Flag: TypeAlias = Annotated[bool, YesNo()]
Name: TypeAlias = Annotated[str, Words()]
Prose: TypeAlias = Annotated[str, Words(longest=4000)]
