"""Acceptance 2: what a perfect measurement of a cell gives, by textbook formulas written here.

Nothing of the cell's own code evaluates: the cell is driven at its terminals, resistances come from
fits of ideal circuit elements to its spectra, and the truths are the values the profile was written
with.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import least_squares

from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.cells.nucleation import Transient
from hilcycler_simulators.cells.wiener import WienerCell

Make = Callable[..., WienerCell]
Floats = NDArray[np.float64]

F, R, T = 96485.33212, 8.314462618, 298.15
CM2 = 1e-4  # the plain cells of these tests have 1 cm2
HOUR = 3600.0


def fitted(cell: WienerCell) -> dict[str, float]:
    """R_b, R_SEI, R_ct and the salt's resistance of a symmetric cell, ohm, from its spectrum.

    Z = R_b + R_SEI/(1 + (i w t)^n) + R_ct/(1 + (i w t)^n) + R_D tanh(sqrt(i w t))/sqrt(i w t).
    """
    s = np.asarray(2j * np.pi * np.logspace(6.5, -4, 160))
    measured = cell.impedance(np.logspace(6.5, -4, 160))

    def model(log: Floats) -> NDArray[np.complex128]:
        bulk, film, transfer, salt, t_film, t_transfer, t_salt, n_film, n_transfer = np.exp(log)
        root = np.sqrt(s * t_salt)
        z = bulk + film / (1 + (s * t_film) ** n_film) + transfer / (1 + (s * t_transfer) ** n_transfer)
        return np.asarray(z + salt * np.tanh(root) / root)

    def misfit(log: Floats) -> Floats:
        error = (model(log) - measured) / np.abs(measured)
        return np.concatenate((error.real, error.imag))

    total = abs(measured[-1])
    first = [abs(measured[0]), total / 4, total / 2, total / 8, 2e-5, 5e-3, 3.0, 0.9, 0.85]
    found = np.exp(least_squares(misfit, np.log(first), xtol=1e-14, ftol=1e-14).x)
    return dict(zip(("R_b", "R_SEI", "R_ct", "R_D"), found[:4], strict=True))


@pytest.mark.parametrize("transference", [0.22, 0.31, 0.53, 0.76])
def test_bruce_and_vincent_give_the_transference_number(symmetric: Make, transference: float) -> None:
    cell = symmetric(transference=transference)
    bias, before = 0.01, fitted(cell)
    course = cell.potentiostatic(np.full(2000, bias), np.linspace(3.0, 6000.0, 2000))
    course.commit(6000.0)
    steady = course.current[-1]
    cell.galvanostatic(0.0, np.empty(0)).commit(10 * HOUR)
    after = fitted(cell)
    r0, rs = before["R_SEI"] + before["R_ct"], after["R_SEI"] + after["R_ct"]
    first = bias / (before["R_b"] + r0)
    found = steady * (bias - first * r0) / (first * (bias - steady * rs))
    assert found == pytest.approx(transference, abs=0.01)


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1])
def test_gitt_gives_the_diffusion_coefficient(cathode: Make, share: float) -> None:
    """Weppner and Huggins for a layer of half thickness L: D = 4 L^2/(pi t) (dE_s/dE_t)^2."""
    tau, length = 50_000.0, 3e-6
    cell = cathode(tau=tau)
    pulse, current = share * tau, -2e-5
    rested = cell.galvanostatic(0.0, np.array([1.0])).voltage[0]
    times = np.linspace(60.0, pulse, 400)
    course = cell.galvanostatic(current, times)
    slope = (
        np.polyfit(np.sqrt(times), course.voltage, 1)[0] if share <= 0.02 else _initial(times, course.voltage)
    )
    course.commit(pulse)
    cell.galvanostatic(0.0, np.empty(0)).commit(20 * tau)
    change = cell.galvanostatic(0.0, np.array([1.0])).voltage[0] - rested
    found = 4.0 * length**2 / (math.pi * pulse) * (change / (slope * math.sqrt(pulse))) ** 2
    assert found == pytest.approx(length**2 / tau, rel=0.01)


def _initial(times: Floats, voltage: Floats) -> float:
    """dE/d(sqrt t) over the pulse: the two ends, as the formula has it."""
    return float((voltage[-1] - voltage[0]) / (math.sqrt(times[-1]) - math.sqrt(times[0])))


def test_six_temperatures_give_the_activation_energy_of_each_resistance(symmetric: Make) -> None:
    """ln(1/R) against 1/T; the profile says 12, 53 and 60 kJ/mol."""
    cell = symmetric()
    temperatures = np.array([278.15, 288.15, 298.15, 308.15, 318.15, 328.15])
    logs: dict[str, list[float]] = {"R_b": [], "R_SEI": [], "R_ct": []}
    for temperature in temperatures:
        cell.temperature = float(temperature)
        found = fitted(cell)
        for name, values in logs.items():
            values.append(math.log(1.0 / found[name]))
    for name, expected in (("R_b", 12e3), ("R_SEI", 53e3), ("R_ct", 60e3)):
        slope = np.polyfit(1.0 / temperatures, logs[name], 1)[0]
        assert -R * slope == pytest.approx(expected, abs=500.0), name


@pytest.mark.parametrize("exchange", [0.63, 1.181, 2.95, 6.75])
def test_linear_polarisation_gives_the_exchange_current(symmetric: Make, exchange: float) -> None:
    """j0 = 2RT/(F A (R_p - R_lin)): two electrodes in series, bulk, salt and film taken off."""
    cell = symmetric(exchange=exchange)
    parts = fitted(cell)
    linear = parts["R_b"] + parts["R_SEI"] + parts["R_D"]
    bias = np.array([-1e-3, 1e-3])
    current = [cell.potentiostatic(np.array([v]), np.array([4 * HOUR])).current[0] for v in bias]
    polarisation = (bias[1] - bias[0]) / (current[1] - current[0])
    found = 2.0 * R * T / (F * CM2 * (polarisation - linear))
    assert found / 10.0 == pytest.approx(exchange, rel=0.01)


@pytest.mark.parametrize(
    ("name", "expected"), [("ss-ss/bn-pp", 2.52), ("ss-ss/pp", 1.59), ("ss-ss/wng-control", 0.384)]
)
def test_a_blocking_cell_gives_the_conductivity(name: str, expected: float) -> None:
    """L/(R_b A), with R_b from a straight line through the constant-phase tail."""
    cell = catalogue.make(name, seed=1)
    z = cell.impedance(np.logspace(6, 3, 31))
    bulk = np.polyfit(-z.imag, z.real, 1)[1]  # the tail meets the real axis at R_b
    thickness, area = cell.label.separator_thickness, cell.label.area
    assert thickness is not None
    assert area is not None
    assert 10.0 * thickness / (bulk * area) == pytest.approx(expected, rel=0.005)


def test_the_salt_runs_out_at_sands_time_and_only_beyond_the_limiting_current(symmetric: Make) -> None:
    """tau = pi D (F c/(2 j (1 - t+)))^2 and j_lim = 2 F D c/(L (1 - t+))."""
    diffusion, concentration, thickness, transference = 4.5e-11, 100.0, 25e-6, 0.4
    limiting = 2 * F * diffusion * concentration / (thickness * (1 - transference))
    for times in (2.0, 4.0):
        j = times * limiting
        sand = math.pi * diffusion * (F * concentration / (2 * j * (1 - transference))) ** 2
        cell = symmetric(concentration=0.1, transference=transference)
        assert cell.crossing(j * CM2, 5.0, 100.0) == pytest.approx(sand, rel=0.01)
    assert symmetric(concentration=0.1).crossing(0.97 * limiting * CM2, 5.0, HOUR) is None
    assert symmetric(concentration=0.1).crossing(1.03 * limiting * CM2, 5.0, HOUR) is not None


@pytest.mark.parametrize("nuclei", ["instantaneous", "progressive"])
def test_nucleation_follows_the_dimensionless_curve(nuclei: str) -> None:
    """(i/i_m)^2 = 1.9542/x (1 - exp(-1.2564 x))^2, or 1.2254/x (1 - exp(-2.3367 x^2))^2.

    Scharifker and Hills 1983. The first with x^2 in the exponent, as one of the papers prints it,
    does not have its maximum of 1 at x = 1 and is far from this transient.
    """
    density, diffusion, concentration = 1e11, 3.7e-14, 6000.0
    transient = Transient(nuclei, density, diffusion, concentration, rate=0.1)  # type: ignore[arg-type]
    t = np.geomspace(1e-3, 100.0, 20001) * transient.peak_time
    i = -transient(t)
    top = int(np.argmax(i))
    x = np.array([0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0])
    shape = np.interp(x * t[top], t, (i / i[top]) ** 2)
    instantaneous = 1.9542 / x * (1 - np.exp(-1.2564 * x)) ** 2
    progressive = 1.2254 / x * (1 - np.exp(-2.3367 * x**2)) ** 2
    misprint = 1.9542 / x * (1 - np.exp(-1.2564 * x**2)) ** 2
    assert shape == pytest.approx(instantaneous if nuclei == "instantaneous" else progressive, abs=2e-3)
    assert np.abs(shape - misprint).max() > 0.15
    product = 0.1629 if nuclei == "instantaneous" else 0.2598
    assert i[top] ** 2 * t[top] == pytest.approx(product * (F * concentration) ** 2 * diffusion, rel=2e-3)
    if nuclei == "instantaneous":
        k = 8 * math.pi * concentration * 6.941e-3 / 534.0
        found = 0.065 * k**-0.5 * (F * concentration / (i[top] * t[top])) ** 2
        assert found == pytest.approx(density, rel=0.01)


@pytest.mark.parametrize("nuclei", ["instantaneous", "progressive"])
def test_a_held_voltage_on_bare_copper_shows_that_curve(nuclei: str, tmp_path: Path) -> None:
    """At the terminals of a whole cell: the shape, the maximum, and the density of nuclei from it."""
    text = (files("hilcycler_simulators.cells") / "profiles" / "li-cu" / "limmt.toml").read_text(
        encoding="utf-8"
    )
    own = text.replace('kind = "instantaneous"', f'kind = "{nuclei}"').replace('"5 mA/cm2"', '"0 mA/cm2"')
    (tmp_path / "mine.toml").write_text(own.replace("onset =", "rate_per_s = 0.1\nonset ="), encoding="utf-8")
    cell = catalogue.make(str(tmp_path / "mine.toml"), seed=1)
    area, diffusion, concentration = cell.label.area, 3.7e-14, 6000.0
    assert area is not None
    times = np.linspace(0.02, 60.0, 3000)
    i = -cell.potentiostatic(np.full(3000, -0.1), times).current / area
    top = int(np.argmax(i))
    x = np.array([0.2, 0.5, 1.0, 1.5])
    shape = np.interp(x * times[top], times, (i / i[top]) ** 2)
    instantaneous = 1.9542 / x * (1 - np.exp(-1.2564 * x)) ** 2
    progressive = 1.2254 / x * (1 - np.exp(-2.3367 * x**2)) ** 2
    assert shape == pytest.approx(instantaneous if nuclei == "instantaneous" else progressive, abs=0.01)
    product = 0.1629 if nuclei == "instantaneous" else 0.2598
    assert i[top] ** 2 * times[top] == pytest.approx(product * (F * concentration) ** 2 * diffusion, rel=0.01)
    if nuclei == "instantaneous":
        k = 8 * math.pi * concentration * 6.941e-3 / 534.0
        found = 0.065 * k**-0.5 * (F * concentration / (i[top] * times[top])) ** 2
        assert found == pytest.approx(1.56e12, rel=0.03)


def test_a_held_voltage_on_bare_copper_shows_that_transient() -> None:
    cell = catalogue.make("li-cu/limmt", seed=1)
    area = cell.label.area
    assert area is not None
    times = np.linspace(0.5, 20.0, 400)
    course = cell.potentiostatic(np.full(400, -0.1), times)
    top = int(np.argmin(course.current[10:])) + 10
    assert times[top] == pytest.approx(5.0, abs=0.1)
    assert -course.current[top] / area / 10.0 == pytest.approx(2.0, rel=0.02)
