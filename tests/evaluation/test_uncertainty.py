"""Uncertainty budgets and how results are printed; scipy and plain sampling as judges."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import stats

from hilcycler_protocols.evaluation.results import (
    AREAL_RESISTANCE,
    DIFFUSIVITY,
    OHM,
    PERCENT,
    EvaluationRefused,
    Refusal,
    Result,
    Unit,
    with_budget,
)
from hilcycler_protocols.evaluation.uncertainty import (
    Component,
    Known,
    combined,
    half_width,
    propagated,
    scatter,
    stated,
    within,
)


def test_one_normal_cause_is_the_normal_quantile() -> None:
    assert half_width([scatter("noise", 2.0)]) == pytest.approx(2.0 * stats.norm.ppf(0.975))


def test_scatter_from_few_points_is_students() -> None:
    assert half_width([scatter("noise", 2.0, 4)]) == pytest.approx(2.0 * stats.t.ppf(0.975, 4))


def test_one_band_is_not_exceeded() -> None:
    """Twice the standard uncertainty would be 1.15 of the band: more than the data sheet allows."""
    assert half_width([within("offset", 1.0)]) == pytest.approx(0.95)


@pytest.mark.parametrize(
    "components",
    [
        [within("a", 1.0), within("b", 1.0)],
        [within("a", 1.0), within("b", 0.3), within("c", 0.2)],
        [within("a", 1.0), scatter("n", 0.3)],
        [within("a", 0.2), scatter("n", 0.5, 6)],
        [within("a", 1.0), within("b", 1e-6), scatter("n", 1e-5)],
    ],
)
def test_mixed_causes_cover_as_sampling_says(components: list[Component]) -> None:
    rng = np.random.default_rng(1)
    errors = np.zeros(400_000)
    for c in components:
        if c.shape == "rectangular":
            errors += rng.uniform(-1.0, 1.0, errors.size) * c.standard * math.sqrt(3.0)
        elif math.isinf(c.degrees):
            errors += rng.standard_normal(errors.size) * c.standard
        else:
            errors += rng.standard_t(c.degrees, errors.size) * c.standard
    assert np.mean(np.abs(errors) <= half_width(components)) == pytest.approx(0.95, abs=0.002)


def test_freedom_of_two_scatters_is_welch_and_satterthwaites() -> None:
    a, b = scatter("a", 1.0, 3), scatter("b", 2.0, 5)
    degrees = (1.0 + 4.0) ** 2 / (1.0 / 3 + 16.0 / 5)
    assert half_width([a, b]) == pytest.approx(math.sqrt(5.0) * stats.t.ppf(0.975, degrees))


def test_nothing_known_is_nothing_claimed() -> None:
    assert half_width([]) == 0.0
    assert combined([]) == 0.0


def test_propagation_is_the_slope_of_the_formula() -> None:
    causes = propagated(
        lambda a, b: a * b * b, ("a", 3.0, [scatter("noise", 0.1)]), stated("b", Known(2.0, 0.01))
    )
    assert [c.cause for c in causes] == ["noise", "b"]
    assert causes[0].standard == pytest.approx(0.4)
    assert causes[1].standard == pytest.approx(12.0 * 0.01 / math.sqrt(3.0))


def result(value: float, u: float | None, unit: Unit) -> Result:
    return Result("x", value, unit, "f", "s", uncertainty=u)


@pytest.mark.parametrize(
    ("value", "u", "unit", "text"),
    [
        (0.988123, 0.00053, PERCENT, "98.81 ± 0.05%"),
        (0.988123, 0.0012, PERCENT, "98.81 ± 0.12%"),
        (0.988123, 0.03, PERCENT, "99 ± 3%"),
        (0.988123, 0.3, PERCENT, "100 ± 30%"),
        (3.3e-3, 2.3e-5, AREAL_RESISTANCE, "33.00 ± 0.23 ohm cm2"),
        (12.345, None, OHM, "12.35 ohm"),
        (1234.5, 40.0, OHM, "1230 ± 40 ohm"),
        (3.14159e-15, 4e-17, DIFFUSIVITY, "(3.14 ± 0.04)e-11 cm2/s"),
        (12345678.0, 4e5, OHM, "(1.23 ± 0.04)e7 ohm"),
        (0.0, 0.02, OHM, "0.000 ± 0.020 ohm"),
        (0.5, 0.0996, OHM, "0.50 ± 0.10 ohm"),
    ],
)
def test_digits_that_the_uncertainty_does_not_support_are_not_printed(
    value: float, u: float | None, unit: Unit, text: str
) -> None:
    assert result(value, u, unit).text() == text


def test_a_result_is_never_nan() -> None:
    for bad in (math.nan, math.inf):
        with pytest.raises(EvaluationRefused) as refused:
            result(bad, None, OHM)
        assert refused.value.reason is Refusal.NOT_FINITE
        with pytest.raises(EvaluationRefused):
            result(1.0, bad, OHM)


def test_a_result_goes_through_json_with_everything_that_belongs_to_it() -> None:
    made = with_budget(result(2.0, None, OHM), [within("gain", 0.1), scatter("noise", 0.02, 10)])
    back = json.loads(json.dumps(made.as_dict()))
    assert back["value"] == 2.0
    assert back["interval95"][0] < 1.91
    assert set(back["budget"]) == {"gain", "noise"}
    assert made.dominant == "gain"
