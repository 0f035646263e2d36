"""Areas, masses, C-rates, lithium: the numbers printed in papers and the words they leave out."""

from __future__ import annotations

import pytest

from hilcycler.errors import QuantityError
from hilcycler.quantities import VOLTAGE, parse_amplitude
from hilcycler_protocols.evaluation import conversions as c
from hilcycler_protocols.evaluation.results import EvaluationRefused

MAH_PER_CM2 = 3.6e4
MAH_PER_G = 3600.0


def test_a_coin_cell_disc_of_12_mm() -> None:
    assert c.disc_area(12e-3) == pytest.approx(1.1310e-4, rel=1e-4)


def test_half_cycles_last_capacity_over_current() -> None:
    assert c.half_cycle_time(1.0 * MAH_PER_CM2, 10.0) == pytest.approx(3600.0)
    assert c.half_cycle_time(1.0 * MAH_PER_CM2, 50.0) == pytest.approx(720.0)


def test_lithium_is_4_85_micrometres_per_mah() -> None:
    assert c.lithium_thickness(MAH_PER_CM2) == pytest.approx(4.85e-6, rel=1e-3)
    assert c.lithium_charge(50e-6) / MAH_PER_CM2 == pytest.approx(10.3, abs=0.05)
    assert c.lithium_charge(100e-6) / MAH_PER_CM2 == pytest.approx(20.6, abs=0.05)


def test_impossible_thicknesses_of_the_papers_show() -> None:
    """3 mAh/cm2 cannot be 5 um, 2 mAh/cm2 cannot be 8 um of dense lithium."""
    assert c.lithium_thickness(3.0 * MAH_PER_CM2) == pytest.approx(14.6e-6, rel=0.01)
    assert c.lithium_thickness(2.0 * MAH_PER_CM2) == pytest.approx(9.7e-6, rel=0.01)


def test_thirty_milligrams_of_lfp_are_5_1_mah() -> None:
    capacity = c.areal_capacity(0.30, 170.0 * MAH_PER_G)  # 30 mg/cm2 is 0.30 kg/m2
    assert capacity / MAH_PER_CM2 == pytest.approx(5.1)
    assert c.areal_capacity(0.30, 170.0 * MAH_PER_G, sides=2) == pytest.approx(2.0 * capacity)
    with pytest.raises(EvaluationRefused):
        c.areal_capacity(0.30, 170.0 * MAH_PER_G, sides=3)


def test_the_smaller_electrode_defines_the_area() -> None:
    """Trap: copper of 19 mm opposite lithium of 12 mm; the lithium's area counts."""
    copper, lithium = c.disc_area(19e-3), c.disc_area(12e-3)
    assert c.normalising_area(copper, lithium) == lithium
    assert c.areal(1.131e-3, lithium) == pytest.approx(10.0, rel=1e-3)
    with pytest.raises(EvaluationRefused, match="area"):
        c.normalising_area(copper, None)


def test_electrode_mass_is_not_active_mass() -> None:
    """Trap: 80 % active material makes 170 mAh/g of active 136 mAh/g of electrode."""
    charge = 1.0
    assert c.per_active_mass(charge, 10e-6, 0.8) == pytest.approx(
        1.25 * c.per_active_mass(charge, 10e-6, 1.0)
    )
    with pytest.raises(EvaluationRefused, match="active share"):
        c.per_active_mass(charge, 10e-6, None)
    with pytest.raises(EvaluationRefused, match="more than all"):
        c.per_active_mass(charge, 10e-6, 80.0)


def test_one_c_must_be_said() -> None:
    """Trap: 1 C of sulfur is 1650 or 1675 mA/g; of the measured capacity it is something else."""
    nominal, measured = 170.0 * MAH_PER_G * 1e-5, 150.0 * MAH_PER_G * 1e-5
    assert c.c_rate(c.current_at(0.5, nominal), nominal) == pytest.approx(0.5)
    assert c.c_rate(c.current_at(0.5, nominal), measured) == pytest.approx(0.567, abs=1e-3)
    for missing in (None, 0.0, -1.0, float("nan")):
        with pytest.raises(EvaluationRefused, match="1 C refers"):
            c.current_at(1.0, missing)


@pytest.mark.parametrize("area", [None, 0.0, -1e-4, float("nan"), float("inf")])
def test_no_area_no_areal_number(area: float | None) -> None:
    with pytest.raises(EvaluationRefused, match="area"):
        c.areal(1e-3, area)


def test_an_amplitude_without_its_word_is_refused() -> None:
    """Trap: 10 mV rms and 10 mV peak differ by the root of two, and programs differ in what they mean."""
    rms, peak = parse_amplitude("10 mV rms", VOLTAGE).rms, parse_amplitude("10 mV peak", VOLTAGE).rms
    assert rms / peak == pytest.approx(2.0**0.5)
    with pytest.raises(QuantityError, match="rms or peak"):
        parse_amplitude("10 mV", VOLTAGE)
