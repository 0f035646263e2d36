"""Kramers-Kronig and the distribution of relaxation times."""

from __future__ import annotations

import numpy as np
import pytest

from hilcycler_protocols.evaluation.impedance import (
    Arc,
    FiniteSpace,
    Resistor,
    blocking_cell,
    drt,
    lin_kk,
    lithium_cell,
    measured,
)
from hilcycler_protocols.evaluation.impedance.benchmark import CIRCUIT, TRUTH, noisy_spectrum, sweep
from hilcycler_protocols.evaluation.impedance.spectra import Spectrum
from hilcycler_protocols.evaluation.results import EvaluationRefused, Refusal


def drifting(seed: int, drift: float, noise: float, *, repeat: bool = False) -> Spectrum:
    """R_ct grows by `drift` while the sweep goes on, three periods a point."""
    f = sweep()
    elapsed = np.cumsum(3.0 / f)
    z = np.array(
        [
            CIRCUIT.impedance(2.0 * np.pi * f[[k]], {**TRUTH, "R_ct": TRUTH["R_ct"] * (1.0 + drift * share)})[
                0
            ]
            for k, share in enumerate(elapsed / elapsed[-1])
        ]
    )
    rng = np.random.default_rng(seed)
    z = z + noise * np.abs(z) * (rng.standard_normal(60) + 1j * rng.standard_normal(60))
    return measured([*f, f[0]], [*z, z[0]]) if repeat else measured(f, z)


def test_a_stationary_cell_passes_and_the_residual_is_the_noise() -> None:
    for noise in (0.0005, 0.002, 0.005):
        results = [lin_kk(noisy_spectrum(seed, noise=noise)) for seed in range(20)]
        assert sum(r.accepted for r in results) >= 19
        assert np.mean([r.rms for r in results]) == pytest.approx(noise * np.sqrt(2.0), rel=0.25)


TAILS = {
    "blocking": (blocking_cell(), {"R_b": 2.2, "Q_dl": 2e-5, "n_dl": 0.93}),
    "finite space": (
        lithium_cell(FiniteSpace("D")),
        {k: v for k, v in TRUTH.items() if k != "sigma_D"} | {"R_D": 20.0, "tau_D": 30.0},
    ),
    "small arcs on a large tail": (CIRCUIT, {**TRUTH, "R_SEI": 3.0, "R_ct": 6.0, "sigma_D": 60.0}),
    "one arc": (Resistor("b") + Arc("ct"), {"R_b": 0.5, "R_ct": 200.0, "tau_ct": 1e-4, "n_ct": 0.8}),
}


@pytest.mark.parametrize("name", TAILS)
@pytest.mark.parametrize("band", [(1e6, 1e-2), (1e5, 1.0), (2e5, 0.1)], ids=str)
def test_cells_of_every_kind_pass_over_every_band(name: str, band: tuple[float, float]) -> None:
    """Trap: with few elements mu is low because the fit is bad, and a sound spectrum is thrown away."""
    circuit, truth = TAILS[name]
    points = round(10 * np.log10(band[0] / band[1])) + 1
    for seed, noise in enumerate((0.0005, 0.002, 0.005)):
        result = lin_kk(noisy_spectrum(seed, sweep(*band, points), circuit=circuit, truth=truth, noise=noise))
        assert result.accepted, f"{noise}: {[flag.text for flag in result.flags]}"
        assert result.rms < 2.5 * noise


def test_a_fixed_limit_is_blind_to_drift_and_the_slow_end_is_not() -> None:
    """Trap: R_ct drifts by half during the sweep, and the residual stays below 1 %."""
    for seed in range(10):
        result = lin_kk(drifting(seed, 0.5, 0.002))
        assert result.rms < 0.01
        assert result.has("kk-drift")
        assert result.rms_slow > 2.0 * result.rms_fast


def test_drift_under_the_noise_is_seen_by_the_repeated_first_point_only() -> None:
    """Trap: with 0.5 % noise 10 % drift leaves no trace in the residuals."""
    spectrum = drifting(1, 0.1, 0.005)
    assert lin_kk(spectrum).accepted
    f, z = list(spectrum.frequency), list(spectrum.impedance)
    repeated = measured([*f, f[0]], [*z, z[0] * 1.02])
    assert lin_kk(repeated).has("drift")


def test_mu_and_the_number_of_elements_are_schoenlebers() -> None:
    result = lin_kk(noisy_spectrum(0))
    assert 0.0 < result.mu <= 0.85
    assert 15 <= result.elements <= 40


def test_inductance_and_a_blocking_tail_are_no_violation() -> None:
    truth = {"L_lead": 1e-6, "R_b": 2.0, "Q_dl": 1e-5, "n_dl": 0.95}
    assert (
        lin_kk(noisy_spectrum(0, circuit=blocking_cell(inductance=True), truth=truth, noise=0.001)).rms < 0.01
    )


def test_few_points_are_refused() -> None:
    with pytest.raises(EvaluationRefused) as refused:
        lin_kk(noisy_spectrum(0, sweep(points=5)))
    assert refused.value.reason is Refusal.TOO_LITTLE_DATA


TWO_ARCS = Resistor("b") + Arc("SEI") + Arc("ct")
CELL = {"R_b": 5.0, "R_SEI": 30.0, "tau_SEI": 2e-5, "n_SEI": 0.9, "R_ct": 60.0, "tau_ct": 5e-3, "n_ct": 0.9}


def test_drt_shows_two_arcs_as_two_peaks_with_their_resistances() -> None:
    spectrum = noisy_spectrum(0, circuit=TWO_ARCS, truth=CELL, noise=0.002)
    result = drt(spectrum, lin_kk(spectrum))
    assert result.smoothing in {float(f.text.split("=")[1]) for f in result.flags if f.code == "smoothing"}
    assert result.series_resistance == pytest.approx(5.0, rel=0.05)
    assert len(result.peaks) == 2
    for peak, (r, tau) in zip(result.peaks, [(30.0, 2e-5), (60.0, 5e-3)], strict=True):
        assert peak.resistance == pytest.approx(r, rel=0.05)
        assert peak.tau == pytest.approx(tau, rel=0.3)
    assert np.all(result.gamma >= 0.0)


def test_drt_refuses_a_cell_that_drifted_and_a_blocking_tail() -> None:
    spectrum = drifting(0, 0.5, 0.002)
    with pytest.raises(EvaluationRefused, match="Kramers-Kronig"):
        drt(spectrum, lin_kk(spectrum))
    tail = noisy_spectrum(
        0, circuit=blocking_cell(), truth={"R_b": 2.0, "Q_dl": 1e-5, "n_dl": 0.95}, noise=0.001
    )
    with pytest.raises(EvaluationRefused, match="blocking"):
        drt(tail, lin_kk(tail))


def test_drt_says_where_diffusion_leaves_the_slow_end_open() -> None:
    spectrum = noisy_spectrum(0)
    assert any(f.code == "open-end" for f in drt(spectrum, lin_kk(spectrum)).flags)
