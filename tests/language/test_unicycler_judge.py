"""aurora-unicycler itself judges what we read from it and write for it.

Its own model validates both, and what it makes of them (its dump, its strings for PyBaMM) must be the
same before and after the way through our language. The examples are those of its documentation and of
its tests (0.4.6): the same steps, written here.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from aurora_unicycler import CyclingProtocol
from hypothesis import HealthCheck, assume, given, settings
from pydantic import ValidationError
from unicycler_files import meaning, protocols

from hilcycler.language import FileError, loads
from hilcycler.language.exchange import Loss, from_unicycler, to_unicycler

Entry = dict[str, Any]


def charge(rate: float | str, volts: float | str, seconds: float | str) -> Entry:
    return {"step": "constant_current", "rate_C": rate, "until_voltage_V": volts, "until_time_s": seconds}


EXAMPLES: dict[str, Entry] = {
    "of its module": {
        "sample": {"name": "My Sample", "capacity_mAh": 1.0},
        "record": {"time_s": 10},
        "safety": {"max_voltage_V": 4.5, "delay_s": 1},
        "method": [
            {"step": "tag", "tag": "longterm"},
            {"step": "open_circuit_voltage", "until_time_s": 600},
            charge(0.5, 4.2, 10800),
            {"step": "constant_voltage", "voltage_V": 4.2, "until_rate_C": 0.05, "until_time_s": 3600},
            charge(-0.5, 3.0, 10800),
            {"step": "loop", "loop_to": "longterm", "cycle_count": 100},
        ],
    },
    "of its pages": {
        "sample": {"capacity_mAh": 2.0},
        "record": {"time_s": 10, "voltage_V": 0.1},
        "safety": {"max_voltage_V": 5},
        "method": [
            {"step": "open_circuit_voltage", "until_time_s": 1},
            {"step": "tag", "tag": "tag1"},
            {"step": "constant_current", "rate_C": 0.5, "until_voltage_V": 4.2},
            {"step": "constant_voltage", "voltage_V": 4.2, "until_rate_C": 0.05},
            {"step": "constant_current", "rate_C": -0.5, "until_voltage_V": 3.0},
            {"step": "loop", "loop_to": "tag1", "cycle_count": 100},
        ],
    },
    "of its tests: texts for numbers, loops by number, one around another": {
        "sample": {"name": "test_sample", "capacity_mAh": "123"},
        "record": {"current_mA": "0.1", "voltage_V": "0.1", "time_s": "10"},
        "safety": {
            "max_voltage_V": "5",
            "min_voltage_V": "-0.1",
            "max_current_mA": "100",
            "min_current_mA": "-100",
            "max_capacity_mAh": None,
            "delay_s": "10",
        },
        "method": [
            {"step": "open_circuit_voltage", "until_time_s": "3600"},
            charge("0.1", "2", "600"),
            {"step": "open_circuit_voltage", "until_time_s": "43200"},
            charge("0.1", "4.9", "54000.0"),
            {"step": "constant_voltage", "voltage_V": "4.9", "until_time_s": "21600", "until_rate_C": "0.05"},
            charge("-0.1", "3.5", "54000.0"),
            {"step": "loop", "loop_to": 4, "cycle_count": 3},
            charge("0.5", "4.9", "10800.0"),
            {"step": "constant_voltage", "voltage_V": "4.9", "until_time_s": "3600", "until_rate_C": "0.05"},
            charge("-0.5", "3.5", "10800.0"),
            {"step": "loop", "loop_to": 8, "cycle_count": 24},
            charge("0.1", "4.9", "54000.0"),
            charge("-0.1", "3.5", "54000.0"),
            {"step": "loop", "loop_to": 8, "cycle_count": 20},
        ],
    },
}


def judged(protocol: Entry) -> CyclingProtocol:
    """As its own model takes it; ValidationError if it does not."""
    return CyclingProtocol.from_dict(copy.deepcopy(protocol))


def done_by(protocol: CyclingProtocol) -> list[Entry]:
    """What it does, from its own dump."""
    return meaning(json.loads(protocol.to_json()))


def compare(before: CyclingProtocol, after: CyclingProtocol) -> None:
    old_steps, new_steps = done_by(before), done_by(after)
    assert [each["step"] for each in new_steps] == [each["step"] for each in old_steps]
    for old, new in zip(old_steps, new_steps, strict=True):
        assert new.keys() == old.keys()
        for key, value in old.items():
            assert new[key] == (value if isinstance(value, str) else pytest.approx(value, rel=1e-9)), (
                old,
                new,
            )
    assert after.safety.model_dump(exclude={"delay_s"}, exclude_none=True) == pytest.approx(
        before.safety.model_dump(exclude={"delay_s"}, exclude_none=True), rel=1e-9
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_its_own_examples_come_back_the_same(name: str) -> None:
    before = judged(EXAMPLES[name])
    accept = [Loss.SAFETY] if before.safety.delay_s else []
    document = from_unicycler(json.dumps(EXAMPLES[name]), accept=accept)
    after = judged(json.loads(to_unicycler(document.bind(), document.cell, accept=[Loss.TIME_GUARD])))
    compare(before, after)
    assert len(after.to_pybamm_experiment()) == len(before.to_pybamm_experiment())


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(protocols())
def test_generated_protocols_come_back_the_same(given_: Entry) -> None:
    try:
        before = judged(given_)
    except ValidationError:
        assume(False)
    try:
        document = from_unicycler(json.dumps(given_), amplitude="rms")
        bound = document.bind()
    except FileError as error:
        assume("years" not in str(error) and "come to" not in str(error))  # nobody means those
        raise
    written = to_unicycler(bound, document.cell, amplitude="rms", accept=[Loss.TIME_GUARD])
    compare(before, judged(json.loads(written)))


OURS = """protocol: ours
cell: {working: LFP, counter: Li, area: 1 cm2, nominal capacity: 2 mAh}
record: {every: 10 s}
safety: {voltage: 0 V to 4.5 V, current: -10 mA to 10 mA}
steps:
  - rest: 10 min
  - repeat: 3
    steps:
      - rest: 1 min
  - repeat: 5
    steps:
      - charge: {current: C/2, for: 3 h, until: {voltage: above 4 V}}
      - constant voltage: {voltage: 4 V, for: 1 h, until: {current: below C/20}}
      - discharge: {current: C/2, for: 3 h, until: {voltage: below 2.5 V}}
      - repeat: 2
        steps:
          - linear sweep: {from: 3 V, to: 4 V, rate: 1 mV/s}
          - rest: 1 h
"""


def test_it_takes_what_we_write_of_our_own() -> None:
    document = loads(OURS)
    taken = judged(json.loads(to_unicycler(document.bind(), document.cell)))
    again = from_unicycler(taken.to_json())
    compare(taken, judged(json.loads(to_unicycler(again.bind(), again.cell))))
