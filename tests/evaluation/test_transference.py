"""Bruce-Vincent-Evans: right, ill-conditioned, and misprinted."""

from __future__ import annotations

import numpy as np
import pytest

from hilcycler_protocols.evaluation.impedance import fit, lithium_cell
from hilcycler_protocols.evaluation.impedance.benchmark import noisy_spectrum
from hilcycler_protocols.evaluation.results import AMPERE, OHM, EvaluationRefused, Refusal, given
from hilcycler_protocols.evaluation.transference import (
    Interfaces,
    SteadyState,
    amplification,
    formula,
    interfaces,
    steady_state,
    transference,
)
from hilcycler_protocols.evaluation.uncertainty import Known

BIAS = 0.010
ROWS = [(3.0, 91.0, 0.31), (3.0, 45.0, 0.53), (3.0, 10.0, 0.53), (100.0, 91.0, 0.31)]


def currents(r_b: float, r_i: float, t: float) -> tuple[float, float]:
    """Initial and steady current of the ideal cell: the bulk ends at R_b/t."""
    return BIAS / (r_b + r_i), BIAS / (r_b / t + r_i)


def steady(current: float, u: float = 0.0, *, seconds: float = 1500.0, drift: float = 0.0) -> SteadyState:
    time = np.arange(0.0, seconds)
    i = current * (1.0 + drift * (time - time[-1]))
    return steady_state(time, i + u * np.random.default_rng(0).standard_normal(len(time)))


def stated(r_i: float, r_b: float, u_i: float = 0.0, u_b: float = 0.0) -> Interfaces:
    return Interfaces(given("R_i", r_i, OHM, u_i), given("R_b", r_b, OHM, u_b))


@pytest.mark.parametrize(("r_b", "r_i", "t"), ROWS)
def test_the_ideal_cell_returns_its_transference_number(r_b: float, r_i: float, t: float) -> None:
    _, final = currents(r_b, r_i, t)
    result = transference(Known(BIAS), steady(final), stated(r_i, r_b), stated(r_i, r_b))
    assert result.value == pytest.approx(t, abs=1e-9)
    assert {"dV", "I_0", "I_s", "R_0", "R_s", "R_b"} <= set(result.inputs)


TABLE = [
    # R_b, R_i, t, I_s/I_0, both R +1 %, R_s +1 %, I_0 +1 %, swapped with R_s = 1.1 R_0
    (3.0, 91.0, 0.31, 0.934, 0.238, 0.342, 0.214, -0.325),
    (3.0, 45.0, 0.53, 0.947, 0.489, 0.576, 0.446, -0.148),
    (3.0, 10.0, 0.53, 0.830, 0.522, 0.540, 0.507, 0.300),
    (100.0, 91.0, 0.31, 0.462, 0.308, 0.311, 0.304, 0.274),
]


@pytest.mark.parametrize(("r_b", "r_i", "t", "ratio", "both", "after", "first", "swapped"), TABLE)
def test_one_per_cent_moves_it_far_in_a_liquid(
    r_b: float, r_i: float, t: float, ratio: float, both: float, after: float, first: float, swapped: float
) -> None:
    """Trap: the brackets are small differences."""
    i_0, i_s = currents(r_b, r_i, t)
    assert i_s / i_0 == pytest.approx(ratio, abs=6e-4)
    assert formula(BIAS, i_0, i_s, 1.01 * r_i, 1.01 * r_i) == pytest.approx(both, abs=2e-3)
    assert formula(BIAS, i_0, i_s, r_i, 1.01 * r_i) == pytest.approx(after, abs=2e-3)
    assert formula(BIAS, 1.01 * i_0, i_s, r_i, r_i) == pytest.approx(first, abs=2e-3)
    aged = BIAS / (r_b / t + 1.1 * r_i)
    assert formula(BIAS, i_0, aged, r_i, 1.1 * r_i) == pytest.approx(t)
    assert bn_pp_as_printed(BIAS, i_0, aged, r_i, 1.1 * r_i) == pytest.approx(swapped, abs=1e-3)
    slope = -(formula(BIAS, i_0, i_s, 1.0001 * r_i, 1.0001 * r_i) / t - 1.0) / 1e-4
    assert amplification(BIAS, i_0, i_s, r_i, r_i) == pytest.approx(abs(slope), rel=0.02)


def bn_pp_as_printed(bias: float, first: float, final: float, r_before: float, r_after: float) -> float:
    """As bn-pp prints it: the resistances have changed places. Kept to show that it is wrong."""
    return final * (bias - first * r_after) / (first * (bias - final * r_before))


def test_the_formula_misprinted_in_bn_pp_gives_a_negative_fraction() -> None:
    i_0, aged = BIAS / 94.0, BIAS / (3.0 / 0.31 + 100.1)
    assert bn_pp_as_printed(BIAS, i_0, aged, 91.0, 100.1) < 0.0
    assert formula(BIAS, i_0, aged, 91.0, 100.1) == pytest.approx(0.31)


def test_ill_conditioning_is_flagged_in_a_liquid_and_not_in_a_polymer() -> None:
    liquid = transference(Known(BIAS), steady(currents(*ROWS[0])[1]), stated(91.0, 3.0), stated(91.0, 3.0))
    polymer = transference(
        Known(BIAS), steady(currents(*ROWS[3])[1]), stated(91.0, 100.0), stated(91.0, 100.0)
    )
    assert liquid.has("ill-conditioned")
    assert float(liquid.inputs["amplification"]) == pytest.approx(21.0, abs=0.5)
    assert not polymer.has("ill-conditioned")


def test_a_current_read_late_is_another_initial_current() -> None:
    """Trap: I_0 at 0.02, 0.1, 1 s gives 0.24, 0.41, 0.70; the spectrum's gives the truth."""
    i_0, i_s = currents(3.0, 91.0, 0.31)
    same = (Known(BIAS), steady(i_s), stated(91.0, 3.0), stated(91.0, 3.0))
    late = transference(*same, initial_current=given("I(1 s)", i_0 * 0.98, AMPERE))
    assert late.value > 0.4
    assert late.inputs["I_0 from"] == "transient"
    assert transference(*same).value == pytest.approx(0.31)


def test_uncertainty_is_propagated_through_the_small_difference() -> None:
    _, i_s = currents(*ROWS[0])
    sure = transference(Known(BIAS), steady(i_s), stated(91.0, 3.0), stated(91.0, 3.0))
    unsure = transference(Known(BIAS), steady(i_s), stated(91.0, 3.0), stated(91.0, 3.0, u_i=0.91))
    assert sure.uncertainty == pytest.approx(0.0, abs=1e-6)
    assert unsure.uncertainty == pytest.approx(0.032 / np.sqrt(3.0), rel=0.1)


def test_an_offset_of_a_tenth_of_a_millivolt_is_most_of_the_uncertainty() -> None:
    _, i_s = currents(*ROWS[0])
    result = transference(Known(BIAS, 1e-4), steady(i_s), stated(91.0, 3.0), stated(91.0, 3.0))
    assert result.dominant == "polarisation voltage"
    assert result.uncertainty is not None
    assert result.uncertainty > 0.01


@pytest.mark.parametrize(
    ("final", "r_after", "reason"),
    [
        (BIAS / 90.0, 91.0, Refusal.OUTSIDE_VALIDITY),  # I_s R_s above dV
        (BIAS / 93.9, 91.0 * 1.03, Refusal.IMPOSSIBLE_VALUE),  # t+ above 1
    ],
)
def test_impossible_values_are_refused(final: float, r_after: float, reason: Refusal) -> None:
    with pytest.raises(EvaluationRefused) as refused:
        transference(Known(BIAS), steady(final), stated(91.0, 3.0), stated(r_after, 3.0))
    assert refused.value.reason is reason


def test_steadiness_is_a_statement_about_the_slope_and_its_noise() -> None:
    """Trap: stopping at 1500 s because the clock says so."""
    calm = steady(1e-4, 1e-8)
    assert calm.settled
    drifting = steady(1e-4, 1e-8, drift=-5e-5)  # 3 % in 10 minutes
    assert not drifting.settled
    noisy = steady(1e-4, 2e-5)  # looks level, but 10 minutes of such noise cannot show it
    assert not noisy.settled
    result = transference(Known(BIAS), drifting, stated(10.0, 80.0), stated(10.0, 80.0))
    assert result.has("not-steady")


def test_a_large_bias_is_flagged() -> None:
    _, i_s = currents(3.0, 10.0, 0.53)
    assert transference(Known(0.05), steady(5 * i_s), stated(10.0, 3.0), stated(10.0, 3.0)).has("large-bias")


def test_spectra_before_and_after_give_the_whole_evaluation() -> None:
    truth = {
        "R_b": 100.0, "R_SEI": 40.0, "tau_SEI": 2e-5, "n_SEI": 0.95, "R_ct": 51.0, "tau_ct": 5e-3, "n_ct": 0.95,
        "sigma_D": 5.0,
    }  # fmt: skip
    before, after = (
        interfaces(fit(noisy_spectrum(seed, truth=truth, noise=0.001), lithium_cell())) for seed in (1, 2)
    )
    _, i_s = currents(100.0, 91.0, 0.31)
    result = transference(Known(BIAS, 1e-6), steady(i_s, 1e-8), before, after)
    assert result.interval is not None
    assert result.interval[0] < 0.31 < result.interval[1]
    assert result.uncertainty is not None
    assert result.uncertainty < 0.02


def test_resistances_times_area_are_refused() -> None:
    bad = Interfaces(given("R_i", 91.0, OHM).areal(1e-4), given("R_b", 3.0, OHM))
    with pytest.raises(EvaluationRefused, match="ohm"):
        transference(Known(BIAS), steady(1e-4), bad, bad)
