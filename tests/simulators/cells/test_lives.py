"""Lives: what cycling does to cells, at the times and sizes the papers report, and switched off."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.cells.ocv import CURVES
from hilcycler_simulators.cells.procedures import (
    cycle_full,
    cycle_symmetric,
    nucleation,
    plating_efficiencies,
)
from hilcycler_simulators.cells.wiener import WienerCell

Make = Callable[..., WienerCell]

HOUR = 3600.0
MAH = 3.6e4


def test_without_a_life_nothing_changes(symmetric: Make) -> None:
    run = cycle_symmetric(symmetric(), 10.0, MAH, 300.0)
    assert np.ptp(run.voltage[2:]) < 1e-9


def test_a_fresh_interface_fades_within_the_first_hours() -> None:
    """WNG: 44.5 ohm as assembled would be some 100 mV at 2 mA/cm2; after 100 h it is 15 mV."""
    run = cycle_symmetric(catalogue.make("li-li/wng", 1), 20.0, MAH, 150.0)
    assert run.overpotential(1.0) > 0.080
    assert run.overpotential(120.0) < 0.018


def test_the_electrolyte_of_the_bare_cell_runs_dry_and_then_it_shorts() -> None:
    """40 mV at first, 1700 mV before 308 h, then next to nothing: V follows I at once and has no arc."""
    cell = catalogue.make("li-li/pota-bare", 1)
    run = cycle_symmetric(cell, 10.0, MAH, 312.0)
    assert run.overpotential(306.0) == pytest.approx(1.7, rel=0.03)
    assert run.short == pytest.approx(308.0, abs=1.0)
    assert run.voltage[-1] < 0.01
    arc = cell.impedance(np.array([1e6, 0.01]))
    assert abs(arc[1] - arc[0]) < 1.0


def test_a_soft_short_makes_a_flat_low_trace_and_shrinks_the_arc() -> None:
    """The plateau drops to less, comes back, and while it is low so is the spectrum."""
    cell = catalogue.make("li-li/limmt-pe", seed=7)
    low = []
    for number in range(100):
        course = cell.galvanostatic((-1) ** number * 11.31e-3 / 10, np.array([2 * HOUR]))
        course.commit(3 * HOUR)
        span = np.ptp(cell.impedance(np.array([1e6, 1.0])).real)
        low.append((cell.truth["short_S_m2"] > 0.0, span))
    shorted, sound = ([span for is_low, span in low if is_low == wanted] for wanted in (True, False))
    assert shorted
    assert sound
    assert max(shorted) < min(sound)


def test_most_of_the_current_of_a_shorted_cell_is_electronic(symmetric: Make) -> None:
    """33 ohm cm2 of interface and a short of 20 ohm cm2 at 1 mA/cm2: two thirds, on a beautiful plateau."""
    short = '[life.soft_short]\nonset = "1 s"\nwait = "2 s"\nlasts = "1e5 h"\nresistance = "20 ohm cm2"\nspread = 0.0'
    cell = symmetric(
        bulk=3.0, transference=0.5, film=13.0, exchange=2.57, more=short.replace("1e5", "100000")
    )
    sound = symmetric(bulk=3.0, transference=0.5, film=13.0, exchange=2.57)
    for each in (cell, sound):
        each.galvanostatic(1e-3, np.empty(0)).commit(HOUR)
    before = cell.truth
    course = cell.galvanostatic(-1e-3, np.array([HOUR]))
    course.commit(HOUR)
    after = cell.truth
    share = (after["leaked_C"] - before["leaked_C"]) / (after["passed_C"] - before["passed_C"])
    assert share == pytest.approx(0.66, abs=0.02)
    assert course.voltage[0] == pytest.approx(-0.0132, abs=0.0005)
    assert sound.galvanostatic(-1e-3, np.array([HOUR])).voltage[0] == pytest.approx(-0.0387, abs=0.001)


def test_lithium_that_is_used_up_ends_a_thin_cell(symmetric: Make) -> None:
    """100 mAh/cm2 of metal on either side: after 100 h at 1 mA/cm2 the voltage runs away."""
    cell = symmetric()
    assert cell.crossing(1e-3, 1.0, 99.0 * HOUR) is None
    assert cell.crossing(1e-3, 1.0, 101.0 * HOUR) == pytest.approx(100.0 * HOUR, rel=1e-3)


def test_plating_on_copper_comes_down_dips_and_levels() -> None:
    cell = catalogue.make("li-cu/pota-no3", 1)
    times = np.linspace(0.0, HOUR, 7201)
    course = cell.galvanostatic(-1.131e-3, times)
    assert course.voltage[0] > 2.0
    tip = int(np.argmin(course.voltage))
    assert 60.0 < times[tip] < 300.0
    assert course.voltage[tip] == pytest.approx(-0.049, abs=0.001)
    assert course.voltage[-1] == pytest.approx(-0.033, abs=0.001)
    deep, level = nucleation(catalogue.make("li-cu/pota-no3", 1), 10.0, MAH)
    assert deep - level == pytest.approx(0.016, abs=0.001)


def test_stripping_ends_when_what_was_kept_is_gone() -> None:
    """Efficiency counts what is plated and stripped; the second cycle knows of the first's dead lithium."""
    cell = catalogue.make("li-cu/bn-pp", 1)
    found = plating_efficiencies(cell, 5.0, MAH, 0.5, 3)
    expected = [0.988 - 0.03 * np.exp(-n / 4.0) for n in range(3)]
    expected[0] *= 0.98  # 0.02 of the first mAh/cm2 formed the interphase
    assert found == pytest.approx(expected, abs=2e-3)
    held = cell.truth["inventory_C_m2"]
    assert held["copper dead"] > 0.0
    assert held["copper active"] == pytest.approx(0.0, abs=20.0)


def test_a_reservoir_outlasts_the_cut_off() -> None:
    """A strip that ends at a voltage beyond what bare copper allows still ends there."""
    cell = catalogue.make("li-cu/bn-pp", 1)
    cell.galvanostatic(-1e-3, np.empty(0)).commit(HOUR)
    half, full = cell.crossing(1e-3, 0.5, 2 * HOUR), cell.crossing(1e-3, 1.0, 2 * HOUR)
    assert half is not None
    assert full is not None
    assert half < full < half + 5.0


@pytest.mark.parametrize(("name", "window"), [("li-lfp/wng", (2.5, 4.0)), ("li-ncm523/bn-pp", (3.0, 4.3))])
def test_capacity_falls_with_the_rate(name: str, window: tuple[float, float]) -> None:
    run = cycle_full(catalogue.make(name, 1), window, [0.1, 0.5, 1.0, 2.0, 4.0])
    assert (np.diff(run.discharged) < 0.0).all()


def test_open_circuit_curves_are_those_of_their_sources() -> None:
    """Values computed once from the printed formulas; each falls as the host fills."""
    assert CURVES["LFP"](np.array([0.5]))[0] == pytest.approx(3.4077 - 0.020269 * 0.5, abs=1e-5)
    assert CURVES["NCM811"](np.array([0.5]))[0] == pytest.approx(3.972, abs=2e-3)
    assert CURVES["NCM523"](np.array([0.5]))[0] == pytest.approx(3.815, abs=2e-3)
    assert CURVES["LCO"](np.array([0.5]))[0] == pytest.approx(4.186, abs=2e-3)
    for curve in CURVES.values():
        fraction = np.linspace(*curve.between, 400)
        assert (np.diff(curve(fraction)) < 2e-3).all()


def test_sulfur_has_two_plateaus_and_a_shuttle() -> None:
    """Charge over discharge exceeds 100 % where the shuttle is strong; a rest in the upper plateau costs."""
    weak, strong = (
        cycle_full(catalogue.make(name, 1), (1.7, 2.8), [0.5] * 4) for name in ("li-s/bn-pp", "li-s/pp")
    )
    assert (weak.charged / weak.discharged)[2] < (strong.charged / strong.discharged)[2]
    assert (strong.charged / strong.discharged)[2] > 1.02
    cell = catalogue.make("li-s/pp", 1)
    nominal = cell.label.nominal_capacity
    assert nominal is not None
    times = np.linspace(60.0, 5000.0, 100)
    discharge = cell.galvanostatic(-0.2 * nominal / HOUR, times).voltage
    assert discharge[5] > 2.25
    assert 2.0 < np.median(discharge[60:]) < 2.15
    cell.galvanostatic(0.0, np.empty(0)).commit(5 * HOUR)
    assert cell.truth["charged_share"] < 0.85


def test_sulfur_charges_through_the_change_of_plateau_at_any_rate() -> None:
    """The charge at which the upper plateau begins is met exactly, or an ulp off: it is passed all the same."""
    for name in ("li-s/bn-pp", "li-s/pp"):
        for rate in np.linspace(0.31, 2.0, 40):
            cell = catalogue.make(name, 1)
            nominal = cell.label.nominal_capacity
            assert nominal is not None
            current = rate * nominal / HOUR
            empty = cell.crossing(-current, 1.7, 4 * HOUR / rate)
            assert empty is not None
            cell.galvanostatic(-current, np.empty(0)).commit(empty)
            assert cell.crossing(current, 2.8, 4 * HOUR / rate) is not None, f"{name} at {rate} C"


def test_a_stability_window_shows_in_a_slow_sweep() -> None:
    """Li||SS in ether: next to nothing at 4 V, the stated current at the onset."""
    cell = catalogue.make("li-ss/ether", 1)
    area = cell.label.area
    assert area is not None
    held = cell.potentiostatic(np.array([4.0, 4.2]), np.array([HOUR, 2 * HOUR])).current / area / 10.0
    assert held[0] < 0.001
    assert held[1] == pytest.approx(0.01, rel=0.05)


def test_temperature_moves_each_element_by_its_own_energy() -> None:
    cell = catalogue.make("li-li/bn-pp", 1)
    warm = cell.truth
    cell.temperature = 273.15
    cold = cell.truth
    for name, energy in (("R_b", 12e3), ("R_SEI", 55e3), ("R_ct", 52e3)):
        factor = np.exp(energy / 8.314462618 * (1 / 273.15 - 1 / 298.15))
        assert cold[f"{name}_ohm"] / warm[f"{name}_ohm"] == pytest.approx(factor, rel=1e-9)
    assert 7.0 < 100.0 * (np.exp(55e3 / 8.314 * (1 / 297.65 - 1 / 298.65)) - 1.0) < 8.0, "7 % a kelvin"
