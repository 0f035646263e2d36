"""Retention, fade, DCIR, dQ/dV: each with the word that papers leave out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilcycler.steps import Process
from hilcycler_protocols.evaluation.charges import Passed
from hilcycler_protocols.evaluation.cycling import (
    Discharge,
    Reference,
    capacity_ratio,
    electrolyte_ratio,
    retention,
    step_resistance,
)
from hilcycler_protocols.evaluation.dqdv import differential_capacity
from hilcycler_protocols.evaluation.results import EvaluationRefused, Refusal
from hilcycler_protocols.evaluation.uncertainty import Accuracy, Known


def discharge(number: int, charge: float, hours: float = 1.0, **more: float | bool) -> Discharge:
    values = {"to_cutoff": True, **more}
    return Discharge(number, Passed(Process.DISCHARGE, charge, hours * 3600.0, **values))  # type: ignore[arg-type]


def fading(n: int = 301, last: float = 0.821) -> list[Discharge]:
    """wng at 1 C: 135.9 to 82.1 % in 300 cycles, after one activation cycle at 0.1 C."""
    found = [discharge(0, 150.0, 10.0)]
    for k in range(1, n + 1):
        q = 135.9 * (1.0 - (1.0 - last) * (k - 1) / (n - 1))
        found.append(discharge(k, q, q / 135.9))
    return found


def test_linear_and_geometric_fade_are_two_numbers() -> None:
    """Trap: 0.0597 and 0.0657 % per cycle are the same cell."""
    found = retention(fading(), reference=Reference.FIRST_AT_RATE)
    assert found.retained.value == pytest.approx(0.821)
    assert found.linear.value == pytest.approx(0.0597e-2, rel=2e-3)
    assert found.geometric.value == pytest.approx(0.0657e-2, rel=2e-3)
    assert found.linear.formula != found.geometric.formula


def test_retention_needs_its_reference() -> None:
    """Trap: from the activation cycle at 0.1 C it is 74 %, from the first at rate 82 %."""
    cycles = fading()
    assert retention(cycles, reference=Reference.FIRST).retained.value == pytest.approx(0.744, abs=1e-3)
    assert retention(cycles, reference=Reference.FIRST).retained.has("other-rate")
    at_rate = retention(cycles, reference=Reference.FIRST_AT_RATE).retained
    assert not at_rate.has("other-rate")
    assert at_rate.inputs["reference"] == "first cycle at the same current"
    assert retention(cycles, reference=Reference.BEST, number=100).retained.value < 0.9


def test_a_cycle_that_did_not_reach_its_cutoff_has_no_capacity() -> None:
    cycles = [*fading(10), discharge(11, 80.0, 0.6, to_cutoff=False)]
    with pytest.raises(EvaluationRefused) as refused:
        retention(cycles, reference=Reference.FIRST)
    assert refused.value.reason is Refusal.NOT_TO_CUTOFF
    with pytest.raises(EvaluationRefused):
        retention([], reference=Reference.FIRST)
    with pytest.raises(EvaluationRefused, match="no cycle 99"):
        retention(cycles, reference=Reference.FIRST, number=99)


def test_coarse_decisions_widen_the_retention() -> None:
    fine = retention([discharge(1, 100.0), discharge(2, 90.0, 0.9)], reference=Reference.FIRST)
    coarse = retention(
        [discharge(1, 100.0, decided=10.0), discharge(2, 90.0, 0.9, decided=10.0)], reference=Reference.FIRST
    )
    assert fine.retained.uncertainty == 0.0
    assert coarse.retained.uncertainty == pytest.approx(0.00108, rel=0.01)


# --- resistance from a step -------------------------------------------------------------------


def pulse(noise: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """2 ohm at once, 3 ohm more with 10 ms, 4 ohm more with 5 s, 1 mA."""
    t = np.concatenate([np.arange(-1.0, 0.0, 0.1), np.geomspace(1e-4, 30.0, 400)])
    on = t > 0.0
    r = np.where(on, 2.0 + 3.0 * (1 - np.exp(-np.abs(t) / 0.01)) + 4.0 * (1 - np.exp(-np.abs(t) / 5.0)), 0.0)
    i = np.where(on, 1e-3, 0.0)
    return t, 3.7 + r * i + noise * np.random.default_rng(0).standard_normal(len(t)), i


def test_the_delay_is_part_of_a_dcir() -> None:
    """Trap: 10 ms, 1 s and 10 s are three resistances."""
    found = {after: step_resistance(*pulse(), at=0.0, after=after) for after in (0.01, 1.0, 10.0)}
    assert [found[a].value for a in (0.01, 1.0, 10.0)] == pytest.approx([3.90, 5.73, 8.46], abs=0.02)
    assert found[1.0].inputs["after"] == 1.0


def test_a_dcir_of_a_discharge_is_positive_too() -> None:
    t, v, i = pulse()
    assert step_resistance(t, 7.4 - v, -i, at=0.0, after=1.0).value == pytest.approx(5.73, abs=0.02)


def test_sparse_samples_cannot_say_ten_milliseconds() -> None:
    t, v, i = (column[::40] for column in pulse())
    t = np.concatenate([t[t < 0], np.arange(0.5, 20.0, 0.5)])
    v, i = np.interp(t, *pulse()[:2]), np.where(t > 0, 1e-3, 0.0)
    assert step_resistance(t, v, i, at=0.0, after=0.51).value > 0.0
    assert step_resistance(t, v, i, at=0.0, after=10.0).has("coarse") is False
    with pytest.raises(EvaluationRefused):
        step_resistance(t, v, i, at=0.0, after=100.0)


def test_noise_and_gain_are_in_the_budget() -> None:
    found = step_resistance(*pulse(1e-5), at=0.0, after=1.0, accuracy=Accuracy(current_gain=0.001))
    assert {c.cause for c in found.budget} == {"noise of the voltage", "current gain"}


# --- ratios -----------------------------------------------------------------------------------


def test_n_over_p_and_e_over_c() -> None:
    mah_cm2 = 3.6e4
    assert capacity_ratio(Known(10.3 * mah_cm2), Known(2.406 * mah_cm2)).value == pytest.approx(
        4.28, abs=0.01
    )
    ratio = electrolyte_ratio(Known(2e-3), Known(3600.0))
    assert ratio.text() == "2 g/Ah"
    with pytest.raises(EvaluationRefused):
        capacity_ratio(Known(10.0), Known(0.0))


# --- differential capacity --------------------------------------------------------------------


def half_cycle(noise: float = 0.0, points: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Two plateaus, at 3.70 and 4.10 V, of 60 and 40 C."""
    v = np.linspace(3.3, 4.4, 20001)
    density = 60.0 / 0.05 / np.cosh((v - 3.70) / 0.025) ** 2 + 40.0 / 0.05 / np.cosh((v - 4.10) / 0.025) ** 2
    q = np.concatenate(([0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(v))))
    even = np.linspace(0.0, q[-1], points)
    return np.interp(even, q, v) + noise * np.random.default_rng(0).standard_normal(points), even


@pytest.mark.parametrize("noise", [0.0, 0.2e-3, 1e-3])
def test_peaks_stand_where_the_plateaus_are_and_the_area_is_the_charge(noise: float) -> None:
    found = differential_capacity(*half_cycle(noise))
    assert found.charge == pytest.approx(half_cycle()[1][-1], rel=1e-9)
    assert [p.voltage for p in found.peaks] == pytest.approx([3.70, 4.10], abs=4e-3)
    assert found.peaks[0].height / found.peaks[1].height == pytest.approx(1.5, rel=0.05)


def test_plain_differences_are_noise() -> None:
    """Trap: dQ/dV by dividing neighbours."""
    v, q = half_cycle(0.2e-3)
    with np.errstate(divide="ignore"):
        plain = np.diff(q) / np.diff(v)
    assert np.nanmax(np.abs(plain[np.isfinite(plain)])) > 20 * 60.0 / 0.05
    assert differential_capacity(v, q).capacity.max() < 1.1 * 60.0 / 0.05


@given(
    voltage=st.lists(st.floats(2.5, 4.5), min_size=10, max_size=200),
    smoothing=st.floats(4e-3, 0.1),
)
@settings(max_examples=60, deadline=None)
def test_the_area_is_conserved_whatever_the_data(voltage: list[float], smoothing: float) -> None:
    q = np.linspace(0.0, 5.0, len(voltage))
    assert differential_capacity(voltage, q, smoothing=smoothing).charge == pytest.approx(5.0, rel=1e-6)


def test_quantised_voltages_are_no_infinite_capacity() -> None:
    v, q = half_cycle()
    found = differential_capacity(np.round(v, 3), q)
    assert found.capacity.max() == pytest.approx(differential_capacity(v, q).capacity.max(), rel=0.03)


def test_a_hold_left_in_is_flagged_and_nonsense_refused() -> None:
    v, q = half_cycle()
    held = differential_capacity([*v, *np.full(100, v[-1])], [*q, *np.linspace(q[-1], q[-1] * 1.6, 100)])
    assert [f.code for f in held.flags] == ["hold"]
    with pytest.raises(EvaluationRefused, match="decrease"):
        differential_capacity(v, q[::-1])
    with pytest.raises(EvaluationRefused, match="finer"):
        differential_capacity(v, q, step=1e-4)
