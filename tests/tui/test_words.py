"""Steps and readings as a person at the bench reads them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilcycler.steps import (
    AllOf,
    ChargeReached,
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CurrentAbove,
    CurrentBelow,
    CurrentSettled,
    CyclicVoltammetry,
    End,
    GalvanostaticImpedance,
    LinearSweep,
    OperatorPause,
    PotentiostaticImpedance,
    Process,
    Rest,
    SetTemperature,
    Step,
    TemperatureSettled,
    TimeReached,
    VoltageAbove,
    VoltageBelow,
    VoltageSettled,
)
from hilcycler.tui.words import reading, step_in_words

_HOUR = (End(TimeReached(3600.0)),)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Rest(_HOUR), "rest, until 1 h"),
        (
            ConstantCurrent(-1.131e-3, (*_HOUR, End(VoltageBelow(-0.5), "stop")), process=Process.PLATE),
            "plate, −1.131 mA, until 1 h or V ≤ −500 mV (ends the run)",
        ),
        (
            ConstantCurrent(2e-3, (End(ChargeReached(3.6), "cycles"),)),
            "constant current, 2 mA, until 1 mAh (leaves cycles)",
        ),
        (
            ConstantVoltage(0.01, (End(CurrentSettled(1e-2 / 3600, 600.0)),), versus_open_circuit=True),
            "hold at 10 mV vs OCV, until |dI/dt|/|I| ≤ 1 %/h over 10 min",
        ),
        (
            ConstantCurrentConstantVoltage(
                1e-3, 4.2, (End(CurrentBelow(5e-5)), End(CurrentAbove(0.1))), process=Process.CHARGE
            ),
            "charge, 1 mA to 4.2 V, held, until |I| ≤ 50 uA or |I| ≥ 100 mA",
        ),
        (PotentiostaticImpedance(0.01, 1e5, 0.01), "impedance, 10 mV rms, 100 kHz to 10 mHz"),
        (
            GalvanostaticImpedance(1e-4, 1e5, 0.01, name="EIS"),
            "EIS: impedance, 100 uA rms, 100 kHz to 10 mHz",
        ),
        (LinearSweep(0.0, 1.0, 1e-3), "sweep, 0 V to 1 V at 1 mV/s"),
        (
            CyclicVoltammetry(0.0, -0.2, 0.3, 1e-3, scans=3),
            "cyclic voltammetry, −200 mV to 300 mV at 1 mV/s, 3 scans",
        ),
        (
            SetTemperature(333.15, (End(AllOf((TemperatureSettled(0.5, 600.0), VoltageSettled(1e-6)))),)),
            "to 60 °C, until T within 0.5 K for 10 min and |dV/dt| ≤ 1 uV/s over 1 min",
        ),
        (OperatorPause("add \x1b[31mfluid"), "waiting for the operator: add ␛[31mfluid"),
        (Rest((End(VoltageAbove(1.0)),)), "rest, until V ≥ 1 V"),
    ],
)
def test_a_step_is_said_in_one_line(step: Step, words: str) -> None:
    assert step_in_words(step) == words


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.012345, "12.35 mV"),
        (-1.2345, "−1.234 V"),
        (0.0999996, "100.0 mV"),
        (0.99999, "1.000 V"),
        (0.0, "0.000 V"),
        (3e-15, "0.003 pV"),
        (2.5e12, "2500.0 GV"),
        (math.nan, "— V"),
    ],
)
def test_a_reading_has_four_digits(value: float, shown: str) -> None:
    assert reading(value, "V").strip() == shown


@given(st.floats(-1e9, 1e9))
def test_readings_are_equally_wide_so_that_digits_stand_still(value: float) -> None:
    assert len(reading(value, "V")) == 11
