"""End conditions as they are written: `below -0.5 V -> stop`, `below 1 mV/h over 10 min`.

After `->` stands where the run goes: `next` (which need not be written), `stop`, or the name of an
enclosing repeat or group, which is left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias, assert_never

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

from hilcycler import quantities
from hilcycler.errors import QuantityError
from hilcycler.language.faults import Where, shown
from hilcycler.language.strict_model import wrong
from hilcycler.language.words import Goal, Of, Reader, Written
from hilcycler.quantities import Dimension
from hilcycler.steps import NEXT

_ARROW: Final = re.compile(r"\s*(?:->|→)\s*")
_CROSSING: Final = re.compile(r"(above|below)\s+(.+)", re.DOTALL)
_SETTLING: Final = re.compile(r"below\s+(.+?)(?:\s+over\s+(.+))?", re.DOTALL)
_DWELLING: Final = re.compile(r"within\s+(.+?)\s+for\s+(.+)", re.DOTALL)
_CURRENTS: Final = (quantities.CURRENT, quantities.AREAL_CURRENT, quantities.SPECIFIC_CURRENT)
_CHARGES: Final = (
    quantities.CHARGE,
    quantities.AREAL_CHARGE,
    quantities.SPECIFIC_CHARGE,
    quantities.RATIO,
)
_DURATION: Final = Of((quantities.TIME,))
_WIDEST_TOLERANCE: Final = 50.0

Key: TypeAlias = Literal[
    "time", "charge", "voltage", "current", "voltage change", "current change", "temperature"
]

_EXPECTED: Final[dict[Key, str]] = {
    "time": "such as '10 h'",
    "charge": "such as '1 mAh/cm2'",
    "voltage": "such as 'above 0.5 V' or 'below -0.5 V -> stop'",
    "current": "such as 'below C/20'",
    "voltage change": "such as 'below 1 mV/h over 10 min'",
    "current change": "such as 'below 1 % over 10 min'",
    "temperature": "such as 'within 0.5 K for 30 min'",
}


@dataclass(frozen=True)
class GoalOf(Reader):
    """One condition on `key`, with a target unless `inner` (part of an `all of`)."""

    key: Key
    inner: bool = False

    def read(self, text: str, where: Where) -> Goal:
        condition, *targets = _ARROW.split(text.strip())
        if len(targets) > 1 or (targets and not targets[0]):
            raise QuantityError(f"{shown(text)} needs one target after '->': next, stop or a name")
        if targets and self.inner:
            raise QuantityError(
                f"{shown(text)}: inside 'all of' write the target once, as 'then: {targets[0]}'"
            )
        then = targets[0] if targets else NEXT
        match self.key:
            case "time":
                return Goal(text, "time", _DURATION.read(condition, where), then=then)
            case "charge":
                return Goal(text, "charge", Of(_CHARGES).read(condition, where), then=then)
            case "voltage":
                side, limit = self._split(_CROSSING, condition)
                value = Of((quantities.VOLTAGE,), sign="any").read(limit, where)
                return Goal(text, "voltage above" if side == "above" else "voltage below", value, then=then)
            case "current":
                side, limit = self._split(_CROSSING, condition)
                value = Of(_CURRENTS, rate=True).read(limit, where)
                return Goal(text, "current above" if side == "above" else "current below", value, then=then)
            case "voltage change":
                value, window = self._settling(condition, where, quantities.VOLTAGE_RATE, quantities.VOLTAGE)
                return Goal(text, "voltage settled", value, window, then)
            case "current change":
                value, window = self._settling(condition, where, quantities.RELATIVE_RATE, quantities.RATIO)
                return Goal(text, "current settled", value, window, then)
            case "temperature":
                tolerance, dwell = self._split(_DWELLING, condition)
                value = Of((quantities.TEMPERATURE,)).read(tolerance, where)
                if value.si > _WIDEST_TOLERANCE:
                    raise QuantityError(
                        f"{shown(tolerance)} is no tolerance; expected kelvin, such as '0.5 K'"
                    )
                return Goal(text, "temperature settled", value, _DURATION.read(dwell, where), then)
            case _:
                assert_never(self.key)

    def _split(self, pattern: re.Pattern[str], condition: str) -> tuple[str, str]:
        match = pattern.fullmatch(condition)
        if match is None:
            raise QuantityError(
                f"{shown(condition)} is no condition on the {self.key}; expected {self._wanted()}"
            )
        return match[1], match[2]

    def _settling(
        self, condition: str, where: Where, rate: Dimension, change: Dimension
    ) -> tuple[Written, Written | None]:
        """A rate, or a change that needs the window it is taken over."""
        limit, over = self._split(_SETTLING, condition)
        value = Of((rate, change)).read(limit, where)
        window = _DURATION.read(over, where) if over else None
        if window is None and value.value == quantities.Quantity(value.si, change):
            raise QuantityError(f"{shown(condition)} must say over what time; expected {self._wanted()}")
        return value, window

    def _wanted(self) -> str:
        return _EXPECTED[self.key]

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "examples": [re.findall("'([^']+)'", _EXPECTED[self.key])[0]]}


@dataclass(frozen=True)
class GoalsOf(GoalOf):
    """One condition on `key` or a list of them."""

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        one = core_schema.no_info_plain_validator_function(self._validate)
        return core_schema.no_info_before_validator_function(
            _as_list,
            core_schema.tuple_schema([one], variadic_item_index=0),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda goals: str(goals[0]) if len(goals) == 1 else [str(goal) for goal in goals]
            ),
        )

    def schema(self) -> dict[str, Any]:
        one = super().schema()
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}


def _as_list(value: object) -> object:
    if isinstance(value, dict):
        raise wrong("expected a condition or a list of conditions; found keys")
    return value if isinstance(value, (list, tuple)) else [value]


Goals: TypeAlias = tuple[Goal, ...]
TimeGoals: TypeAlias = Annotated[Goals, GoalsOf("time")]
ChargeGoals: TypeAlias = Annotated[Goals, GoalsOf("charge")]
VoltageGoals: TypeAlias = Annotated[Goals, GoalsOf("voltage")]
CurrentGoals: TypeAlias = Annotated[Goals, GoalsOf("current")]
VoltageChangeGoals: TypeAlias = Annotated[Goals, GoalsOf("voltage change")]
CurrentChangeGoals: TypeAlias = Annotated[Goals, GoalsOf("current change")]
TemperatureGoals: TypeAlias = Annotated[Goals, GoalsOf("temperature")]
TimeGoal: TypeAlias = Annotated[Goal, GoalOf("time", inner=True)]
ChargeGoal: TypeAlias = Annotated[Goal, GoalOf("charge", inner=True)]
VoltageGoal: TypeAlias = Annotated[Goal, GoalOf("voltage", inner=True)]
CurrentGoal: TypeAlias = Annotated[Goal, GoalOf("current", inner=True)]
VoltageChangeGoal: TypeAlias = Annotated[Goal, GoalOf("voltage change", inner=True)]
CurrentChangeGoal: TypeAlias = Annotated[Goal, GoalOf("current change", inner=True)]
TemperatureGoal: TypeAlias = Annotated[Goal, GoalOf("temperature", inner=True)]
