"""Honest uncertainty: how often the 95 % interval holds the truth.

Each experiment is repeated with fresh noise, and each repeat draws gain, offset and lead resistance anew
within what the instrument promises. HILCYCLER_COVERAGE_REPEATS sets the number: the promise, 90 to
99 %, is checked with 200 and more (half a minute); the default of 50 checks what so few can show.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from recorded_run import Recorded, header
from scipy import stats

from hilcycler.records import CurrentRange
from hilcycler.steps import ConstantCurrent, End, Process, TimeReached
from hilcycler_protocols.evaluation.arrhenius import activation_energy
from hilcycler_protocols.evaluation.aurbach import reservoir_efficiency
from hilcycler_protocols.evaluation.charges import Passed
from hilcycler_protocols.evaluation.conductivity import conductivity, high_frequency_intercept
from hilcycler_protocols.evaluation.coulombic_efficiency import Cycle, efficiencies, efficiency
from hilcycler_protocols.evaluation.cycling import Discharge, Reference, retention, step_resistance
from hilcycler_protocols.evaluation.exchange_current import (
    Polarised,
    from_impedance,
    linear_polarisation,
    polarisation_resistance,
    tafel,
)
from hilcycler_protocols.evaluation.gitt import Pulse, diffusion
from hilcycler_protocols.evaluation.impedance import blocking_cell, fit, lithium_cell, measured
from hilcycler_protocols.evaluation.impedance.benchmark import TRUTH, sweep
from hilcycler_protocols.evaluation.lsv_window import threshold
from hilcycler_protocols.evaluation.nucleation import nucleation
from hilcycler_protocols.evaluation.overpotential import Overpotentials, quoted
from hilcycler_protocols.evaluation.randles_sevcik import Diffusing, diffusion_coefficient
from hilcycler_protocols.evaluation.results import Result
from hilcycler_protocols.evaluation.sand import Electrolyte, Gap, limiting_current
from hilcycler_protocols.evaluation.scharifker_hills import Deposit, Growth, reduced, transient
from hilcycler_protocols.evaluation.transference import interfaces, steady_state, transference
from hilcycler_protocols.evaluation.uncertainty import Accuracy, Known

REPEATS = int(os.environ.get("HILCYCLER_COVERAGE_REPEATS", "50"))
AREA = 1.131e-4
RT_F = 8.314462618 * 298.15 / 96485.33212
Rng = np.random.Generator
Repeat = Callable[[Rng], tuple[Result, float] | list[tuple[Result, float]]]

METER = Accuracy(
    current_gain=1e-3, current_offset=1.5e-6, voltage_gain=2e-4, voltage_offset=2e-4, time_jitter=0.01,
    lead_resistance=0.05,
)  # fmt: skip


def drawn(rng: Rng, half_width: float) -> float:
    return float(rng.uniform(-half_width, half_width))


class Meter:
    """One instrument of the lot: its errors, fixed for one repeat. Reading = truth (1 + gain) + offset."""

    def __init__(self, rng: Rng, accuracy: Accuracy = METER) -> None:
        self.rng = rng
        self.i_gain, self.i_offset = drawn(rng, accuracy.current_gain), drawn(rng, accuracy.current_offset)
        self.v_gain, self.v_offset = drawn(rng, accuracy.voltage_gain), drawn(rng, accuracy.voltage_offset)
        self.leads = drawn(rng, accuracy.lead_resistance)

    def current(self, truth: np.ndarray, noise: float = 0.0) -> np.ndarray:
        return np.asarray(
            truth * (1 + self.i_gain) + self.i_offset + noise * self.rng.standard_normal(np.shape(truth))
        )

    def voltage(self, truth: np.ndarray, noise: float = 0.0) -> np.ndarray:
        return np.asarray(
            truth * (1 + self.v_gain) + self.v_offset + noise * self.rng.standard_normal(np.shape(truth))
        )

    def impedance(self, truth: np.ndarray, noise: float) -> np.ndarray:
        z = (truth + self.leads) * (1 + self.v_gain) / (1 + self.i_gain)
        n = len(z)
        return np.asarray(
            z + noise * np.abs(z) * (self.rng.standard_normal(n) + 1j * self.rng.standard_normal(n))
        )

    def passed(
        self, process: Process, charge: float, setpoint: float, *, cutoff: bool = False, late: float = 0.0
    ) -> Passed:
        """Galvanostatic: the meter regulates its own reading to the set-point, so the true current is off."""
        sign = -1.0 if process is Process.PLATE else 1.0
        true = abs((sign * setpoint - self.i_offset) / (1 + self.i_gain))
        seconds = (
            charge / true
            + (self.rng.uniform(0.0, late) if cutoff else 0.0)
            + drawn(self.rng, METER.time_jitter)
        )
        return Passed(process, setpoint * seconds, seconds, to_cutoff=cutoff, decided=late if cutoff else 0.0)


SETPOINT = 0.565e-3
HOUR = 3600.0


def one_cycle(rng: Rng) -> tuple[Result, float]:
    meter, truth = Meter(rng), 0.9881
    charge = SETPOINT * 2 * HOUR
    into = meter.passed(Process.PLATE, charge, SETPOINT)
    out = meter.passed(Process.STRIP, truth * charge, SETPOINT, cutoff=True, late=10.0)
    return efficiency(Cycle(1, into, out), METER), truth


def late_cutoffs(rng: Rng) -> tuple[Result, float]:
    exact = Accuracy(time_jitter=METER.time_jitter)
    meter, truth = Meter(rng, exact), 0.9881
    charge = SETPOINT * HOUR
    into = meter.passed(Process.PLATE, charge, SETPOINT)
    out = meter.passed(Process.STRIP, truth * charge, SETPOINT, cutoff=True, late=10.0)
    return efficiency(Cycle(1, into, out), exact), truth


def mean_of_cycles(rng: Rng) -> tuple[Result, float]:
    meter, truth = Meter(rng), 0.972
    charge, cycles = SETPOINT * 2 * HOUR, []
    for n in range(20):
        into = meter.passed(Process.PLATE, charge, SETPOINT)
        ce = truth + 0.004 * rng.standard_normal()
        cycles.append(
            Cycle(n, into, meter.passed(Process.STRIP, ce * charge, SETPOINT, cutoff=True, late=1.0))
        )
    return efficiencies(cycles, METER).mean, truth


def reservoir(rng: Rng) -> tuple[Result, float]:
    meter, ce = Meter(rng), 0.9881
    q_t, q_c = SETPOINT * 10 * HOUR, SETPOINT * 2 * HOUR
    plate, strip = Process.PLATE, Process.STRIP
    body = [meter.passed(plate, q_t, SETPOINT), meter.passed(strip, 0.9 * q_t, SETPOINT, cutoff=True)]
    body.append(meter.passed(plate, q_t, SETPOINT))
    left = q_t * ce
    for _ in range(10):
        body += [meter.passed(strip, q_c, SETPOINT), meter.passed(plate, q_c, SETPOINT)]
        left += q_c * ce - q_c
    body.append(meter.passed(strip, left, SETPOINT, cutoff=True, late=1.0))
    return reservoir_efficiency(body, METER).average, ce


def circuit(rng: Rng) -> list[tuple[Result, float]]:
    z = lithium_cell().impedance(2 * np.pi * sweep(), TRUTH)
    fitted = fit(measured(sweep(), Meter(rng).impedance(z, 0.002)), lithium_cell(), accuracy=METER)
    return [(fitted[name], TRUTH[name]) for name in ("R_b", "R_SEI", "R_ct", "tau_ct", "n_ct", "sigma_D")]


BLOCKING = {"R_b": 2.2, "Q_dl": 2e-5, "n_dl": 0.93}


def blocking(*, by_fit: bool) -> Repeat:
    def repeat(rng: Rng) -> tuple[Result, float]:
        f = sweep(1e6, 10.0)
        z = blocking_cell().impedance(2 * np.pi * f, BLOCKING)
        meter = Meter(rng, Accuracy(voltage_gain=2e-4, current_gain=1e-3))
        spectrum = measured(f, meter.impedance(z + 0.3 + drawn(rng, 0.02), 0.002))
        resistance = (
            fit(spectrum, blocking_cell(), accuracy=Accuracy(voltage_gain=2e-4, current_gain=1e-3))["R_b"]
            if by_fit
            else high_frequency_intercept(spectrum)
        )
        length, area = 25e-6 + drawn(rng, 1e-6), AREA * (1 + drawn(rng, 0.01))
        found = conductivity(resistance, [Known(length, 1e-6)], Known(area, 0.01 * AREA), Known(0.3, 0.02))
        return found, 25e-6 / (2.2 * AREA)

    return repeat


POLYMER = {**TRUTH, "R_b": 100.0, "R_SEI": 40.0, "R_ct": 51.0, "sigma_D": 5.0}


def bruce_vincent(rng: Rng) -> tuple[Result, float]:
    t, bias = 0.31, 0.010
    quiet = Accuracy(current_gain=1e-3, current_offset=2e-8, voltage_gain=2e-4)
    meter = Meter(rng, quiet)
    spectra = []
    for _ in range(2):
        z = lithium_cell().impedance(2 * np.pi * sweep(), POLYMER)
        spectra.append(interfaces(fit(measured(sweep(), meter.impedance(z, 0.002)), lithium_cell())))
    true_bias = bias + drawn(rng, 1e-4)
    time = np.arange(0.0, 1500.0)
    current = true_bias / (100.0 / t + 91.0) * (1.0 + 0.0 * time)
    steady = steady_state(time, meter.current(current, 2e-8), accuracy=quiet)
    reading = Known(bias * (1 + meter.v_gain), 1e-4)
    return transference(reading, steady, *spectra), t


def butler_volmer(r_series: float) -> tuple[np.ndarray, np.ndarray]:
    j = np.concatenate([-np.geomspace(1e3, 1e-4, 1500), np.geomspace(1e-4, 1e3, 1500)]) * 10.0
    v = j * AREA * r_series + 4 * RT_F * np.arcsinh(j / 20.0)
    grid = np.arange(-0.2, 0.2001, 1e-3)
    return grid, np.interp(grid, v, j) * AREA


def polarised(rng: Rng, half_width: float = 1.0) -> Polarised:
    return Polarised(
        Known(AREA * (1 + drawn(rng, 0.01)), 0.01 * AREA),
        2,
        298.15,
        Known(20.0 + drawn(rng, half_width), half_width),
    )


LPR_METER = Accuracy(current_gain=1e-3, voltage_gain=2e-4)


def linear(rng: Rng) -> tuple[Result, float]:
    v, i = butler_volmer(20.0)
    near = np.abs(v) <= 0.005
    meter = Meter(rng, LPR_METER)
    r_p = polarisation_resistance(
        meter.voltage(v[near], 5e-6), meter.current(i[near], 2e-8), window=0.01, accuracy=LPR_METER
    )
    return linear_polarisation(r_p, polarised(rng)), 10.0


def tafel_line(rng: Rng) -> tuple[Result, float]:
    v, i = butler_volmer(20.0)
    true_cell = Polarised(Known(AREA), 2, 298.15, Known(20.0))
    window = (0.0995, 0.1505)
    truth = tafel(v, i, true_cell, window=window).exchange_current.value
    meter = Meter(rng, Accuracy(current_gain=1e-3))
    # straight noise on the noiseless estimator's own line: its curvature is no scatter
    noisy = meter.current(i, 0.0) * np.exp(0.01 * rng.standard_normal(len(i)))
    return tafel(
        v, noisy, polarised(rng), window=window, accuracy=Accuracy(current_gain=1e-3)
    ).exchange_current, truth


def arrhenius(rng: Rng) -> tuple[Result, float]:
    t = np.array([273.15, 283.15, 293.15, 303.15, 313.15, 323.15])
    r = 60.0 * np.exp(55e3 / 8.314462618 * (1 / t - 1 / 298.15)) * np.exp(0.02 * rng.standard_normal(6))
    return activation_energy(t + drawn(rng, 0.5), r, of="R_ct", temperature_offset=0.5).energy, 55e3


def randles(rng: Rng) -> tuple[Result, float]:
    v, d, c = np.array([0.1, 0.2, 0.5, 1.0, 2.0]) * 1e-3, 1e-14, 5.1e4
    slope = 0.4463 * 96485.33212 * AREA * c * np.sqrt(d / RT_F)
    peaks = slope * np.sqrt(v) + 0.01 * slope * np.sqrt(1e-3) * rng.standard_normal(5)
    area = Known(AREA * (1 + drawn(rng, 0.01)), 0.01 * AREA)
    return diffusion_coefficient(v, peaks, Diffusing(area, Known(c), 298.15)), d


def nucleation_dip(rng: Rng) -> tuple[Result, float]:
    q = np.arange(0.0, 3600.0)
    shape = (1 - np.exp(-q / 15.0)) * np.exp(-q / 110.0)
    v = -0.033 * (1 - np.exp(-q / 15.0)) - 0.016 * shape / shape.max()
    found = nucleation(q * 1e-3, Meter(rng).voltage(v, 3e-4), accuracy=METER)
    return found.barrier, -0.033 - float(v.min())


def instant_nuclei(rng: Rng) -> tuple[Result, float]:
    t = np.linspace(0.05, 60.0, 400)
    j = 10.0 * np.sqrt(reduced(Growth.INSTANTANEOUS, (t - 1.0) / 10.0)) + 0.1 * rng.standard_normal(400)
    c = 1000.0 * (1 + drawn(rng, 0.01))
    found = transient(t, j * AREA, Deposit(Known(c, 10.0)), area=AREA, after=0.5)
    return found.diffusion, 100.0 * 10.0 / (0.1629 * (96485.33212 * 1000.0) ** 2)


def limit_of_salt(rng: Rng) -> tuple[Result, float]:
    e = Electrolyte(
        Known(3e-10 * (1 + drawn(rng, 0.1)), 0.3e-10), Known(1000.0), Known(0.31 + drawn(rng, 0.05), 0.05)
    )
    gap = Gap(Known(25e-6 + drawn(rng, 1e-6), 1e-6), Known(0.15))
    return limiting_current(e, gap), limiting_current(
        Electrolyte(Known(3e-10), Known(1000.0), Known(0.31)), Gap(Known(25e-6), Known(0.15))
    ).value


def current_step(rng: Rng) -> tuple[Result, float]:
    t = np.concatenate([np.arange(-1.0, 0.0, 0.1), np.arange(0.01, 5.0, 0.01)])
    i = np.where(t > 0, 1e-3, 0.0)
    accuracy = Accuracy(current_gain=1e-3, voltage_gain=2e-4)
    meter = Meter(rng, accuracy)
    v = meter.voltage(3.7 + 5.0 * i, 2e-5) - 3.7 * meter.v_gain
    return step_resistance(t, v, meter.current(i), at=0.0, after=1.0, accuracy=accuracy), 5.0


def kept(rng: Rng) -> tuple[Result, float]:
    def capacity(n: int, q: float) -> Discharge:
        seconds = q / 1e-3 + rng.uniform(0.0, 10.0)
        return Discharge(n, Passed(Process.DISCHARGE, 1e-3 * seconds, seconds, to_cutoff=True, decided=10.0))

    return retention([capacity(1, 3.6), capacity(300, 3.6 * 0.9)], reference=Reference.FIRST).retained, 0.9


def window_of_stability(rng: Rng) -> tuple[Result, float]:
    start = 2.5 + rng.uniform(0.0, 1e-2)
    v = np.arange(start, 5.5, 1e-2)
    j = 0.01 * 10.0 ** ((v - 4.6) / 0.1)
    accuracy = Accuracy(voltage_offset=5e-3, voltage_gain=2e-4)
    reading = Meter(rng, accuracy).voltage(v)
    found = threshold(reading, j * AREA, area=AREA, current_density=0.1, scan_rate=1e-3, accuracy=accuracy)
    return found, 4.7


def titration(rng: Rng) -> tuple[Result, float]:
    """A slab of thickness l at constant flux, 2 % of l2/D long."""
    length, d, noise = 2e-6, 1e-15, 0.1e-3
    t = np.linspace(0.4, 80.0, 200)
    k = np.arange(1, 1000)[:, None]
    reduced_time = t * d / length**2
    modes = (np.exp(-((k * np.pi) ** 2) * reduced_time) / k**2).sum(axis=0)
    surface = reduced_time + 1.0 / 3.0 - 2.0 / np.pi**2 * modes
    v = 3.915 + 0.010 / reduced_time[-1] * surface
    meter = Meter(rng, Accuracy(voltage_gain=2e-4, voltage_offset=2e-4))
    relaxed = meter.voltage(np.array([3.9, 3.91]), noise)
    pulse = Pulse(t, meter.voltage(v, noise), float(relaxed[0]), float(relaxed[1]))
    stated_length = length * (1.0 + drawn(rng, 0.02))
    return diffusion(pulse, Known(stated_length, 0.02 * length), noise=noise).coefficient, d


def exchange_by_impedance(rng: Rng) -> tuple[Result, float]:
    accuracy = Accuracy(current_gain=1e-3, voltage_gain=2e-4)
    z = lithium_cell().impedance(2 * np.pi * sweep(), TRUTH)
    fitted = fit(
        measured(sweep(), Meter(rng, accuracy).impedance(z, 0.002)), lithium_cell(), accuracy=accuracy
    )
    cell = Polarised(Known(AREA * (1 + drawn(rng, 0.01)), 0.01 * AREA), 2, 298.15, Known(0.0))
    return from_impedance(fitted["R_ct"], cell), 2.0 * RT_F / (AREA * TRUTH["R_ct"])


def overpotentials(rng: Rng) -> tuple[Result, float]:
    """Five cycles of 20 mV with 0.2 mV between cycles; the meter regulates its own current."""
    meter, ohm = Meter(rng), 0.020 / SETPOINT
    promise = replace(
        header(), voltage_gain=METER.voltage_gain, voltage_offset=METER.voltage_offset,
        current_ranges=(CurrentRange(3, 1e-2, METER.current_gain, METER.current_offset),),
    )  # fmt: skip
    run = Recorded([promise])
    for cycle in range(1, 6):
        extra = 0.2e-3 * rng.standard_normal()
        for process, sign in ((Process.PLATE, -1.0), (Process.STRIP, 1.0)):
            true = (sign * SETPOINT - meter.i_offset) / (1 + meter.i_gain)
            v = meter.voltage(np.full(30, true * ohm + sign * extra), 2e-5)
            step = ConstantCurrent(sign * SETPOINT, (End(TimeReached(3600.0)),), process=process)
            run.step(step, np.linspace(120, 3600, 30).tolist(), v.tolist(), sign * SETPOINT, cycle=cycle)
    accumulator = Overpotentials()
    for record in run.end().records:
        accumulator.put(record)
    return quoted(accumulator.summary()), 0.020


EXPERIMENTS: dict[str, Repeat] = {
    "one cycle": one_cycle,
    "late cut-offs": late_cutoffs,
    "mean of cycles": mean_of_cycles,
    "reservoir": reservoir,
    "circuit fit": circuit,
    "conductivity by fit": blocking(by_fit=True),
    "conductivity by intercept": blocking(by_fit=False),
    "transference": bruce_vincent,
    "linear polarisation": linear,
    "Tafel": tafel_line,
    "Arrhenius": arrhenius,
    "Randles-Sevcik": randles,
    "nucleation": nucleation_dip,
    "Scharifker-Hills": instant_nuclei,
    "limiting current": limit_of_salt,
    "current step": current_step,
    "retention": kept,
    "stability window": window_of_stability,
    "titration": titration,
    "exchange current by impedance": exchange_by_impedance,
    "overpotential": overpotentials,
}


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.timeout(300)
def test_the_interval_holds_the_truth_in_ninety_to_ninety_nine_per_cent(name: str) -> None:
    held: Counter[str] = Counter()
    for seed in range(REPEATS):
        found = EXPERIMENTS[name](np.random.default_rng([seed, len(name)]))
        for result, truth in found if isinstance(found, list) else [found]:
            assert result.interval is not None
            held[result.name] += result.interval[0] <= truth <= result.interval[1]
    low, high = 0.90, 0.99
    if REPEATS < 200:
        low, high = float(stats.binom(REPEATS, 0.95).ppf(1e-4)) / REPEATS, 1.0
    for what, count in held.items():
        print(f"| {name} | {what} | {count / REPEATS:.1%} |")
        assert low <= count / REPEATS <= high, f"{what}: {count} of {REPEATS}"
