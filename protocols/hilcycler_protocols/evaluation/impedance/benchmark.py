"""How fast the impedance core is, on spectra whose truth is known: the figures of `cycler bench eis`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds for each spectrum, and the largest relative error of any resistance in any of them."""

    spectra: int
    fit: float
    lin_kk: float
    drt: float
    worst_resistance: float


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


def benchmark(now: Callable[[], float], spectra: int = 100) -> Figures:
    """Fit, test and transform `spectra` two-arc spectra of 60 points; `now` reads a clock in seconds."""
    cases = [noisy_spectrum(seed) for seed in range(spectra)]
    drt(cases[0], lin_kk(cases[0]))  # imports are not what is measured
    fit(cases[0], CIRCUIT)
    start = now()
    fits = [fit(case, CIRCUIT) for case in cases]
    fitted = now()
    tests = [lin_kk(case) for case in cases]
    tested = now()
    for case, test in zip(cases, tests, strict=True):
        drt(case, test)
    done = now()
    resistances = [name for name in TRUTH if name.startswith("R_")]
    worst = max(abs(f[name].value / TRUTH[name] - 1.0) for f in fits for name in resistances)
    return Figures(
        spectra, (fitted - start) / spectra, (tested - fitted) / spectra, (done - tested) / spectra, worst
    )
