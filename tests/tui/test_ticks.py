"""Ticks are round, few and inside; labels tell neighbours apart."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilcycler.tui.ticks import ticks, widened

_RANGES = st.tuples(st.floats(-1e6, 1e6), st.floats(1e-9, 1e6)).map(lambda r: (r[0], r[0] + r[1]))


@pytest.mark.parametrize(
    ("low", "high", "unit", "labels", "shown_unit"),
    [
        (-0.02, 0.02, "V", ("−20", "−10", "0", "10", "20"), "mV"),
        (3.40, 3.44, "V", ("3.40", "3.41", "3.42", "3.43", "3.44"), "V"),
        (0.0, 41e3, "ohm", ("0", "10", "20", "30", "40"), "kohm"),
        (0.0, 4.2e-6, "A", ("0", "1", "2", "3", "4"), "µA"),
        (0.0, 90.0, "s", ("0", "30", "60", "90"), "s"),
        (0.0, 5 * 3600.0, "s", ("0", "1", "2", "3", "4", "5"), "h"),
        (0.0, 40 * 60.0, "s", ("0", "10", "20", "30", "40"), "min"),
        (0.0, 21 * 86400.0, "s", ("0", "5", "10", "15", "20"), "d"),
        (1.0, 3.0, "", ("1", "2", "3"), ""),
    ],
)
def test_labels_are_what_a_person_would_write(
    low: float, high: float, unit: str, labels: tuple[str, ...], shown_unit: str
) -> None:
    found = ticks(low, high, 5, unit)
    assert (found.labels, found.unit) == (labels, shown_unit)


@settings(deadline=None)
@given(_RANGES, st.integers(2, 12), st.sampled_from(["V", "s", ""]))
def test_ticks_are_few_inside_and_distinct(between: tuple[float, float], most: int, unit: str) -> None:
    low, high = between
    found = ticks(low, high, most, unit)
    assert len(found.positions) <= most + 1
    margin = 1e-6 * max(abs(low), abs(high), high - low)
    margin += 1e-9 * (not unit)  # whole numbers have whole steps
    assert all(low - margin <= p <= high + margin for p in found.positions)
    if high - low > 1e-5 * max(abs(low), abs(high)):
        assert len(set(found.labels)) == len(found.labels)


@settings(deadline=None)
@given(_RANGES, st.integers(2, 12))
def test_a_widened_range_holds_the_range_and_stands_still(between: tuple[float, float], most: int) -> None:
    low, high = between
    wide = widened(low, high, most)
    margin = 1e-6 * max(abs(low), abs(high), high - low)
    assert wide[0] <= low + margin
    assert wide[1] >= high - margin
    if high - low > 1e-6 * max(abs(low), abs(high)):
        assert wide[1] - wide[0] <= 5.0 * (high - low)


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 0.0), (3.3, 3.3), (math.inf, -math.inf), (math.nan, math.nan)]
)
def test_a_range_of_nothing_can_still_be_drawn(low: float, high: float) -> None:
    wide = widened(low, high, 5)
    assert wide[0] < wide[1]
    assert all(map(math.isfinite, wide))
