"""Readings stand still while their digits change."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilcycler.tui.reading import reading


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


@settings(deadline=None)
@given(st.floats(-1e9, 1e9))
def test_readings_are_equally_wide_so_that_digits_stand_still(value: float) -> None:
    assert len(reading(value, "V")) == 11
