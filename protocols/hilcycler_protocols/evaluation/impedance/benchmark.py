"""How fast the impedance core is, on spectra whose truth is known: the figures of `cycler bench eis`."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hilcycler.clock import process_time
from hilcycler_protocols.evaluation.impedance.circuits import Circuit, lithium_cell
from hilcycler_protocols.evaluation.impedance.fitting import fit
from hilcycler_protocols.evaluation.impedance.kramers_kronig import lin_kk
from hilcycler_protocols.evaluation.impedance.relaxation_times import drt
from hilcycler_protocols.evaluation.impedance.spectra import Spectrum, measured

CIRCUIT: Final = lithium_cell()
TRUTH: Final = {
    "R_b": 5.0,
    "R_SEI": 30.0,
    "tau_SEI": (30.0 * 2e-6) ** (1 / 0.9),
    "n_SEI": 0.9,
    "R_ct": 60.0,
    "tau_ct": (60.0 * 2e-4) ** (1 / 0.85),
    "n_ct": 0.85,
    "sigma_D": 8.0,
}
NOISE: Final = 0.005


def sweep(highest: float = 1e6, lowest: float = 1e-2, points: int = 60) -> NDArray[np.float64]:
    """Frequencies of a usual spectrum, highest first."""
    return np.geomspace(highest, lowest, points)


def noisy_spectrum(
    seed: int,
    frequency: NDArray[np.float64] | None = None,
    *,
    circuit: Circuit = CIRCUIT,
    truth: dict[str, float] | None = None,
    noise: float = NOISE,
) -> Spectrum:
    """The impedance of `circuit`, with normal noise of `noise` times its modulus on both parts."""
    f = sweep() if frequency is None else frequency
    z = circuit.impedance(2.0 * np.pi * f, TRUTH if truth is None else truth)
    rng = np.random.default_rng(seed)
    return measured(
        f, z + noise * np.abs(z) * (rng.standard_normal(len(f)) + 1j * rng.standard_normal(len(f)))
    )


def eis(*, full: bool) -> list[dict[str, Any]]:
    """Impedance: fit, Lin-KK and DRT of two-arc Warburg spectra of 60 points (1000; short: 100)."""
    spectra = [noisy_spectrum(seed) for seed in range(1000 if full else 100)]
    drt(spectra[0], lin_kk(spectra[0]))  # imports are not what is measured
    fit(spectra[0], CIRCUIT)
    began = process_time()
    fits = [fit(spectrum, CIRCUIT) for spectrum in spectra]
    fitted = process_time()
    tests = [lin_kk(spectrum) for spectrum in spectra]
    tested = process_time()
    for spectrum, test in zip(spectra, tests, strict=True):
        if test.accepted:
            drt(spectrum, test)
    done = process_time()
    names = [name for name in TRUTH if name.startswith("R_")]
    worst = max(abs(f[name].value / TRUTH[name] - 1.0) for f in fits for name in names)
    each = 1e3 / len(spectra)
    return [
        {"what": "circuit fit", "spectra": len(spectra), "ms each": round((fitted - began) * each, 2), "promised ms": 10,
         "worst resistance %": round(100.0 * worst, 2)},
        {"what": "Lin-KK", "spectra": len(spectra), "ms each": round((tested - fitted) * each, 2), "promised ms": 10},
        {"what": "DRT", "spectra": len(spectra), "ms each": round((done - tested) * each, 2)},
    ]  # fmt: skip
