"""Exchange current: the same cell, three methods, and what each leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from hilcycler_protocols.evaluation.exchange_current import (
    Polarised,
    from_impedance,
    linear_polarisation,
    polarisation_resistance,
    tafel,
)
from hilcycler_protocols.evaluation.results import OHM, EvaluationRefused, given
from hilcycler_protocols.evaluation.uncertainty import Known

T = 298.15
RT_F = 8.314462618 * T / 96485.33212
AREA = 1.131e-4
MA_CM2 = 10.0
OHM_CM2 = 1e-4


def symmetric(
    j_0: float, r_linear: float, *, electrodes: int = 2, top: float = 0.2
) -> tuple[np.ndarray, np.ndarray]:
    """LSV of a cell with true Butler-Volmer electrodes behind `r_linear` (ohm m2): V, I."""
    j = np.concatenate([-np.geomspace(1e3, 1e-4, 4000) * j_0, np.geomspace(1e-4, 1e3, 4000) * j_0])
    v = j * r_linear + electrodes * 2.0 * RT_F * np.arcsinh(j / (2.0 * j_0))
    grid = np.arange(-top, top + 1e-9, 1e-3)
    return grid, np.interp(grid, v, j) * AREA


def cell(electrodes: int = 2, r_linear: float = 0.0, area: float | None = AREA) -> Polarised:
    return Polarised(None if area is None else Known(area), electrodes, T, Known(r_linear / AREA))


TABLE = [
    # true j_0, then what Tafel at 100 to 150 mV returns behind 0, 3, 10, 50 ohm cm2 (mA/cm2)
    (0.63, (0.449, 0.448, 0.434, 0.330)),
    (1.181, (0.842, 0.832, 0.770, 0.475)),
    (2.95, (2.10, 1.98, 1.58, 0.67)),
    (6.75, (4.81, 4.00, 2.53, 0.79)),
]


@pytest.mark.parametrize(("truth", "returned"), TABLE)
def test_uncorrected_tafel_depends_on_everything_but_the_electrode(
    truth: float, returned: tuple[float, ...]
) -> None:
    """Trap: a factor of 1.4 to 8.6 between method and truth."""
    for r, expected in zip((0.0, 3.0, 10.0, 50.0), returned, strict=True):
        v, i = symmetric(truth * MA_CM2, r * OHM_CM2)
        found = tafel(v, i, cell(), window=(0.100, 0.150), scan_rate=1e-3).exchange_current
        assert found.value / MA_CM2 == pytest.approx(expected, rel=0.02)
        assert found.has("not-asymptotic")
        assert found.inputs["electrodes"] == 2.0
        assert found.inputs["iR correction (ohm)"] == 0.0
        assert str(found.window) == "cell voltage 0.1 to 0.15 V"


@pytest.mark.parametrize("truth", [0.63, 1.181, 2.95, 6.75])
@pytest.mark.parametrize("r", [0.0, 3.0, 10.0, 50.0])
def test_corrected_linear_polarisation_returns_the_truth(truth: float, r: float) -> None:
    v, i = symmetric(truth * MA_CM2, r * OHM_CM2)
    found = linear_polarisation(polarisation_resistance(v, i, window=0.005), cell(r_linear=r * OHM_CM2))
    assert found.value / MA_CM2 == pytest.approx(truth, rel=0.005)


def test_the_factor_two_of_a_symmetric_cell() -> None:
    """Trap: |V| of two electrodes read as one halves j_0 by polarisation, and doubles the Tafel slope."""
    v, i = symmetric(10.0, 0.0)
    r_p = polarisation_resistance(v, i, window=0.005)
    assert linear_polarisation(r_p, cell(2)).value == pytest.approx(10.0, rel=0.005)
    assert linear_polarisation(r_p, cell(1)).value == pytest.approx(5.0, rel=0.005)
    v, i = symmetric(10.0, 0.0, top=0.4)
    two, one = (tafel(v, i, cell(n), window=(0.3, 0.4)) for n in (2, 1))
    assert two.slope.value == pytest.approx(0.1183, rel=0.01)
    assert one.slope.value == pytest.approx(2 * two.slope.value)
    assert two.transfer_coefficient.value == pytest.approx(0.5, rel=0.01)


def test_far_from_equilibrium_with_correction_tafel_is_right() -> None:
    v, i = symmetric(10.0, 3.0 * OHM_CM2, top=1.0)
    found = tafel(v, i, cell(r_linear=3.0 * OHM_CM2), window=(0.6, 1.0))
    assert found.exchange_current.value == pytest.approx(10.0, rel=0.01)
    assert not found.exchange_current.has("not-asymptotic")


def test_the_cathodic_branch_gives_the_same() -> None:
    v, i = symmetric(10.0, 0.0)
    up, down = tafel(v, i, cell(), window=(0.0995, 0.1505)), tafel(v, i, cell(), window=(-0.1505, -0.0995))
    assert up.exchange_current.value == pytest.approx(down.exchange_current.value, rel=1e-6)
    with pytest.raises(EvaluationRefused, match="one sign"):
        tafel(v, i, cell(), window=(-0.1, 0.1))


def test_impedance_of_the_whole_cell_holds_two_electrodes() -> None:
    r_ct = 2.0 * RT_F / (10.0 * AREA)
    assert from_impedance(given("R_ct", r_ct, OHM), cell(2)).value == pytest.approx(10.0)
    assert from_impedance(given("R_ct", r_ct, OHM), cell(2, r_linear=50.0)).value == pytest.approx(10.0)


def test_three_methods_are_three_formulas_in_the_result() -> None:
    v, i = symmetric(10.0, 0.0)
    results = [
        tafel(v, i, cell(), window=(0.1, 0.15)).exchange_current,
        linear_polarisation(given("R_p", 400.0, OHM), cell()),
        from_impedance(given("R_ct", 400.0, OHM), cell()),
    ]
    assert len({r.formula for r in results}) == 3


def test_what_must_be_said_has_no_default() -> None:
    v, i = symmetric(10.0, 0.0)
    with pytest.raises(EvaluationRefused, match="area"):
        tafel(v, i, cell(area=None), window=(0.1, 0.15))
    with pytest.raises(EvaluationRefused, match="one or two"):
        cell(3)
    with pytest.raises(EvaluationRefused, match="temperature"):
        Polarised(Known(AREA), 2, float("nan"), Known(0.0))
    with pytest.raises(EvaluationRefused, match="in series"):
        linear_polarisation(given("R_p", 10.0, OHM), Polarised(Known(AREA), 2, T, Known(12.0)))


def test_uncertainty_of_the_correction_is_in_the_result() -> None:
    v, i = symmetric(67.5, 3.0 * OHM_CM2)
    sure = tafel(v, i, cell(r_linear=3.0 * OHM_CM2), window=(0.1, 0.15)).exchange_current
    setup = Polarised(Known(AREA), 2, T, Known(3.0 * OHM_CM2 / AREA, 2.0))
    unsure = tafel(v, i, setup, window=(0.1, 0.15)).exchange_current
    assert unsure.dominant == "series resistance"
    assert (unsure.uncertainty or 0.0) > 5.0 * (sure.uncertainty or 0.0)
