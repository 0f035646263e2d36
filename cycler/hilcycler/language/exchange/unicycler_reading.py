"""aurora-unicycler's JSON (0.4.6), read, without its package.

A step that only a voltage or a current ends gets a time after which the run stops (`longest`),
because here every step is certain to end. Neither the form nor its documents say whether an amplitude
is rms or peak, so the caller does.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hilcycler.language.document import Document, loads
from hilcycler.language.exchange.refusals import Ledger, Loss
from hilcycler.language.faults import Fault, FileError, Where
from hilcycler.language.strict_yaml import MOST_BYTES
from hilcycler.language.writing import to_yaml, tree_of

FORM = "unicycler"
ROOT_TWO = 2.0**0.5
Entry = dict[str, Any]
Wave = Literal["rms", "peak"]


def _blank(value: object) -> object:
    """An empty text stands for nothing in unicycler's files."""
    return None if isinstance(value, str) and not value.strip() else value


class _Strict(BaseModel):
    """Numbers may be written as texts there."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _blanks(cls, data: object) -> object:
        return {key: _blank(value) for key, value in data.items()} if isinstance(data, dict) else data


class _Sample(_Strict):
    name: str = "$NAME"
    capacity_mAh: float | None = Field(None, gt=0.0)  # noqa: N815


class _Recording(_Strict):
    time_s: float = Field(gt=0.0)
    current_mA: float | None = Field(None, gt=0.0)  # noqa: N815
    voltage_V: float | None = Field(None, gt=0.0)  # noqa: N815


class _Limits(_Strict):
    max_voltage_V: float | None = None  # noqa: N815
    min_voltage_V: float | None = None  # noqa: N815
    max_current_mA: float | None = None  # noqa: N815
    min_current_mA: float | None = None  # noqa: N815
    max_capacity_mAh: float | None = Field(None, gt=0.0)  # noqa: N815
    delay_s: float | None = None


class _Step(_Strict):
    id: str | None = None


class _OpenCircuit(_Step):
    step: Literal["open_circuit_voltage"]
    until_time_s: float = Field(gt=0.0)


class _Current(_Step):
    step: Literal["constant_current"]
    rate_C: float | str | None = None  # noqa: N815
    current_mA: float | None = None  # noqa: N815
    until_time_s: float | None = None
    until_voltage_V: float | None = None  # noqa: N815


class _Voltage(_Step):
    step: Literal["constant_voltage"]
    voltage_V: float  # noqa: N815
    until_time_s: float | None = None
    until_rate_C: float | str | None = None  # noqa: N815
    until_current_mA: float | None = None  # noqa: N815


class _Impedance(_Step):
    step: Literal["impedance_spectroscopy"]
    amplitude_V: float | None = None  # noqa: N815
    amplitude_mA: float | None = None  # noqa: N815
    start_frequency_Hz: float  # noqa: N815
    end_frequency_Hz: float  # noqa: N815
    points_per_decade: int = 10
    measures_per_point: int = 1
    drift_correction: bool | None = False


class _Scan(_Step):
    step: Literal["voltage_scan"]
    start_voltage_V: float  # noqa: N815
    end_voltage_V: float  # noqa: N815
    scan_rate_mV_per_s: float  # noqa: N815


class _Loop(_Step):
    step: Literal["loop"]
    loop_to: int | str = 1
    cycle_count: int = Field(gt=0)


class _Tag(_Step):
    step: Literal["tag"]
    tag: str


_AnyStep = Annotated[
    _OpenCircuit | _Current | _Voltage | _Impedance | _Scan | _Loop | _Tag, Field(discriminator="step")
]


class _File(_Strict):
    unicycler: dict[str, Any] = Field(default_factory=dict)
    sample: _Sample = Field(default_factory=_Sample)
    record: _Recording
    safety: _Limits = Field(default_factory=_Limits)
    method: list[_AnyStep] = Field(min_length=1, max_length=10_000)


def from_unicycler(
    text: str,
    file: str = "unicycler.json",
    *,
    amplitude: Wave | None = None,
    longest: str = "100 h",
    accept: Collection[Loss] = (),
) -> Document:
    """The document that the JSON means, in our language; FileError or CannotExpress if it means none.

    `longest`: after this the run stops in a step that only a voltage or a current would end.
    """
    read = _read(text, file)
    ledger = Ledger("our language", accept)
    if read.safety.delay_s:
        ledger.note("safety", Loss.SAFETY)
    steps = _Steps(ledger, amplitude, longest).all(read.method, file)
    ledger.close()
    tree = tree_of(
        {
            "protocol": read.sample.name.replace("$", "") or "unicycler",
            "cell": _cell(read.sample),
            "safety": _limits(read.safety),
            "record": _recording(read.record),
            "steps": steps,
        }
    )
    assert isinstance(tree, dict)
    return loads(to_yaml(tree), file)


def _read(text: str, file: str) -> _File:
    if len(text) > 16 * MOST_BYTES:
        raise FileError(
            file, [Fault(Where(), f"has {len(text)} characters; at most {16 * MOST_BYTES} are read")]
        )
    try:
        content = json.loads(text, parse_constant=_refuse, object_pairs_hook=_once)
        return _File.model_validate(content)
    except ValidationError as error:
        faults = []
        for detail in error.errors(include_url=False, include_input=False):
            key = ".".join(str(part + 1) if isinstance(part, int) else part for part in detail["loc"])
            faults.append(Fault(Where(key=key), detail["msg"][0].lower() + detail["msg"][1:]))
        raise FileError(file, faults) from None
    except (ValueError, RecursionError) as error:
        raise FileError(file, [Fault(Where(), f"not readable as JSON: {str(error)[:200]}")]) from None


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def _once(pairs: list[tuple[str, Any]]) -> Entry:
    found: Entry = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key[:40]!r} is given twice")
        found[key] = value
    return found


class _Steps:
    """The tree that a flat list with loops means."""

    def __init__(self, ledger: Ledger, amplitude: Wave | None, longest: str) -> None:
        self._ledger, self._amplitude, self._longest = ledger, amplitude, longest

    def all(self, method: Sequence[_AnyStep], file: str) -> list[Entry]:
        tags = {step.tag: number for number, step in enumerate(method, 1) if isinstance(step, _Tag)}
        placed: list[tuple[int, Entry]] = []
        for position, step in enumerate(method, 1):
            match step:
                case _Loop():
                    target = tags.get(step.loop_to) if isinstance(step.loop_to, str) else step.loop_to
                    known = {place for place, _ in placed} | set(tags.values()) | {1}
                    if target is None or target >= position or target not in known:
                        message = (
                            f"loop_to {step.loop_to!r} is no earlier step or tag that is not inside a loop"
                        )
                        raise FileError(file, [Fault(Where(key=f"method.{position}"), message)])
                    inside = [entry for place, entry in placed if place >= target]
                    placed = [(place, entry) for place, entry in placed if place < target]
                    if not inside:
                        raise FileError(file, [Fault(Where(key=f"method.{position}"), "loops over nothing")])
                    placed.append((target, {"repeat": step.cycle_count, "steps": inside}))
                case _Tag():
                    pass
                case _:
                    placed.append((position, self._entry(step, f"method.{position}")))
        return [entry for _, entry in placed]

    def _entry(self, step: _OpenCircuit | _Current | _Voltage | _Impedance | _Scan, where: str) -> Entry:
        match step:
            case _OpenCircuit():
                return {"rest": f"{step.until_time_s!r} s"}
            case _Current():
                return self._current(step, where)
            case _Voltage():
                rate = _rate(step.until_rate_C) if step.until_rate_C is not None else None
                low = (
                    f"{abs(rate)!r} C"
                    if rate
                    else f"{step.until_current_mA!r} mA"
                    if step.until_current_mA
                    else None
                )
                until = {"current": f"below {low}" if low else None, **self._time(step.until_time_s)}
                return {"constant voltage": {"voltage": f"{step.voltage_V!r} V", "until": until}}
            case _Impedance():
                return self._impedance(step, where)
            case _Scan():
                rate_text = f"{step.scan_rate_mV_per_s!r} mV/s"
                ends = {"from": f"{step.start_voltage_V!r} V", "to": f"{step.end_voltage_V!r} V"}
                return {"linear sweep": {**ends, "rate": rate_text}}

    def _current(self, step: _Current, where: str) -> Entry:
        rate = _rate(step.rate_C) if step.rate_C is not None else None
        value, unit = (rate, "C") if rate else (step.current_mA, "mA")
        if not value:
            self._ledger.note(where, Loss.STEP_KIND)
            return {}
        until: Entry = self._time(step.until_time_s)
        if step.until_voltage_V is not None:
            side = "above" if value > 0.0 else "below"
            until["voltage"] = f"{side} {step.until_voltage_V!r} V"
        return {
            "charge" if value > 0.0 else "discharge": {"current": f"{abs(value)!r} {unit}", "until": until}
        }

    def _time(self, seconds: float | None) -> Entry:
        return {"time": f"{seconds!r} s" if seconds else f"{self._longest} -> stop"}

    def _impedance(self, step: _Impedance, where: str) -> Entry:
        if self._amplitude is None:
            self._ledger.note(where, Loss.AMPLITUDE)
        if step.drift_correction:
            self._ledger.note(where, Loss.DRIFT_CHECK)
        value, unit, kind = (
            (step.amplitude_V, "V", "peis")
            if step.amplitude_V is not None
            else (step.amplitude_mA, "mA", "geis")
        )
        return {
            kind: {
                "amplitude": f"{value!r} {unit} {self._amplitude or 'rms'}",
                "from": f"{max(step.start_frequency_Hz, step.end_frequency_Hz)!r} Hz",
                "to": f"{min(step.start_frequency_Hz, step.end_frequency_Hz)!r} Hz",
                "points per decade": step.points_per_decade,
                "periods": step.measures_per_point,
                "drift check": "no",
            }
        }


def _rate(written: float | str | None) -> float:
    """`C/2`, `D/5`, `2C/3`, `1/5` or a number; D discharges."""
    text = str(written).replace(" ", "")
    head, slash, tail = text.partition("/")
    sign = -1.0 if "D" in head else 1.0
    try:
        top = float(head.replace("C", "", 1).replace("D", "", 1) or 1.0)
        return sign * top / (float(tail) if slash else 1.0)
    except (ValueError, ZeroDivisionError):
        raise FileError("unicycler", [Fault(Where(), f"{text[:40]!r} is no C-rate")]) from None


def _cell(sample: _Sample) -> Entry | None:
    if sample.capacity_mAh is None:
        return None
    capacity = f"{sample.capacity_mAh!r} mAh"
    return {
        "name": sample.name.replace("$", ""),
        "working": "unknown",
        "counter": "unknown",
        "nominal capacity": capacity,
    }


def _limits(limits: _Limits) -> Entry:
    return {
        "voltage": _span(limits.min_voltage_V, limits.max_voltage_V, "V"),
        "current": _span(limits.min_current_mA, limits.max_current_mA, "mA"),
        "charge": None if limits.max_capacity_mAh is None else f"{limits.max_capacity_mAh!r} mAh",
    }


def _span(low: float | None, high: float | None, unit: str) -> str | None:
    if low is not None and high is not None:
        return f"{low!r} {unit} to {high!r} {unit}"
    if low is not None:
        return f"above {low!r} {unit}"
    return None if high is None else f"below {high!r} {unit}"


def _recording(record: _Recording) -> Entry:
    return {
        "every": f"{record.time_s!r} s",
        "voltage change": None if record.voltage_V is None else f"{record.voltage_V!r} V",
        "current change": None if record.current_mA is None else f"{record.current_mA!r} mA",
    }
