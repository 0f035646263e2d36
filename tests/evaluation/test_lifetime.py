"""When a cell died, and that a lower overpotential is not always an improvement."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilcycler_protocols.evaluation.lifetime import (
    Criteria,
    HalfCycleMarks,
    Sign,
    against_impedance,
    latest,
    lifetime,
    marks,
)
from hilcycler_protocols.evaluation.results import AREAL_RESISTANCE, OHM, EvaluationRefused, Result

HALF = 1800.0  # 0.5 h half-cycles


def trace(levels: list[float] | np.ndarray, **columns: list[float]) -> list[HalfCycleMarks]:
    rows = [{name: values[k] for name, values in columns.items()} for k in range(len(levels))]
    return [
        HalfCycleMarks((k + 1) * HALF, float(v), **row)
        for k, (v, row) in enumerate(zip(levels, rows, strict=True))
    ]


def test_a_cell_that_outlived_its_test_has_a_bound_and_no_lifetime() -> None:
    found = lifetime(trace(np.full(3400, 15.4e-3)))
    assert found.censored
    assert found.half_cycle is None
    assert found.alive.text() == "> 1700 h"


def test_a_hard_short_is_found_to_the_half_cycle() -> None:
    levels = np.concatenate([np.linspace(0.040, 0.090, 616), np.full(20, 0.4e-3)])
    found = lifetime(trace(levels))
    assert found.half_cycle == 616
    assert Sign.HARD in found.signs
    assert found.alive.value == pytest.approx(616 * HALF)
    assert found.alive.interval is not None
    assert found.alive.interval[1] - found.alive.value <= HALF


def test_a_soft_short_to_a_beautiful_plateau_is_a_failure() -> None:
    """Trap: 38.7 mV becomes 13.2 mV because two thirds of the current is electronic."""
    levels = np.concatenate([np.full(200, 38.7e-3), np.full(400, 13.2e-3)])
    found = lifetime(trace(levels))
    assert found.half_cycle == 200
    assert Sign.LEVEL in found.signs


def test_a_short_dip_that_recovers_is_seen_but_does_not_end_the_life() -> None:
    levels = np.full(300, 0.040)
    levels[100:102] = 0.012
    found = lifetime(trace(levels))
    assert found.censored
    assert [k for k, signs in enumerate(found.seen) if signs] == [100, 101]


@pytest.mark.parametrize("half", [0.5, 5.0], ids=["half-cycles of 0.5 h", "of 5 h"])
def test_activation_is_no_short(half: float) -> None:
    """The first hundred hours may lower the level five times, slowly."""
    hours = np.arange(0.0, 400.0, half)
    levels = 15e-3 + 60e-3 * np.exp(-hours / 40.0)
    assert lifetime(trace(levels)).censored


def test_polarisation_runaway_ends_the_life_at_the_stated_factor() -> None:
    hours = np.arange(740) * 0.5
    levels = 0.047 + np.where(hours > 200.0, (hours - 200.0) * 0.1 / 170.0, 0.0) ** 1.0
    found = lifetime(trace(levels), Criteria(polarisation=3.0))
    assert Sign.POLARISATION in found.signs
    assert found.half_cycle is not None
    assert levels[found.half_cycle - 1] <= 3 * 0.047 < levels[found.half_cycle]
    assert lifetime(trace(levels), Criteria(polarisation=5.0)).censored
    assert "polarisation 3" in str(found.alive.inputs["criteria"])


def test_arc_collapse_and_lost_relaxation_are_signs() -> None:
    n = 40
    arcs = [32.7] * 30 + [0.6] * 10
    assert lifetime(trace(np.full(n, 0.03), arc=arcs)).half_cycle == 30
    relaxed = [0.1] * 30 + [0.001] * 10
    assert lifetime(trace(np.full(n, 0.03), relaxed=relaxed)).signs == (Sign.RELAXATION,)


def test_nan_is_a_sign_of_failure() -> None:
    found = lifetime(trace([0.03] * 10 + [math.nan] * 5))
    assert found.half_cycle == 10


levels = st.lists(st.floats(0.0005, 1.2), min_size=1, max_size=60)


@given(levels=levels, cut=st.integers(1, 60))
@settings(max_examples=80, deadline=None)
def test_the_verdict_on_a_prefix_is_the_prefix_of_the_verdict(levels: list[float], cut: int) -> None:
    """Live and afterwards are the same."""
    whole, part = lifetime(trace(levels)), lifetime(trace(levels[:cut]))
    assert part.seen == whole.seen[: len(part.seen)]
    if part.half_cycle is not None:
        assert whole.half_cycle == part.half_cycle
        assert whole.alive.value == part.alive.value


def test_a_running_protocol_can_ask_what_is_wrong_now() -> None:
    seen = lifetime(trace([0.03] * 20 + [0.001] * 3)).seen
    assert latest(seen[:-1], 3) == ()
    assert Sign.HARD in latest(seen, 3)


# --- marks from samples -----------------------------------------------------------------------


def half_cycle(noise: float = 0.3e-3, points: int = 180) -> tuple[np.ndarray, np.ndarray]:
    t = np.linspace(0.0, HALF, points)
    v = 0.030 + 0.050 * np.exp(-t / 40.0) + noise * np.random.default_rng(0).standard_normal(points)
    return t, v


def test_a_nucleation_peak_and_one_outlier_are_no_drop() -> None:
    t, v = half_cycle()
    assert marks(t, -v).drop > 0.9
    v[100] = 0.001
    assert marks(t, v).drop > 0.9


def test_a_sudden_partial_drop_is_seen_in_its_half_cycle() -> None:
    t, v = half_cycle()
    v[100:] *= 0.5
    marked = marks(t, v)
    assert marked.drop == pytest.approx(0.5, abs=0.05)
    assert marked.spread > 0.5


def test_the_level_is_over_time_not_over_samples() -> None:
    t = np.concatenate([np.linspace(0.0, 1.0, 100), np.linspace(2.0, 1000.0, 20)])
    v = np.where(t <= 1.0, 0.1, 0.02)
    assert marks(t, v).level == pytest.approx(0.02, rel=0.02)


def test_no_samples_no_marks() -> None:
    for bad in ([], [0.1], [0.1, math.nan]):
        with pytest.raises(EvaluationRefused):
            marks(range(len(bad)), bad)
    with pytest.raises(EvaluationRefused):
        lifetime([])


# --- overpotential against impedance ----------------------------------------------------------


def resistance(ohm_cm2: float) -> Result:
    return Result("R", ohm_cm2 * 1e-4, AREAL_RESISTANCE, "f", "s", uncertainty=1e-4)


@pytest.mark.parametrize(("ohm_cm2", "mv", "ratio"), [(132.0, 47.0, 5.6), (50.0, 15.4, 6.5)])
def test_wng_polarises_less_than_its_spectrum_allows(ohm_cm2: float, mv: float, ratio: float) -> None:
    """Trap: 117 and 44.5 ohm at 2 mA/cm2 are 264 and 100 mV, printed are 47 and 15.4 mV."""
    found = against_impedance(mv * 1e-3, 20.0, resistance(ohm_cm2))
    assert found.value == pytest.approx(ratio, rel=0.01)
    assert found.has("short-suspected")


def test_a_sound_cell_agrees_with_its_spectrum() -> None:
    found = against_impedance(33e-3, 10.0, resistance(33.0))
    assert found.value == pytest.approx(1.0)
    assert not found.flags
    with pytest.raises(EvaluationRefused, match="ohm m2"):
        against_impedance(33e-3, 10.0, Result("R", 33.0, OHM, "f", "s"))
