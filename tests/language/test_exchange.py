"""Other programs' protocols: what goes through comes back the same, what cannot go is named."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from unicycler_files import meaning, protocols

from hilcycler.cell import Cell, Electrode
from hilcycler.errors import RequestError
from hilcycler.language import FileError, describe, loads
from hilcycler.language.exchange import (
    CannotExpress,
    Loss,
    from_pybamm,
    from_unicycler,
    to_pybamm,
    to_pyprobe_readme,
    to_unicycler,
)
from hilcycler.language.strict_yaml import read
from hilcycler.protocol import Planned, Protocol, walk
from hilcycler.steps import (
    ChargeReached,
    ConstantCurrent,
    ConstantVoltage,
    End,
    Step,
    StepResult,
    TimeReached,
    VoltageAbove,
    VoltageBelow,
)

CELL = Cell("c", Electrode("Li"), Electrode("Li"), area=1e-4, nominal_capacity=7.2)
RECORD = "record: {every: 10 s}\n"


def protocol(steps: str, head: str = RECORD) -> Protocol:
    return loads(f"protocol: p\n{head}steps:\n{steps}").bind(CELL)


def losses(steps: str, head: str = RECORD, to: Any = to_unicycler) -> set[Loss]:
    with pytest.raises(CannotExpress) as caught:
        to(protocol(steps, head))
    return {loss for _, loss in caught.value.losses}


# --- unicycler ----------------------------------------------------------------------------


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(protocols(), st.sampled_from(["rms", "peak"]))
def test_a_unicycler_protocol_comes_back_meaning_the_same(given_: dict[str, Any], wave: Any) -> None:
    try:
        document = from_unicycler(json.dumps(given_), amplitude=wave)
        bound = document.bind()
    except FileError as error:
        assume("years" not in str(error) and "come to" not in str(error))  # nobody means those
        raise
    back = json.loads(to_unicycler(bound, document.cell, amplitude=wave, accept=[Loss.TIME_GUARD]))
    before, after = meaning(given_), meaning(back)
    assert [entry["step"] for entry in after] == [entry["step"] for entry in before]
    for old, new in zip(before, after, strict=True):
        assert new.keys() == old.keys()
        for key, value in old.items():
            assert new[key] == (value if isinstance(value, str) else pytest.approx(value, rel=1e-9)), (
                old,
                new,
            )
    recorded = any(
        entry["step"] in {"open_circuit_voltage", "constant_current", "constant_voltage"} for entry in before
    )
    for part in ("record", "safety") if recorded else ("safety",):
        assert {k: v for k, v in back[part].items() if v is not None} == pytest.approx(given_[part], rel=1e-9)


def test_what_an_imported_file_looks_like() -> None:
    text = json.dumps(
        {
            "unicycler": {"version": "0.4.6"},
            "sample": {"name": "LFP 3", "capacity_mAh": 2.0},
            "record": {"time_s": 10.0, "voltage_V": 0.01},
            "safety": {"max_voltage_V": 4.5},
            "method": [
                {"step": "open_circuit_voltage", "until_time_s": 300.0},
                {"step": "tag", "tag": "formation"},
                {
                    "step": "constant_current",
                    "rate_C": "C/10",
                    "until_voltage_V": 4.0,
                    "until_time_s": 72000.0,
                },
                {"step": "constant_voltage", "voltage_V": 4.0, "until_rate_C": "C/50"},
                {"step": "constant_current", "rate_C": "D/10", "until_voltage_V": 2.5},
                {"step": "loop", "loop_to": "formation", "cycle_count": 3},
            ],
        }
    )
    assert from_unicycler(text).text == (
        "protocol: LFP 3\n"
        "cell: {name: LFP 3, working: unknown, counter: unknown, nominal capacity: 2.0 mAh}\n"
        "safety: {voltage: below 4.5 V}\n"
        "record: {every: 10.0 s, voltage change: 0.01 V}\n"
        "steps:\n"
        "  - rest: 300.0 s\n"
        "  - repeat: 3\n"
        "    steps:\n"
        "      - charge: {current: 0.1 C, until: {time: 72000.0 s, voltage: above 4.0 V}}\n"
        "      - constant voltage: {voltage: 4.0 V, until: {current: below 0.02 C, time: 100 h -> stop}}\n"
        "      - discharge: {current: 0.1 C, until: {time: 100 h -> stop, voltage: below 2.5 V}}\n"
    )


def test_numbers_as_texts_blanks_and_loops_around_loops() -> None:
    """As in the protocols that unicycler's own tests use."""
    cycle = [
        {
            "step": "constant_current",
            "rate_C": "0.1",
            "current_mA": "",
            "until_time_s": "54000.0",
            "until_voltage_V": "4.9",
        },
        {"step": "constant_voltage", "voltage_V": "4.9", "until_time_s": "21600", "until_rate_C": "0.05"},
        {
            "step": "constant_current",
            "rate_C": "-0.1",
            "current_mA": None,
            "until_time_s": "54000.0",
            "until_voltage_V": "3.5",
        },
    ]
    text = json.dumps(
        {
            "sample": {"name": "test_sample", "capacity_mAh": "123"},
            "record": {"current_mA": "0.1", "voltage_V": "0.1", "time_s": "10"},
            "safety": {"max_voltage_V": "5", "min_voltage_V": "-0.1", "delay_s": "10"},
            "method": [
                *cycle,
                {"step": "loop", "loop_to": 1, "cycle_count": 3},
                *cycle,
                {"step": "loop", "loop_to": 1, "cycle_count": 20},
            ],
        }
    )
    with pytest.raises(CannotExpress, match="safety: a safety limit that the form does not have"):
        from_unicycler(text)
    assert describe(from_unicycler(text, accept=[Loss.SAFETY]).bind())[2:] == [
        "repeat 20 times:",
        "  repeat 3 times:",
        "    1. charge at 12.3 mA; until 15 h have passed or the voltage is at or above 4.9 V",
        "    2. hold 4.9 V; until 6 h have passed or the current is at or below 6.15 mA",
        "    3. discharge at 12.3 mA; until 15 h have passed or the voltage is at or below 3.5 V",
        "  4. charge at 12.3 mA; until 15 h have passed or the voltage is at or above 4.9 V",
        "  5. hold 4.9 V; until 6 h have passed or the current is at or below 6.15 mA",
        "  6. discharge at 12.3 mA; until 15 h have passed or the voltage is at or below 3.5 V",
        "240 steps, 120 d at most",
    ]


def test_a_cut_off_at_zero_volts_is_read_and_never_lost() -> None:
    """unicycler itself rejects it alone, and its converters drop it beside a time."""
    method = [
        {"step": "constant_current", "current_mA": -1.0, "until_time_s": 3600.0, "until_voltage_V": 0.0}
    ]
    bound = from_unicycler(json.dumps({"record": {"time_s": 1.0}, "method": method})).bind()
    (step,) = bound.body
    assert isinstance(step, ConstantCurrent)
    assert VoltageBelow(0.0) in [end.condition for end in step.ends]
    with pytest.raises(CannotExpress, match="a limit at 0 V, which its tools drop silently"):
        to_unicycler(bound)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "f: not readable as JSON: "),
        ('{"record": {"time_s": NaN}}', "f: not readable as JSON: NaN is no number"),
        ('{"record": {"time_s": 1, "time_s": 2}}', "f: not readable as JSON: 'time_s' is given twice"),
        ('{"record": {"time_s": 1}, "method": []}', "f: method: list should have at least 1 item"),
        ('{"record": {"time_s": 1}, "method": [{"step": "fly"}]}', "f: method.1: input tag 'fly'"),
        ('{"record": {"time_s": 1}, "method": [{"step": "open_circuit_voltage", "until_time_s": 1, "x": 2}]}',
         "f: method.1.open_circuit_voltage.x: extra inputs are not permitted"),
        ('{"record": {"time_s": 1}, "method": [{"step": "loop", "loop_to": 5, "cycle_count": 2}]}',
         "f: method.1: loop_to 5 is no earlier step"),
        ('{"record": {"time_s": 1}, "method": [{"step": "constant_current", "rate_C": "X", "until_time_s": 1}]}',
         "unicycler: 'X' is no C-rate"),
        ("[" * 100_000, "f: not readable as JSON: "),
    ],
)  # fmt: skip
def test_a_file_that_is_none(text: str, message: str) -> None:
    with pytest.raises(FileError) as caught:
        from_unicycler(text, "f")
    assert str(caught.value).startswith(message)


def test_an_amplitude_must_be_said_to_be_rms_or_peak_in_both_directions() -> None:
    spectrum = {
        "step": "impedance_spectroscopy",
        "amplitude_V": 0.01,
        "start_frequency_Hz": 1e3,
        "end_frequency_Hz": 1.0,
    }
    text = json.dumps({"record": {"time_s": 1.0}, "method": [spectrum]})
    with pytest.raises(CannotExpress, match="whether an amplitude is rms or peak"):
        from_unicycler(text)
    peak = from_unicycler(text, amplitude="peak").bind()
    assert json.loads(to_unicycler(peak, amplitude="peak"))["method"][0]["amplitude_V"] == 0.01
    assert json.loads(to_unicycler(peak, amplitude="rms"))["method"][0]["amplitude_V"] == pytest.approx(
        0.00707, rel=1e-3
    )
    with pytest.raises(CannotExpress, match="whether an amplitude is rms or peak") as caught:
        to_unicycler(peak)
    assert caught.value.losses == (("step 1 (peis)", Loss.AMPLITUDE),)


@pytest.mark.parametrize(
    ("steps", "loss"),
    [
        ("  - plate: {current: 1 mA, for: 1 h, until: {voltage: below -1 V -> stop}}\n", Loss.TARGET),
        ("  - plate: {current: 1 mA, until: {voltage: below -1 V, time: 1 h -> stop}}\n", Loss.TIME_GUARD),
        ("  - rest: {for: 1 h, until: {voltage change: below 1 mV/h}}\n", Loss.CONDITION),
        ("  - rest: {for: 1 h, until: {all of: {time: 1 min, voltage: above 1 V}}}\n", Loss.CONDITION),
        (
            "  - plate: {current: 1 mA, for: 1 h, until: {voltage: [below -1 V, below -2 V]}}\n",
            Loss.SEVERAL_LIMITS,
        ),
        ("  - plate: {current: 1 mA, for: 1 h, until: {voltage: above 1 V}}\n", Loss.WRONG_SIDE),
        ("  - plate: {current: 1 mA, for: 1 h, until: {voltage: below 0 V}}\n", Loss.ZERO_VOLTAGE),
        ("  - charge: {current: 1 mA, hold at: 4 V, for: 1 h}\n", Loss.COMMON_TIME),
        ("  - linear sweep: {from: 0 V, to: 1 V, rate: 1 mV/s, step: 5 mV}\n", Loss.STAIRCASE),
        ("  - pause: wait\n", Loss.STEP_KIND),
        ("  - temperature: {to: 40 degC, for: 1 h}\n", Loss.STEP_KIND),
        (
            "  - cyclic voltammetry: {start: 0 V, first vertex: 1 V, second vertex: -1 V, rate: 1 mV/s}\n",
            Loss.STEP_KIND,
        ),
        ("  - constant voltage: {voltage: 1 V, versus: open circuit, for: 1 h}\n", Loss.BIAS),
        ("  - linear sweep: {from: 0 V, to: 1 V, rate: 1 mV/s, versus: open circuit}\n", Loss.BIAS),
        (
            "  - linear sweep: {from: 0 V, to: 1 V, rate: 1 mV/s, until: {current: above 1 mA}}\n",
            Loss.CONDITION,
        ),
        ("  - repeat: 9\n    steps: [{every: 3 cycles, steps: [rest: 1 h]}]\n", Loss.SOME_CYCLES),
        ("  - rest: 1 h\n  - rest: 1 h\n  - rest: {for: 1 h, record: {every: 1 s}}\n", Loss.RECORDING),
        ("  - rest: {for: 1 h, record: {decide every: 10 ms}}\n", Loss.DECIDING),
    ],
)
def test_what_unicycler_cannot_say_is_named(steps: str, loss: Loss) -> None:
    assert losses(steps) == {loss}


def test_spectra_with_a_drift_check_or_a_bias() -> None:
    spectrum = "  - peis: {amplitude: 10 mV rms, from: 1 kHz, to: 1 Hz, bias: 1 V}\n"
    assert losses(spectrum, to=lambda p: to_unicycler(p, amplitude="rms")) == {Loss.BIAS, Loss.DRIFT_CHECK}


def test_a_temperature_limit_is_named() -> None:
    head = RECORD + "safety: {temperature: 10 degC to 40 degC}\n"
    assert losses("  - rest: 1 h\n", head) == {Loss.SAFETY}


def test_losses_can_be_accepted_by_name_but_not_those_that_change_the_meaning() -> None:
    guarded = protocol("  - plate: {current: 1 mA, until: {voltage: below -1 V, time: 1 h -> stop}}\n")
    (entry,) = json.loads(to_unicycler(guarded, accept=[Loss.TIME_GUARD]))["method"]
    assert entry == {"step": "constant_current", "current_mA": -1.0, "until_voltage_V": -1.0}
    with pytest.raises(RequestError, match="cannot be accepted"):
        to_unicycler(guarded, accept=[Loss.TARGET])


def test_every_loss_is_told_at_once_and_where() -> None:
    with pytest.raises(CannotExpress) as caught:
        to_unicycler(
            protocol("  - pause: {message: wait, name: lunch}\n  - temperature: {to: 40 degC, for: 1 h}\n")
        )
    assert str(caught.value).splitlines() == [
        "unicycler cannot express:",
        "step 1 (lunch): a kind of step that the form does not have",
        "step 2 (temperature): a kind of step that the form does not have",
    ]


# --- PyBaMM -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Rest for 1 hour", "rest at open circuit; until 1 h have passed"),
        ("Rest for 90s", "rest at open circuit; until 1 min 30 s have passed"),
        ("Discharge at C/10 for 10 hours or until 3.3 V",
         "discharge at 200 uA; until 10 h have passed or the voltage is at or below 3.3 V"),
        ("Charge at 1C for 1 hr", "charge at 2 mA; until 1 h have passed"),
        ("Charge at 2 mA until 4.1 V",
         "charge at 2 mA; until the voltage is at or above 4.1 V; stop the run if 4 d 4 h have passed"),
        ("Discharge at 1 A for 5 m until -0.1 V",
         "discharge at 1 A; until 5 min have passed or the voltage is at or below -100 mV"),
        ("Hold at 4.1 V until 50 mA", "hold 4.1 V; until the current is at or below 50 mA; stop the run if 4 d 4 h have passed"),
        ("Hold at 1 V until C/50 (10 second period)",
         "hold 1 V; until the current is at or below 40 uA; stop the run if 4 d 4 h have passed"),
    ],
)  # fmt: skip
def test_a_pybamm_string(line: str, words: str) -> None:
    assert describe(from_pybamm([line]).bind(CELL))[2] == f"1. {words}"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Rest", "'Rest': a rest needs a time and nothing else"),
        ("rest for 1 hour", "'rest for 1 hour' is no step"),
        ("Charge at 1 mA", "'Charge at 1 mA' never ends"),
        ("Charge at 1 W for 1 hour", "'Charge at 1 W for 1 hour': a constant power is not known here"),
        ("Charge at 1 uA for 1 hour", "'1 uA' in 'Charge at 1 uA for 1 hour' is no value"),
        ("Charge at 1 A for 1 day", "'day' is no unit of time"),
        (
            "Charge at 1 A until 4 V until 5 V",
            "'4 V until 5 V' in 'Charge at 1 A until 4 V until 5 V' is no value",
        ),
        ("Charge at 1 A until 50 mA", "'Charge at 1 A until 50 mA': a constant current ends by a voltage"),
        ("Hold at 4 V until 3 V", "'Hold at 4 V until 3 V': a hold ends by a current"),
        ("Hold at 4 A for 1 hour", "'Hold at 4 A for 1 hour' holds no voltage"),
        ("Run US06 (A)", "'Run US06 (A)' is no step"),
        ("Charge at 1 A for 1 hour (25oC)", "'Charge at 1 A for 1 hour (25oC)' is no step"),
    ],
)
def test_a_pybamm_string_that_is_refused(line: str, message: str) -> None:
    with pytest.raises(FileError) as caught:
        from_pybamm(["Rest for 1 hour", line], "my experiment")
    assert str(caught.value).startswith(f"my experiment:2: {message}")


def test_a_protocol_as_pybamm_strings_with_repeats_written_out() -> None:
    text = (
        "  - rest: 10 min\n  - repeat: 2\n    steps:\n      - discharge: {current: 1 mA, until: {charge: 1 mAh, voltage: below 0 V}}\n"
        "      - charge: {current: C/2, for: 2 h}\n  - constant voltage: {voltage: -0.1 V, for: 1 h, until: {current: below 10 uA}}\n"
    )
    assert to_pybamm(protocol(text)) == [
        "Rest for 600.0 seconds (10.0 second period)",
        *2 * [
            "Discharge at 1.0 mA for 3600.0 seconds or until 0.0 V (10.0 second period)",
            "Charge at 1.0 mA for 7200.0 seconds (10.0 second period)",
        ],
        "Hold at -0.1 V for 3600.0 seconds or until 0.01 mA (10.0 second period)",
    ]  # fmt: skip


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            lambda sign, current, hours, limit: (sign, current, hours, limit),
            st.sampled_from(["charge", "discharge"]),
            st.floats(1e-3, 1e3),
            st.floats(0.01, 1e3),
            st.none() | st.floats(-5.0, 5.0),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_pybamm_strings_come_back_meaning_the_same(
    steps: list[tuple[str, float, float, float | None]],
) -> None:
    lines = ""
    for kind, current, hours, limit in steps:
        side = "above" if kind == "charge" else "below"
        until = f", until: {{voltage: {side} {limit!r} V}}" if limit is not None else ""
        lines += f"  - {kind}: {{current: {current!r} mA, for: {hours!r} h{until}}}\n"
    there = protocol(lines)
    back = from_pybamm(to_pybamm(there)).bind(CELL)
    assert len(back.body) == len(there.body)
    for old, new in zip(there.body, back.body, strict=True):
        assert isinstance(old, ConstantCurrent)
        assert isinstance(new, ConstantCurrent)
        assert new.current == pytest.approx(old.current, rel=1e-9)
        assert [type(end.condition) for end in new.ends] == [type(end.condition) for end in old.ends]


def test_pybamm_counts_charging_as_negative_and_we_do_not() -> None:
    """Its strings speak of charge and discharge, so that no sign crosses the border."""
    (charge,), (line,) = (
        from_pybamm(["Charge at 1 mA for 1 hour"]).bind().body,
        to_pybamm(protocol("  - charge: {current: 1 mA, for: 1 h}\n")),
    )
    assert isinstance(charge, ConstantCurrent)
    assert charge.current == 1e-3
    assert line.startswith("Charge at 1.0 mA")


def test_a_hold_comes_from_pybamm_as_a_constant_voltage() -> None:
    (hold,) = from_pybamm(["Hold at 4.1 V for 1 hour or until 50 mA"]).bind().body
    assert isinstance(hold, ConstantVoltage)


@pytest.mark.parametrize(
    ("steps", "head", "loss"),
    [
        ("  - peis: {amplitude: 10 mV rms, from: 1 kHz, to: 1 Hz}\n", RECORD, Loss.STEP_KIND),
        ("  - rest: 1 h\n", RECORD + "safety: {voltage: -1 V to 1 V}\n", Loss.SAFETY),
        ("  - rest: 1 h\n", "record: {every: 10 s, voltage change: 1 mV}\n", Loss.RECORDING),
        ("  - repeat: 20000\n    steps: [rest: 1 s]\n", RECORD, Loss.TOO_LONG),
        ("  - charge: {current: 1 mA, hold at: 4 V, for: 1 h}\n", RECORD, Loss.COMMON_TIME),
        ("  - plate: {current: 1 mA, for: 1 h, until: {voltage: below -1 V -> stop}}\n", RECORD, Loss.TARGET),
    ],
)
def test_what_pybamm_cannot_say_is_named(steps: str, head: str, loss: Loss) -> None:
    assert losses(steps, head, to_pybamm) == {loss}


FEATURES = (
    "  - rest: 1 h\n",
    "  - rest: {for: 1 h, until: {voltage: above 1 V}}\n",
    "  - rest: {for: 1 h, until: {voltage change: below 1 mV/h}}\n",
    "  - rest: {for: 1 h, until: {all of: {time: 1 min, voltage: above 1 V}}}\n",
    "  - rest: {for: 1 h, name: a name}\n",
    "  - rest: {for: 1 h, record: {every: 1 s}}\n",
    "  - rest: {for: 1 h, record: {decide every: 10 ms}}\n",
    "  - rest: {for: 1 h, record: {voltage change: 1 mV}}\n",
    "  - rest: {for: 1 h, record: {points per decade: 50}}\n",
    "  - plate: {current: 1 mA, for: 1 h}\n",
    "  - strip: {current: 1 mA, for: 1 h, until: {voltage: above 1 V}}\n",
    "  - charge: {current: C/2, until: {charge: 1 mAh}}\n",
    "  - charge: {current: 1 mA, for: 1 h, until: {voltage: below 0 V}}\n",
    "  - discharge: {current: 1 mA, for: 1 h, until: {voltage: below 0 V}}\n",
    "  - discharge: {current: 1 mA, for: 1 h, until: {voltage: below 1 V -> stop}}\n",
    "  - discharge: {current: 1 mA, for: 1 h, until: {voltage: [below 1 V, below 2 V]}}\n",
    "  - charge: {current: 1 mA, hold at: 4 V, for: 1 h, until: {current: below C/20}}\n",
    "  - constant current: {current: -1 mA, for: 1 h}\n",
    "  - constant voltage: {voltage: 1 V, for: 1 h}\n",
    "  - constant voltage: {voltage: 1 V, for: 1 h, until: {current: below 1 mA}}\n",
    "  - constant voltage: {voltage: 1 V, for: 1 h, until: {current: above 1 mA}}\n",
    "  - constant voltage: {voltage: 1 V, for: 1 h, until: {charge: 1 mAh}}\n",
    "  - constant voltage: {voltage: 1 V, for: 1 h, until: {current change: below 1 % over 10 min}}\n",
    "  - constant voltage: {voltage: 1 V, versus: open circuit, for: 1 h}\n",
    "  - constant voltage: {voltage: 1 V, process: plate, for: 1 h}\n",
    "  - peis: {amplitude: 10 mV rms, from: 1 kHz, to: 1 Hz}\n",
    "  - geis: {amplitude: 1 mA peak, from: 1 kHz, to: 1 Hz, bias: 1 mA, drift check: no}\n",
    "  - linear sweep: {from: 0 V, to: 1 V, rate: 1 mV/s, step: 1 mV}\n",
    "  - linear sweep: {from: 0 V, to: 1 V, rate: 1 mV/s, step: 5 mV}\n",
    "  - cyclic voltammetry: {start: 0 V, first vertex: 1 V, second vertex: -1 V, rate: 1 mV/s}\n",
    "  - temperature: {to: 40 degC, for: 1 h}\n",
    "  - pause: wait\n",
    "  - repeat: 2\n    steps: [rest: 1 h]\n",
    "  - repeat: 2\n    steps:\n      - repeat: 3\n        steps: [rest: 1 h]\n      - rest: 2 h\n",
    "  - repeat: 4\n    steps: [{every: 2 cycles, steps: [rest: 1 h]}, rest: 2 h]\n",
    "  - repeat: 4\n    until: {voltage: below 1 V}\n    steps: [{plate: {current: 1 mA, for: 1 h}}]\n",
    "  - group: g\n    until: {voltage: below 1 V -> g}\n    steps: [{plate: {current: 1 mA, for: 1 h}}]\n",
)


def done(bound: Protocol) -> list[Any]:
    """The steps one after another, as the walk gives them, without what no other form has: names, processes."""
    plan, steps = walk(bound), []
    planned: Planned | None = next(plan)
    while planned is not None:
        step = planned.step
        changes: dict[str, Any] = {"name": ""}
        if hasattr(step, "process"):
            changes["process"] = None
        if hasattr(step, "ends"):
            changes["ends"] = tuple(sorted((_in_time(end, step) for end in step.ends), key=repr))
        steps.append(replace(step, **changes))
        try:
            planned = plan.send(StepResult(None, 1.0, 0.0, None, None))
        except StopIteration:
            planned = None
    return steps


def _in_time(end: End, step: Step) -> End:
    """At constant current a charge is a time."""
    if isinstance(step, ConstantCurrent) and isinstance(end.condition, ChargeReached):
        return End(TimeReached(end.condition.charge / abs(step.current)), end.then)
    return end


@pytest.mark.parametrize("form", ["unicycler", "pybamm"])
@pytest.mark.parametrize("steps", FEATURES)
def test_what_the_language_can_say_goes_through_whole_or_is_refused_by_name(steps: str, form: str) -> None:
    there = protocol(steps)
    try:
        if form == "unicycler":
            text = to_unicycler(there, CELL, amplitude="rms")
            back = from_unicycler(text, amplitude="rms").bind(CELL)
        else:
            back = from_pybamm(to_pybamm(there)).bind(CELL)
    except CannotExpress:
        return  # and the loss has its name: that is the type
    assert done(back) == done(there)


def test_every_loss_is_shown_by_a_test() -> None:
    shown = set(re.findall(r"Loss\.([A-Z_]+)", Path(__file__).read_text("utf-8")))
    assert shown >= set(Loss.__members__)


def test_a_loss_that_was_imported_as_a_guard_goes_out_again_when_accepted() -> None:
    bound = from_pybamm(["Charge at 2 mA until 4.1 V"]).bind()
    (step,) = bound.body
    assert isinstance(step, ConstantCurrent)
    assert VoltageAbove(4.1) in [end.condition for end in step.ends]
    with pytest.raises(CannotExpress, match="a step without a time") as caught:
        to_pybamm(bound, accept=[Loss.TIME_GUARD])
    assert {loss for _, loss in caught.value.losses} == {Loss.ENDLESS}


# --- PyProBE ------------------------------------------------------------------------------


def test_pyprobe_gets_the_steps_by_number_and_the_repeats_as_cycles() -> None:
    text = "  - rest: 10 min\n  - repeat: 3\n    steps:\n      - plate: {current: 1 mA, for: 1 h}\n      - strip: {current: 1 mA, for: 1 h}\n"
    assert read(to_pyprobe_readme(protocol(text)), "README.yaml") == {
        "p": {
            "Steps": {
                "1": "rest at open circuit; until 10 min have passed",
                "2": "plate at 1 mA; until 1 h have passed",
                "3": "strip at 1 mA; until 1 h have passed",
            },
            "Cycle 1": {"Start": "2", "End": "3", "Count": "3"},
        }
    }
