"""Activation energies, scipy as judge of the line."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hilcycler_protocols.evaluation.arrhenius import Convention, activation_energy, warming
from hilcycler_protocols.evaluation.results import EvaluationRefused

R = 8.314462618
TEMPERATURES = np.array([273.15, 283.15, 293.15, 303.15, 313.15, 323.15])


def resistances(t: np.ndarray, energy: float = 49.72e3, r_25: float = 60.0) -> np.ndarray:
    return r_25 * np.exp(energy / R * (1.0 / t - 1.0 / 298.15))


def test_the_energy_comes_back_in_the_convention_it_was_made_with() -> None:
    found = activation_energy(TEMPERATURES, resistances(TEMPERATURES), of="R_ct")
    assert found.energy.value == pytest.approx(49.72e3, rel=1e-9)
    assert found.energy.inputs["convention"] == "ln(1/R)"
    assert found.energy.unit.shown == "kJ/mol"


def test_the_two_conventions_differ_by_rt() -> None:
    """Trap: ln(1/R) and ln(T/R) differ by 2.5 kJ/mol, more than most comparisons."""
    found = activation_energy(TEMPERATURES, resistances(TEMPERATURES), of="R_ct")
    difference = found.energy.value - found.other.value
    assert abs(difference) == pytest.approx(R * 298.0, rel=0.02)
    assert found.other.inputs["convention"] == "ln(T/R)"
    asked = activation_energy(TEMPERATURES, resistances(TEMPERATURES), of="R_ct", convention=Convention.LN_TG)
    assert asked.energy.value == found.other.value


def test_the_line_and_its_error_are_scipys() -> None:
    rng = np.random.default_rng(2)
    noisy = resistances(TEMPERATURES) * np.exp(0.03 * rng.standard_normal(6))
    found = activation_energy(TEMPERATURES, noisy, of="R_ct").energy
    judge = stats.linregress(1.0 / TEMPERATURES, np.log(noisy))
    assert found.value == pytest.approx(R * judge.slope)
    assert found.uncertainty == pytest.approx(R * judge.stderr)
    assert found.interval is not None
    assert found.interval[1] - found.value == pytest.approx(R * judge.stderr * stats.t.ppf(0.975, 4))


def test_celsius_is_refused() -> None:
    """Trap: 1/T of degrees Celsius gives a number too."""
    with pytest.raises(EvaluationRefused, match="Celsius"):
        activation_energy(TEMPERATURES - 273.15, resistances(TEMPERATURES), of="R_ct")


def test_fewer_than_four_temperatures_are_refused() -> None:
    with pytest.raises(EvaluationRefused, match="3 different points"):
        activation_energy(TEMPERATURES[:3], resistances(TEMPERATURES[:3]), of="R_ct")
    with pytest.raises(EvaluationRefused, match="positive"):
        activation_energy(TEMPERATURES, [*resistances(TEMPERATURES)[:5], -1.0], of="R_ct")


def test_a_sign_slip_is_flagged() -> None:
    """Trap: "-62.31 kJ/mol"."""
    found = activation_energy(TEMPERATURES, 1.0 / resistances(TEMPERATURES, 62.31e3), of="R_ct")
    assert found.energy.value < 0.0
    assert found.energy.has("negative")


def test_the_total_resistance_is_not_one_process() -> None:
    """Trap: bulk (12 kJ/mol), SEI (55) and ct (60) together give an energy of none of them."""
    total = resistances(TEMPERATURES, 12e3, 60.0) + resistances(TEMPERATURES, 60e3, 30.0)
    found = activation_energy(TEMPERATURES, total, of="R_b + R_ct").energy
    assert 20e3 < found.value < 50e3
    assert found.has("curved")
    assert "R_b + R_ct" in found.name


def test_measuring_up_and_down_shows_ageing() -> None:
    up_down = np.concatenate([TEMPERATURES, TEMPERATURES[::-1]])
    fresh = resistances(up_down) * np.exp(0.002 * np.random.default_rng(0).standard_normal(12))
    aged = fresh * np.linspace(1.0, 1.3, 12)
    assert not activation_energy(up_down, fresh, of="R_SEI").energy.has("aged")
    assert activation_energy(up_down, aged, of="R_SEI").energy.has("aged")


def test_without_a_thermometer_the_season_looks_like_ageing() -> None:
    """Trap: 55 kJ/mol is 7 % for each kelvin."""
    assert warming(55e3, 298.15) == pytest.approx(0.074, abs=0.001)
    winter, summer = resistances(np.array([293.15, 299.15]), 55e3)
    assert winter / summer == pytest.approx(1.57, abs=0.02)


def test_a_common_offset_of_the_thermometer_is_in_the_budget() -> None:
    found = activation_energy(
        TEMPERATURES, resistances(TEMPERATURES), of="R_ct", temperature_offset=1.0
    ).energy
    moved = activation_energy(TEMPERATURES + 1.0, resistances(TEMPERATURES), of="R_ct").energy
    assert found.dominant == "offset of all temperatures"
    assert found.interval is not None
    assert moved.value - found.value == pytest.approx((found.interval[1] - found.value) / 0.95, rel=0.05)
