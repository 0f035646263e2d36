"""The end of stripping copper: a bend that a sample a second sees, books that balance, copper that dissolves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.cells.copper import Copper
from hilcycler_simulators.cells.wiener import WienerCell

HOUR = 3600.0
MAH = 3.6e4  # C/m2
COPPER = [name for name in catalogue.names() if name.startswith("li-cu/")]


def area(cell: WienerCell) -> float:
    found = cell.label.area
    assert found is not None
    return found


def plated(name: str, density: float) -> WienerCell:
    """With 1 mAh/cm2 on the copper."""
    cell = catalogue.make(name, seed=1)
    cell.galvanostatic(-density * area(cell), np.empty(0)).commit(MAH / density)
    return cell


@pytest.mark.parametrize("name", COPPER)
@pytest.mark.parametrize("density", [2.5, 5.0, 10.0])
def test_a_sample_a_second_sees_the_cut_off_well_before_four_volt(name: str, density: float) -> None:
    """At the papers' currents, with a cut-off of 0.5 or 1 V and whatever the phase of the samples."""
    cell = plated(name, density)
    current = density * area(cell)
    end = cell.crossing(current, 1.0, 2 * MAH / density)
    assert end is not None
    for cutoff in (0.5, 1.0):
        for phase in (0.0, 0.3, 0.6, 0.9):
            volts = cell.galvanostatic(current, np.arange(math.floor(end) - 60.0 + phase, end + 5.0)).voltage
            assert volts[volts >= cutoff][0] < 1.5


@pytest.mark.parametrize("density", [5.0, 10.0])
def test_the_voltage_bends_up_over_tens_of_seconds(density: float) -> None:
    cell = plated("li-cu/bn-pp", density)
    current = density * area(cell)
    plateau = cell.galvanostatic(current, np.array([0.5 * MAH / density])).voltage[0]
    end = cell.crossing(current, 1.0, 2 * MAH / density)
    bends = cell.crossing(current, float(plateau) + 0.01, 2 * MAH / density)
    assert end is not None
    assert bends is not None
    assert 20.0 < end - bends < 60.0
    rising = cell.galvanostatic(current, np.linspace(bends - 60.0, end, 500)).voltage
    assert (np.diff(rising) > 0.0).all()


def test_the_current_crowds_as_a_surface_that_empties_says() -> None:
    """Against the mean-field formula written out: film and charge transfer at j/theta on one side."""
    cell = plated("li-cu/bn-pp", 10.0)
    still, truth = cell.truth["inventory_C_m2"]["copper active"], cell.truth
    j, left = 10.0, 100.0
    seconds = (still - left) / j
    found = cell.galvanostatic(j * area(cell), np.array([seconds])).voltage[0]
    theta = 1.0 - math.exp(-left / 360.0)
    thermal = 8.314462618 * 298.15 / 96485.33212
    film = 1e-4 * truth["R_SEI_ohm_cm2"] * j
    kinetic = [2.0 * thermal * math.asinh(each / (2.0 * truth["j0_A_m2"])) for each in (j, j / theta)]
    bulk = 1e-4 * truth["R_b_ohm_cm2"] * j / truth["t_plus"]
    scarce = -thermal * math.log(1.0 - math.exp(-left / 72.0))
    expected = bulk + 0.5 * film * (1.0 + 1.0 / theta) + sum(kinetic) + scarce
    assert found == pytest.approx(expected, abs=2e-4)


def test_what_a_dry_electrode_took_it_takes_up_again_before_lithium_plates() -> None:
    """From 2 V back down: the charge between is that of the copper's capacitance, none of it lithium."""
    cell = plated("li-cu/bn-pp", 10.0)
    current = 10.0 * area(cell)
    end = cell.crossing(current, 2.0, 2 * HOUR)
    assert end is not None
    cell.galvanostatic(current, np.empty(0)).commit(end)
    before = cell.truth["inventory_C_m2"]
    taken = -before["copper active"] / 50.0  # V: charge over the capacitance
    assert 0.8 < taken < 1.5  # 2 V less what the crowded current itself needed
    cell.galvanostatic(-current, np.empty(0)).commit(-before["copper active"] / 10.0)
    after = cell.truth["inventory_C_m2"]
    assert after["copper SEI"] == before["copper SEI"]
    assert after["copper dead"] == before["copper dead"]
    assert after["copper active"] == pytest.approx(0.0, abs=1e-6)


def test_beyond_three_volt_copper_dissolves_and_holds_the_voltage() -> None:
    """The books say where the charge went, also when lithium is plated afterwards."""
    cell = plated("li-cu/bn-pp", 5.0)
    current = 5.0 * area(cell)
    times = np.array([2.1 * HOUR, 2.2 * HOUR, 2.5 * HOUR])
    course = cell.galvanostatic(current, times)
    assert course.voltage == pytest.approx(course.voltage[0], abs=1e-6)
    assert 3.4 < course.voltage[0] < 3.7
    course.commit(2.5 * HOUR)
    dissolved = -cell.truth["inventory_C_m2"]["copper dissolved"]
    efficiency = 0.988 - 0.03
    dry = efficiency * (MAH - 720.0) + 50.0 * 3.2  # C/m2: the lithium kept, then the capacitance
    assert dissolved == pytest.approx(2.5 * 5.0 * HOUR - dry, rel=0.01)
    cell.galvanostatic(-current, np.empty(0)).commit(HOUR)
    truth = cell.truth
    assert -truth["inventory_C_m2"]["copper dissolved"] == dissolved
    assert sum(truth["ledger_C"].values()) == pytest.approx(truth["passed_C"], abs=1e-9 * 2e4 * area(cell))


def test_the_end_is_where_it_is_however_one_steps() -> None:
    """One stretch, or a step a second through the bend: less than a microvolt apart."""
    ends = []
    for steps in (1, 60):
        cell = plated("li-cu/pp", 5.0)
        current = 5.0 * area(cell)
        end = cell.crossing(current, 1.0, 4 * HOUR)
        assert end is not None
        cell.galvanostatic(current, np.empty(0)).commit(end - 60.0)
        for _ in range(steps):
            cell.temperature = cell.temperature + 1e-12  # a new stretch
            course = cell.galvanostatic(current, np.array([60.0 / steps]))
            course.commit(60.0 / steps)
        ends.append(course.voltage[-1])
    assert ends == pytest.approx([1.0, 1.0], abs=1e-6)


def test_a_bare_substrate_begins_at_its_rest_potential_and_has_no_jump_in_its_law() -> None:
    copper = Copper(formation=720.0)
    metal = np.linspace(-200.0, 200.0, 40_001)
    volts = copper.exhaustion(metal, 298.15)
    assert (np.diff(volts) < 0.0).all()
    assert np.abs(np.diff(volts)).max() < 1e-3
    assert copper.surface(np.array(720.0), 298.15) + copper.exhaustion(np.array(0.0), 298.15) == 2.5
