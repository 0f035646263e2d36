"""aurora-unicycler's JSON (0.4.6), written, without its package.

Currents go out in mA: areal currents, C-rates and the names plate and strip are resolved to a signed
current, which is all that the form has. At constant current a charge is a time. Neither the form nor
its documents say whether an amplitude is rms or peak, so the caller does.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, Literal, assert_never

from hilcycler.cell import Cell
from hilcycler.language.exchange.refusals import Ledger, Loss, SimpleEnds, named, number, simple_ends
from hilcycler.protocol import Envelope, Group, Insert, Node, Protocol, Repeat, with_ends
from hilcycler.quantities import AMPERE_HOUR
from hilcycler.steps import (
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CyclicVoltammetry,
    End,
    GalvanostaticImpedance,
    LinearSweep,
    OperatorPause,
    PotentiostaticImpedance,
    Rest,
    Sampling,
    SetTemperature,
    Step,
)

FORM = "unicycler"
ROOT_TWO = 2.0**0.5
USUAL_STAIRCASE = 1e-3  # V, what a sweep takes that does not say
Entry = dict[str, Any]
Wave = Literal["rms", "peak"]


def to_unicycler(
    protocol: Protocol,
    cell: Cell | None = None,
    *,
    amplitude: Wave | None = None,
    accept: Collection[Loss] = (),
) -> str:
    """The JSON of a bound protocol; CannotExpress names what it cannot say.

    `amplitude`: what its reader takes amplitudes for. `accept`: losses that are agreed to.
    """
    ledger = Ledger(FORM, accept)
    method = _Method(ledger, amplitude)
    method.add(protocol.body, ())
    whole = {
        "unicycler": {},
        "sample": _sample(cell),
        "record": _record(method.samplings, ledger),
        "safety": _safety(protocol.safety, ledger),
        "method": method.entries,
    }
    ledger.close()
    return json.dumps(whole, indent=4, allow_nan=False)


class _Method:
    """The flat list of steps and loops."""

    def __init__(self, ledger: Ledger, amplitude: Wave | None) -> None:
        self.entries: list[Entry] = []
        self.samplings: list[tuple[str, Sampling]] = []
        self._ledger, self._amplitude = ledger, amplitude
        self._index = self._tags = 0

    def add(self, nodes: Sequence[Node], common: tuple[End, ...]) -> None:
        for node in nodes:
            match node:
                case Repeat():
                    self._tags += 1
                    tag = f"{node.name or 'repeat'} {self._tags}"
                    self.entries.append({"step": "tag", "tag": tag})
                    self.add(node.body, common)
                    self.entries.append({"step": "loop", "loop_to": tag, "cycle_count": node.times})
                case Group():
                    self.add(node.body, (*node.ends, *common))
                case Insert():
                    self._ledger.note(f"step {self._index + 1}", Loss.SOME_CYCLES)
                    self.add(node.body, common)
                case _:
                    self._index += 1
                    self._step(with_ends(node, common), named(node, self._index))

    def _step(self, step: Step, where: str) -> None:
        if isinstance(step, (Rest, ConstantCurrent, ConstantVoltage)):
            self.samplings.append((where, step.sampling))
            ends = simple_ends(step, where, self._ledger)
            if ends == SimpleEnds():
                self._ledger.note(where, Loss.ENDLESS)
        match step:
            case Rest():
                self._put({"step": "open_circuit_voltage", "until_time_s": ends.time})
            case ConstantCurrent():
                if ends.voltage == 0.0:
                    self._ledger.note(where, Loss.ZERO_VOLTAGE)
                entry: Entry = {"step": "constant_current", "current_mA": number(step.current * 1e3)}
                self._put(entry | {"until_time_s": ends.time, "until_voltage_V": ends.voltage})
            case ConstantVoltage():
                if step.versus_open_circuit:
                    self._ledger.note(where, Loss.BIAS)
                low = None if ends.current is None else number(ends.current * 1e3)
                entry = {"step": "constant_voltage", "voltage_V": step.voltage}
                self._put(entry | {"until_time_s": ends.time, "until_current_mA": low})
            case PotentiostaticImpedance():
                if step.bias is not None:
                    self._ledger.note(where, Loss.BIAS)
                self._spectrum(step, {"amplitude_V": self._wave(step.amplitude, where)}, where)
            case GalvanostaticImpedance():
                if step.bias != 0.0:
                    self._ledger.note(where, Loss.BIAS)
                self._spectrum(step, {"amplitude_mA": number(1e3 * self._wave(step.amplitude, where))}, where)
            case LinearSweep():
                self._sweep(step, where)
            case ConstantCurrentConstantVoltage():
                self._ledger.note(where, Loss.COMMON_TIME)
            case CyclicVoltammetry() | SetTemperature() | OperatorPause():
                self._ledger.note(where, Loss.STEP_KIND)
            case _:
                assert_never(step)

    def _put(self, entry: Entry) -> None:
        self.entries.append({key: value for key, value in entry.items() if value is not None})

    def _wave(self, rms: float, where: str) -> float:
        if self._amplitude is None:
            self._ledger.note(where, Loss.AMPLITUDE)
        return number(rms * ROOT_TWO if self._amplitude == "peak" else rms)

    def _spectrum(
        self, step: PotentiostaticImpedance | GalvanostaticImpedance, amplitude: Entry, where: str
    ) -> None:
        if step.drift_check:
            self._ledger.note(where, Loss.DRIFT_CHECK)
        frequencies = {"start_frequency_Hz": step.highest, "end_frequency_Hz": step.lowest}
        density = {"points_per_decade": step.points_per_decade, "measures_per_point": step.periods}
        self.entries.append({"step": "impedance_spectroscopy", **amplitude, **frequencies, **density})

    def _sweep(self, step: LinearSweep, where: str) -> None:
        if step.versus_open_circuit:
            self._ledger.note(where, Loss.BIAS)
        if step.ends:
            self._ledger.note(where, Loss.CONDITION)
        if step.step != USUAL_STAIRCASE:
            self._ledger.note(where, Loss.STAIRCASE)
        voltages = {"start_voltage_V": step.start, "end_voltage_V": step.stop}
        self.entries.append(
            {"step": "voltage_scan", **voltages, "scan_rate_mV_per_s": number(step.rate * 1e3)}
        )


def _sample(cell: Cell | None) -> Entry:
    if cell is None:
        return {}
    capacity = cell.nominal_capacity
    return {
        "name": cell.name,
        "capacity_mAh": None if capacity is None else number(capacity / AMPERE_HOUR * 1e3),
    }


def _record(samplings: list[tuple[str, Sampling]], ledger: Ledger) -> Entry:
    kinds = [sampling for _, sampling in samplings]
    usual = max(kinds, key=kinds.count, default=Sampling())
    for where, sampling in samplings:
        if sampling != usual or sampling.points_per_decade is not None:
            ledger.note(where, Loss.RECORDING)
        if sampling.decide != min(1.0, sampling.every or 1.0):
            ledger.note(where, Loss.DECIDING)
    return {
        "time_s": usual.every,
        "voltage_V": usual.voltage_change,
        "current_mA": None if usual.current_change is None else number(usual.current_change * 1e3),
    }


def _safety(safety: Envelope, ledger: Ledger) -> Entry:
    widest = Envelope()
    if safety.temperature != widest.temperature:
        ledger.note("safety", Loss.SAFETY)
    limits = {
        "min_voltage_V": safety.voltage[0],
        "max_voltage_V": safety.voltage[1],
        "min_current_mA": safety.current[0] * 1e3,
        "max_current_mA": safety.current[1] * 1e3,
        "max_capacity_mAh": safety.charge / AMPERE_HOUR * 1e3,
    }
    return {key: number(value) for key, value in limits.items() if abs(value) != float("inf")}
