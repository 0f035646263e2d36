"""Conductivity from a blocking cell: an ohm or two, in the company of cables."""

from __future__ import annotations

import numpy as np
import pytest

from hilcycler_protocols.evaluation.conductivity import (
    conductivity,
    high_frequency_intercept,
    macmullin_number,
)
from hilcycler_protocols.evaluation.conversions import disc_area
from hilcycler_protocols.evaluation.impedance import Spectrum, blocking_cell, fit
from hilcycler_protocols.evaluation.impedance.benchmark import noisy_spectrum, sweep
from hilcycler_protocols.evaluation.results import OHM, EvaluationRefused, given
from hilcycler_protocols.evaluation.uncertainty import Known

AREA = Known(disc_area(16e-3), 0.0)
SEPARATOR = Known(25e-6, 1e-6)


def truth(sigma: float = 0.1141, leads: float = 0.0, inductance: float = 1e-9) -> dict[str, float]:
    """1.141 mS/cm (wng), 25 um, stainless-steel discs of 16 mm."""
    return {
        "L_lead": inductance, "R_b": 25e-6 / (sigma * AREA.value) + leads, "Q_dl": 2e-5, "n_dl": 0.93,
    }  # fmt: skip


def blocked(values: dict[str, float], noise: float = 0.001, highest: float = 1e6) -> Spectrum:
    return noisy_spectrum(
        0, sweep(highest, 10.0), circuit=blocking_cell(inductance=True), truth=values, noise=noise
    )


def test_fit_and_intercept_return_the_conductivity() -> None:
    spectrum = blocked(truth())
    for resistance in (
        fit(spectrum, blocking_cell(inductance=True))["R_b"],
        high_frequency_intercept(spectrum),
    ):
        sigma = conductivity(resistance, [SEPARATOR], AREA, Known(0.0, 0.001))
        assert sigma.value == pytest.approx(0.1141, rel=0.01)
        assert sigma.interval is not None
        assert sigma.interval[0] < 0.1141 < sigma.interval[1]
        assert sigma.text().endswith("mS/cm")


def test_lead_resistance_is_of_the_size_of_the_sample() -> None:
    """Trap: 1.09 ohm of separator behind 0.3 ohm of cable is a fifth less conductive."""
    resistance = fit(blocked(truth(leads=0.3)), blocking_cell(inductance=True))["R_b"]
    wrong = conductivity(resistance, [SEPARATOR], AREA)
    assert wrong.value < 0.8 * 0.1141
    assert wrong.has("leads-unmeasured")
    right = conductivity(resistance, [SEPARATOR], AREA, Known(0.3, 0.005))
    assert right.value == pytest.approx(0.1141, rel=0.01)
    assert not right.has("leads-unmeasured")


def test_inductance_of_the_leads_does_not_move_the_intercept() -> None:
    """Trap: above some 100 kHz the leads lift Z'' over the axis."""
    spectrum = blocked(truth(inductance=3e-7), noise=0.0005)
    assert np.any(spectrum.impedance.imag > 0.0)
    assert high_frequency_intercept(spectrum).value == pytest.approx(truth()["R_b"], rel=0.02)
    assert fit(spectrum, blocking_cell(inductance=True))["R_b"].value == pytest.approx(
        truth()["R_b"], rel=0.01
    )


def test_a_highest_frequency_that_is_too_low_is_flagged() -> None:
    """Trap: at 3 kHz the spectrum is still all double layer."""
    assert high_frequency_intercept(blocked(truth(), highest=3e3)).has("f-max")
    assert not high_frequency_intercept(blocked(truth())).has("f-max")


def test_a_coating_belongs_to_the_thickness() -> None:
    """Trap: 7.4 um on 25 um; with the bare separator's thickness sigma is a quarter too low."""
    resistance = given("R_b", 1.0, OHM)
    both = conductivity(resistance, [SEPARATOR, Known(7.4e-6)], AREA, Known(0.0))
    bare = conductivity(resistance, [SEPARATOR], AREA, Known(0.0))
    assert both.value / bare.value == pytest.approx(32.4 / 25.0)


def test_the_disc_is_not_the_lithium_disc() -> None:
    """Trap: 16 mm steel and 12 mm lithium: a factor of 1.78."""
    resistance = given("R_b", 1.0, OHM)
    steel = conductivity(resistance, [SEPARATOR], AREA, Known(0.0))
    lithium = conductivity(resistance, [SEPARATOR], Known(disc_area(12e-3)), Known(0.0))
    assert lithium.value / steel.value == pytest.approx((16 / 12) ** 2)
    assert steel.inputs["S"] == AREA.value


def test_thickness_dominates_the_budget_and_is_named() -> None:
    sigma = conductivity(given("R_b", 1.0, OHM, 0.002), [SEPARATOR], AREA, Known(0.0))
    assert sigma.dominant == "thickness 1"
    assert sigma.uncertainty == pytest.approx(sigma.value * 0.04 / np.sqrt(3.0), rel=0.01)


def test_what_is_missing_or_impossible_is_refused() -> None:
    r = given("R_b", 1.0, OHM)
    with pytest.raises(EvaluationRefused, match="area"):
        conductivity(r, [SEPARATOR], None)
    with pytest.raises(EvaluationRefused, match="thickness"):
        conductivity(r, [], AREA)
    with pytest.raises(EvaluationRefused, match="leads"):
        conductivity(r, [SEPARATOR], AREA, Known(1.2))
    with pytest.raises(EvaluationRefused, match="in ohm"):
        conductivity(r.areal(1e-4), [SEPARATOR], AREA)


def test_a_soaked_separator_conducts_several_times_worse() -> None:
    sigma = conductivity(given("R_b", 1.09, OHM), [SEPARATOR], AREA, Known(0.0))
    number = macmullin_number(sigma, Known(1.1, 0.02))
    assert number.value == pytest.approx(1.1 / sigma.value)
    assert number.uncertainty
