"""Peaks over scan rates, stability windows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hilcycler_protocols.evaluation.lsv_window import tangent, threshold, versus_lithium
from hilcycler_protocols.evaluation.randles_sevcik import Diffusing, b_value, diffusion_coefficient, peak
from hilcycler_protocols.evaluation.results import EvaluationRefused
from hilcycler_protocols.evaluation.uncertainty import Accuracy, Known

RATES = np.array([0.1, 0.2, 0.5, 1.0, 2.0]) * 1e-3
AREA, C, D = 1.131e-4, 5.1e4, 1e-14
WHAT = Diffusing(Known(AREA), Known(C), 298.15)


def textbook(rates: np.ndarray, d: float = D) -> np.ndarray:
    """I_p = 2.69e5 n^1.5 A D^0.5 c v^0.5 in A, cm2, cm2/s, mol/cm3, V/s at 25 degC."""
    return np.asarray(np.sqrt(rates) * 2.69e5 * (AREA * 1e4) * math.sqrt(d * 1e4) * (C * 1e-6))


def test_the_textbook_constant_comes_out() -> None:
    found = diffusion_coefficient(RATES, textbook(RATES), WHAT)
    assert found.value == pytest.approx(D, rel=0.003)
    assert found.formula == "Randles-Sevcik, reversible"


def test_the_irreversible_constant_is_another() -> None:
    """2.99e5 alpha^0.5 n instead of 2.69e5 n^1.5."""
    peaks = 2.99e5 * math.sqrt(0.5) * (AREA * 1e4) * math.sqrt(D * 1e4) * (C * 1e-6) * np.sqrt(RATES)
    found = diffusion_coefficient(RATES, peaks, Diffusing(Known(AREA), Known(C), 298.15, alpha=0.5))
    assert found.value == pytest.approx(D, rel=0.005)
    wrong = diffusion_coefficient(RATES, peaks, WHAT)
    assert wrong.value / D == pytest.approx((2.99 / 2.69) ** 2 * 0.5, rel=0.01)


def test_a_surface_process_has_no_diffusion_coefficient() -> None:
    """Trap: capacitive peaks give a number too."""
    capacitive = 1e-3 * RATES / RATES[0]
    assert b_value(RATES, capacitive).value == pytest.approx(1.0)
    with pytest.raises(EvaluationRefused, match="root of the scan rate"):
        diffusion_coefficient(RATES, capacitive, WHAT)
    assert b_value(RATES, textbook(RATES)).value == pytest.approx(0.5)


def test_rates_must_be_several_and_span_something() -> None:
    with pytest.raises(EvaluationRefused, match="3 different points"):
        b_value(RATES[:3], textbook(RATES[:3]))
    narrow = np.array([1.0, 1.1, 1.2, 1.3]) * 1e-3
    assert b_value(narrow, textbook(narrow)).has("narrow")


def test_the_concentration_is_that_in_the_solid_and_must_be_given() -> None:
    """Trap: 1 M of the electrolyte in place of 51 M in the solid is a factor of 2600."""
    right = diffusion_coefficient(RATES, textbook(RATES), WHAT)
    wrong = diffusion_coefficient(RATES, textbook(RATES), Diffusing(Known(AREA), Known(1e3), 298.15))
    assert wrong.value / right.value == pytest.approx(51.0**2)
    with pytest.raises(EvaluationRefused, match="concentration"):
        diffusion_coefficient(RATES, textbook(RATES), Diffusing(Known(AREA), None, 298.15))
    with pytest.raises(EvaluationRefused, match="area"):
        diffusion_coefficient(RATES, textbook(RATES), Diffusing(None, Known(C), 298.15))


def test_a_peak_is_measured_from_its_baseline() -> None:
    """Trap: charging current under the peak, and on the way to it."""
    v = np.linspace(3.0, 4.2, 1201)
    bell = 1e-3 / np.cosh((v - 3.9) / 0.05) ** 2
    found = peak(v, 0.3e-3 + 0.1e-3 * (v - 3.0) + bell, baseline=(3.1, 3.5))
    assert found.current.value == pytest.approx(1e-3, rel=0.01)
    assert found.voltage == pytest.approx(3.9, abs=2e-3)
    assert peak(v, -bell, baseline=(3.1, 3.5)).current.value == pytest.approx(-1e-3, rel=0.01)
    with pytest.raises(EvaluationRefused, match="no peak"):
        peak(v[v < 3.88], bell[v < 3.88], baseline=(3.1, 3.5))


def test_an_area_of_unknown_size_is_in_the_uncertainty() -> None:
    found = diffusion_coefficient(
        RATES, textbook(RATES), Diffusing(Known(AREA, 0.02 * AREA), Known(C), 298.15)
    )
    assert found.uncertainty == pytest.approx(2 * 0.02 / math.sqrt(3) * D, rel=0.02)


# --- stability windows ------------------------------------------------------------------------

V = np.arange(2.5, 5.5, 1e-3)


def sweep(onset: float = 4.6, leak: float = 0.0, noise: float = 0.0) -> np.ndarray:
    """A (on 1.131 cm2): decomposition grows tenfold each 100 mV from 1 uA/cm2 at the onset."""
    j = 0.01 * 10.0 ** ((V - onset) / 0.1) + leak
    return (j + noise * np.random.default_rng(0).standard_normal(len(V))) * AREA


def test_the_threshold_is_crossed_where_it_is_and_the_choice_is_kept() -> None:
    results = {
        limit: threshold(V, sweep(), area=AREA, current_density=limit, scan_rate=0.1e-3)
        for limit in (0.1, 1.0)
    }
    assert results[0.1].value == pytest.approx(4.7, abs=1e-3)
    assert results[1.0].value == pytest.approx(4.8, abs=1e-3)
    assert results[1.0].inputs["threshold"] == 1.0
    assert results[1.0].inputs["scan rate"] == 0.1e-3


def test_a_background_is_taken_off() -> None:
    """Trap: a capacitive 0.05 mA/cm2 makes any electrolyte unstable at 0.01 mA/cm2."""
    plain = {"area": AREA, "current_density": 0.1, "scan_rate": 1e-3}
    with pytest.raises(EvaluationRefused, match="from the start"):
        threshold(V, sweep(leak=0.5), **plain)  # type: ignore[arg-type]
    found = threshold(V, sweep(leak=0.5), background=(2.6, 4.0), **plain)  # type: ignore[arg-type]
    assert found.value == pytest.approx(4.7, abs=2e-3)
    assert found.inputs["background"] == "2.6 to 4 V"


def test_one_noisy_sample_is_no_limit() -> None:
    current = sweep(noise=0.005)
    current[500] = 1.0 * AREA
    found = threshold(V, current, area=AREA, current_density=0.1, scan_rate=1e-3)
    assert found.value == pytest.approx(4.7, abs=5e-3)


def test_a_sweep_that_never_gets_there_gives_a_bound() -> None:
    found = threshold(V, sweep(onset=6.0), area=AREA, current_density=0.1, scan_rate=1e-3)
    assert found.text() == "> 5.499 V"
    down = threshold(V[::-1], -sweep(onset=6.0), area=AREA, current_density=0.1, scan_rate=1e-3)
    assert down.text() == "< 2.5 V"


def test_tangents_meet_at_the_onset() -> None:
    current = np.where(V > 4.5, 2.0 * (V - 4.5), 0.0) * AREA + 0.01 * AREA
    found = tangent(V, current, area=AREA, background=(3.0, 4.2), rise=(4.7, 5.2), scan_rate=1e-3)
    assert found.value == pytest.approx(4.5, abs=2e-3)
    with pytest.raises(EvaluationRefused, match="does not rise"):
        tangent(V, current, area=AREA, background=(3.0, 3.5), rise=(3.6, 4.2), scan_rate=1e-3)


def test_a_fast_sweep_is_flagged_and_no_area_is_refused() -> None:
    assert threshold(V, sweep(), area=AREA, current_density=0.1, scan_rate=0.05).has("fast-sweep")
    with pytest.raises(EvaluationRefused, match="area"):
        threshold(V, sweep(), area=None, current_density=0.1, scan_rate=1e-3)


def test_against_lithium_is_against_hydrogen_plus_three_volts() -> None:
    """Trap: -3.39 V vs SHE is -0.35 V vs Li, below plating: no lithium cell can show it."""
    assert versus_lithium(-3.39) == pytest.approx(-0.35)


def test_the_offset_of_the_voltmeter_is_in_the_interval() -> None:
    found = threshold(
        V, sweep(), area=AREA, current_density=0.1, scan_rate=1e-3, accuracy=Accuracy(voltage_offset=5e-3)
    )
    assert found.dominant == "voltage offset"
