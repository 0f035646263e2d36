"""PyBaMM's experiment strings (26.10), both ways, without its package.

    Discharge at C/10 for 10 hours or until 3.3 V (1 minute period)
    Hold at 4.2 V until 50 mA
    Rest for 1 hour

PyBaMM ends a string that names no time after a hidden day (or 2/C hours) and calls that infeasible;
neither is imported: such a step gets a time after which the run stops, `longest`. Exported strings
always name a time.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, Final, assert_never

from hilcycler.language.document import Document, loads
from hilcycler.language.exchange.refusals import Ledger, Loss, named, number, simple_ends
from hilcycler.language.faults import Fault, FileError, Where, shown
from hilcycler.language.writing import to_yaml, tree_of
from hilcycler.protocol import Protocol, count_steps, walk
from hilcycler.quantities import Second
from hilcycler.steps import (
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CyclicVoltammetry,
    GalvanostaticImpedance,
    LinearSweep,
    OperatorPause,
    PotentiostaticImpedance,
    Rest,
    Sampling,
    SetTemperature,
    Step,
    StepResult,
)

MOST: Final = 10_000
Entry = dict[str, Any]

_SECONDS: Final = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0),
}
_N: Final = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_LINE: Final = re.compile(
    rf"(?P<what>Charge|Discharge|Hold|Rest)(?: at (?P<value>[^()]+?))?"
    rf"(?: for (?P<time>{_N}) ?(?P<unit>[a-z]+))?(?: or)?(?: until (?P<limit>[^()]+?))?"
    rf"(?: \((?P<period>{_N}) ?(?P<period_unit>[a-z]+) period\))?"
)
_VALUE: Final = re.compile(
    rf"(?P<number>{_N}) ?(?P<unit>mA|A|mV|V|C|mW|W|Ohm|mOhm)|C/(?P<over>\d+(?:\.\d+)?)"
)


def from_pybamm(
    lines: Sequence[str], name: str = "PyBaMM experiment", *, times: int = 1, longest: str = "100 h"
) -> Document:
    """The document that experiment strings mean, run `times` times; FileError names the line that means none."""
    steps, faults = [], []
    periods: set[str] = set()
    for number_, line in enumerate(lines, 1):
        try:
            step, period = _read(line, longest)
            steps.append(step)
            periods |= {period} if period else set()
        except ValueError as error:
            faults.append(Fault(Where(number_), str(error)))
    if faults or not steps:
        raise FileError(name, faults or [Fault(Where(), "holds no steps")])
    record = {"every": periods.pop()} if len(periods) == 1 else None
    body = [{"repeat": times, "name": "cycling", "steps": steps}] if times > 1 else steps
    tree = tree_of({"protocol": name, "record": record, "steps": body})
    assert isinstance(tree, dict)
    return loads(to_yaml(tree), name)


def _read(line: str, longest: str) -> tuple[Entry, str | None]:
    """One string as a step, and its recording period."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise ValueError(
            f"{shown(line)} is no step; expected such as 'Charge at C/2 for 3 hours or until 4.2 V'"
        )
    time = _time(match["time"], match["unit"]) if match["time"] else None
    period = f"{_time(match['period'], match['period_unit'])!r} s" if match["period"] else None
    record = {"every": period} if period else None
    if match["what"] == "Rest":
        if time is None or match["value"] or match["limit"]:
            raise ValueError(f"{shown(line)}: a rest needs a time and nothing else, 'Rest for 1 hour'")
        return {"rest": {"for": f"{time!r} s", "record": record}}, period
    if time is None and match["limit"] is None:
        raise ValueError(f"{shown(line)} never ends; expected 'for' or 'until'")
    until = {"time": f"{time!r} s" if time is not None else f"{longest} -> stop"}
    if match["what"] == "Hold":
        kind, voltage = _value(match["value"], line)
        if kind != "V":
            raise ValueError(f"{shown(line)} holds no voltage")
        if match["limit"]:
            kind, limit = _value(match["limit"], line)
            if kind not in {"A", "C"}:
                raise ValueError(f"{shown(line)}: a hold ends by a current")
            until["current"] = f"below {limit}"
        return {"constant voltage": {"voltage": voltage, "until": until, "record": record}}, period
    kind, current = _value(match["value"], line)
    if kind not in {"A", "C"}:
        raise ValueError(f"{shown(line)}: a constant {'power' if kind == 'W' else kind} is not known here")
    if match["limit"]:
        kind, limit = _value(match["limit"], line)
        if kind != "V":
            raise ValueError(f"{shown(line)}: a constant current ends by a voltage")
        until["voltage"] = f"{'above' if match['what'] == 'Charge' else 'below'} {limit}"
    return {match["what"].lower(): {"current": current, "until": until, "record": record}}, period


def _time(number_: str, unit: str) -> Second:
    if unit not in _SECONDS:
        raise ValueError(f"'{unit}' is no unit of time; expected {', '.join(_SECONDS)}")
    return float(number_) * _SECONDS[unit]


def _value(text: str | None, line: str) -> tuple[str, str]:
    """The kind of a value (A, V, C, W, Ohm) and the value as we write it."""
    match = _VALUE.fullmatch((text or "").strip())
    if match is None:
        raise ValueError(
            f"{shown(text or '')} in {shown(line)} is no value; expected such as 1 A, 4.2 V, C/10"
        )
    if match["over"]:
        return "C", f"C/{match['over']}"
    unit = match["unit"]
    return unit.removeprefix("m"), f"{match['number']} {unit}"


def to_pybamm(protocol: Protocol, *, accept: Collection[Loss] = ()) -> list[str]:
    """The strings of a bound protocol, repeats written out; CannotExpress names what they cannot say."""
    ledger = Ledger("a PyBaMM experiment", accept)
    lines: list[str] = []
    if count_steps(protocol.body) > MOST:
        ledger.note("the protocol", Loss.TOO_LONG)
        ledger.close()
    if protocol.safety != type(protocol.safety)():
        ledger.note("safety", Loss.SAFETY)
    plan = walk(protocol)
    planned = next(plan, None)
    while planned is not None:
        lines.append(_line(planned.step, named(planned.step, planned.index), ledger))
        try:
            planned = plan.send(StepResult(None, 0.0, 0.0, None, None))
        except StopIteration:
            planned = None
    ledger.close()
    return lines


def _line(step: Step, where: str, ledger: Ledger) -> str:
    match step:
        case Rest():
            what = "Rest"
        case ConstantCurrent():
            direction = "Charge" if step.current > 0.0 else "Discharge"
            what = f"{direction} at {_plain(abs(step.current) * 1e3)} mA"
        case ConstantVoltage():
            if step.versus_open_circuit:
                ledger.note(where, Loss.BIAS)
            what = f"Hold at {_plain(step.voltage)} V"
        case ConstantCurrentConstantVoltage():
            ledger.note(where, Loss.COMMON_TIME)
            return ""
        case (
            PotentiostaticImpedance()
            | GalvanostaticImpedance()
            | LinearSweep()
            | CyclicVoltammetry()
            | SetTemperature()
            | OperatorPause()
        ):
            ledger.note(where, Loss.STEP_KIND)
            return ""
        case _:
            assert_never(step)
    ends = simple_ends(step, where, ledger)
    if ends.time is None:
        ledger.note(where, Loss.ENDLESS)
        return ""
    sampling = step.sampling
    if sampling != Sampling(sampling.decide, sampling.every):
        ledger.note(where, Loss.RECORDING)
    if sampling.decide != min(1.0, sampling.every or 1.0):
        ledger.note(where, Loss.DECIDING)
    limit = ""
    if ends.voltage is not None:
        limit = f" or until {_plain(ends.voltage)} V"
    if ends.current is not None:
        limit = f" or until {_plain(ends.current * 1e3)} mA"
    period = f" ({_plain(sampling.every)} second period)" if sampling.every else ""
    return f"{what} for {_plain(ends.time)} seconds{limit}{period}"


def _plain(value: float) -> str:
    """Digits without an exponent, which PyBaMM's grammar does not take everywhere."""
    text = f"{number(value):.15f}".rstrip("0")
    return text + "0" if text.endswith(".") else text
