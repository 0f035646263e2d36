"""Scharifker-Hills and Sand: the right forms, the misprinted ones, and when neither applies."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hilcycler_protocols.evaluation.results import EvaluationRefused
from hilcycler_protocols.evaluation.sand import Electrolyte, Gap, limiting_current, sand_formula, sand_time
from hilcycler_protocols.evaluation.scharifker_hills import (
    Deposit,
    Growth,
    nuclei_density,
    reduced,
    transient,
)
from hilcycler_protocols.evaluation.uncertainty import Known

F = 96485.33212
AREA = 1.131e-4
ONE_MOLAR = Deposit(Known(1000.0))


def test_both_curves_have_their_maximum_one_at_one() -> None:
    x = np.linspace(0.2, 5.0, 48001)
    for growth, tolerance in ((Growth.INSTANTANEOUS, 2e-4), (Growth.PROGRESSIVE, 1e-4)):
        f = reduced(growth, x)
        assert f.max() == pytest.approx(1.0, abs=tolerance)
        assert x[np.argmax(f)] == pytest.approx(1.0, abs=2e-3)
    assert reduced(Growth.INSTANTANEOUS, np.array([0.5]))[0] == pytest.approx(0.850, abs=1e-3)
    assert reduced(Growth.PROGRESSIVE, np.array([0.5]))[0] == pytest.approx(0.480, abs=1e-3)


def limmt_curve_as_printed(x: np.ndarray) -> np.ndarray:
    """As limmt prints the instantaneous curve: the time is squared. Kept to show that it is wrong."""
    return 1.9542 / x * (1.0 - np.exp(-1.2564 * x**2)) ** 2


def test_the_curve_misprinted_in_limmt_peaks_elsewhere() -> None:
    x = np.linspace(0.2, 5.0, 48001)
    f = limmt_curve_as_printed(x)
    assert f.max() == pytest.approx(1.169, abs=1e-3)
    assert x[np.argmax(f)] == pytest.approx(1.364, abs=2e-3)
    assert limmt_curve_as_printed(np.array([0.5]))[0] == pytest.approx(0.284, abs=1e-3)


def limmt_density_as_printed(i_m: float, t_m: float, c: float) -> float:
    """As limmt prints it, in cm: no square, and the root upside down. Its unit is 1/cm."""
    return 0.065 * (F * c / (t_m * i_m)) * math.sqrt(0.534 / (8.0 * math.pi * c * 6.941))


def test_the_density_misprinted_in_limmt_is_four_decades_off() -> None:
    right = nuclei_density(10.0, 10.0, 1000.0, ONE_MOLAR) * 1e-4
    assert right == pytest.approx(1.06e7, rel=0.02)
    assert limmt_density_as_printed(1e-3, 10.0, 1e-3) == pytest.approx(1.1e3, rel=0.05)


def measured(
    growth: Growth, *, i_m: float = 10.0, t_m: float = 10.0, start: float = 0.0, noise: float = 0.01, seed: int = 0,
    charging: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    t = np.linspace(0.05, 60.0, 600)
    j = i_m * np.sqrt(reduced(growth, (t - start) / t_m)) + charging * np.exp(-t / 0.2)
    return t, (j + noise * i_m * np.random.default_rng(seed).standard_normal(600)) * AREA


@pytest.mark.parametrize("growth", list(Growth))
@pytest.mark.parametrize("seed", range(5))
def test_the_mode_of_nucleation_is_told(growth: Growth, seed: int) -> None:
    found = transient(*measured(growth, seed=seed), ONE_MOLAR, area=AREA, after=0.5)
    assert found.growth is growth
    assert found.peak_current.value == pytest.approx(10.0, rel=0.01)
    assert found.peak_time.value == pytest.approx(10.0, rel=0.02)
    assert (found.nuclei is None) == (growth is Growth.PROGRESSIVE)
    assert not found.diffusion.has("undecided")


def test_an_induction_time_is_no_progressive_growth() -> None:
    """Trap: counted from the step, an instantaneous transient that starts late looks progressive."""
    t, i = measured(Growth.INSTANTANEOUS, start=4.0)
    found = transient(t, i, ONE_MOLAR, area=AREA, after=0.5)
    assert found.growth is Growth.INSTANTANEOUS
    assert found.induction == pytest.approx(4.0, abs=0.1)
    top = np.argmax(i)
    naive = {g: float(np.mean((reduced(g, t / t[top]) - (i / i[top]) ** 2) ** 2)) for g in Growth}
    assert naive[Growth.PROGRESSIVE] < naive[Growth.INSTANTANEOUS]


def test_the_implied_diffusion_coefficient_gives_charge_transfer_away() -> None:
    """Trap: 1 M, 1 mA/cm2, 10 s imply 6.6e-9 cm2/s, decades below a liquid; 6 M even less."""
    found = transient(*measured(Growth.INSTANTANEOUS), ONE_MOLAR, area=AREA, after=0.5)
    assert found.diffusion.value * 1e4 == pytest.approx(6.6e-9, rel=0.03)
    assert found.diffusion.has("not-diffusion")
    assert found.nuclei is not None
    assert found.nuclei.has("not-diffusion")
    strong = transient(
        *measured(Growth.INSTANTANEOUS, i_m=20.0, t_m=5.0), Deposit(Known(6000.0)), area=AREA, after=0.5
    )
    assert strong.diffusion.value * 1e4 == pytest.approx(3.7e-10, rel=0.03)


def test_a_real_diffusion_transient_gives_its_coefficient_back() -> None:
    c, d, t_m = 10.0, 1e-10, 10.0
    i_m = math.sqrt(0.1629 * d / t_m) * F * c
    found = transient(*measured(Growth.INSTANTANEOUS, i_m=i_m), Deposit(Known(c)), area=AREA, after=0.5)
    assert found.diffusion.value == pytest.approx(d, rel=0.03)
    assert not found.diffusion.flags


def test_double_layer_charging_is_cut_off_by_the_caller() -> None:
    t, i = measured(Growth.INSTANTANEOUS, charging=30.0)
    assert transient(t, i, ONE_MOLAR, area=AREA, after=1.5).peak_current.value == pytest.approx(
        10.0, rel=0.02
    )


def test_what_cannot_be_evaluated_is_refused() -> None:
    t, i = measured(Growth.INSTANTANEOUS)
    with pytest.raises(EvaluationRefused, match="area"):
        transient(t, i, ONE_MOLAR, area=None, after=0.5)
    with pytest.raises(EvaluationRefused, match="concentration"):
        transient(t, i, Deposit(None), area=AREA, after=0.5)
    with pytest.raises(EvaluationRefused, match="no maximum"):
        transient(t, np.exp(-t / 20.0) * AREA, ONE_MOLAR, area=AREA, after=0.5)


# --- Sand -------------------------------------------------------------------------------------

LIQUID = Electrolyte(Known(3e-10), Known(1000.0), Known(0.31))


def test_sands_time_in_free_electrolyte() -> None:
    free = Gap(Known(0.01), Known(1.0))
    found = sand_time(50.0, LIQUID, free)
    assert found.value == pytest.approx(1843.0, rel=2e-3)
    assert found.inputs["j_lim"] == limiting_current(LIQUID, free).value


def test_in_a_coin_cell_there_is_no_sands_time() -> None:
    """Trap: 1843 s at 5 mA/cm2, printed for a separator whose limiting current is 50 mA/cm2."""
    separator = Gap(Known(25e-6, 1e-6), Known(0.15, 0.03))
    assert limiting_current(LIQUID, separator).value / 10.0 == pytest.approx(50.0, rel=0.02)
    assert sand_formula(50.0, 3e-10, 1000.0, 0.31) == pytest.approx(1843.0, rel=2e-3)
    with pytest.raises(EvaluationRefused, match="does not apply"):
        sand_time(50.0, LIQUID, separator)


def limmt_sand_as_printed(j: float, d: float, c: float, t: float) -> float:
    """As limmt prints it: the bracket is not squared. Kept to show that it is wrong."""
    return math.pi * d * F * c / (2.0 * j * (1.0 - t))


def test_the_sand_formula_misprinted_in_limmt_goes_with_the_wrong_power() -> None:
    doubled = sand_formula(100.0, 3e-10, 1000.0, 0.31) / sand_formula(50.0, 3e-10, 1000.0, 0.31)
    printed = limmt_sand_as_printed(100.0, 3e-10, 1000.0, 0.31) / limmt_sand_as_printed(
        50.0, 3e-10, 1000.0, 0.31
    )
    assert doubled == pytest.approx(0.25)
    assert printed == pytest.approx(0.5)


def test_a_salt_that_carries_everything_never_runs_out() -> None:
    with pytest.raises(EvaluationRefused, match="depletes"):
        Electrolyte(Known(3e-10), Known(1000.0), Known(1.0))
    assert limiting_current(LIQUID, Gap(Known(25e-6, 2e-6), Known(0.15))).dominant == "thickness"
