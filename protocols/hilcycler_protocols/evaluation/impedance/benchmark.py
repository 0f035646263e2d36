"""How fast the impedance core is, on spectra whose truth is known: the figures of `cycler bench eis`."""

from __future__ import annotations

import math
import resource
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hilcycler.clock import process_time
from hilcycler.quantities import Second
from hilcycler_protocols.evaluation.impedance.circuits import Circuit, lithium_cell
from hilcycler_protocols.evaluation.impedance.fitting import fit
from hilcycler_protocols.evaluation.impedance.kramers_kronig import KramersKronig, lin_kk
from hilcycler_protocols.evaluation.impedance.relaxation_times import drt
from hilcycler_protocols.evaluation.impedance.reporting import CircuitFit
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


def least_possible_errors(
    frequency: NDArray[np.float64] | None = None, noise: float = NOISE
) -> dict[str, float]:
    """The Cramér-Rao bound: no unbiased fit of these spectra is better than this, by parameter, relative.

    The inverse of J Jᵀ / noise², with J the slopes of Z/|Z| by the coordinates at the truth. That the
    noise itself follows |Z| adds information of the order of noise², which is left out.
    """
    f = sweep() if frequency is None else frequency
    x = np.array([p.coordinate(TRUTH[p.name]) for p in CIRCUIT.parameters])
    z, slopes = CIRCUIT.evaluate(2.0 * np.pi * f, x)
    jacobian = (slopes / np.abs(z)).view(np.float64)
    deviation = noise * np.sqrt(np.diagonal(np.linalg.inv(jacobian @ jacobian.T)))
    return {
        p.name: float(sigma) / (1.0 if p.logarithmic else TRUTH[p.name])
        for p, sigma in zip(CIRCUIT.parameters, deviation, strict=True)
    }


def recovery(fits: Sequence[CircuitFit]) -> list[dict[str, Any]]:
    """How near the fits come to the truth, and how near they can: one row a parameter, in per cent.

    `within 1 %` is the share of the spectra; `can be` what it is for the best unbiased fit there is.
    """
    rows = []
    for name, bound in least_possible_errors().items():
        errors = np.array([f[name].value / TRUTH[name] - 1.0 for f in fits])
        rows.append(
            {
                "what": name,
                "spectra": len(fits),
                "Cramer-Rao %": round(100.0 * bound, 3),
                "rms error %": round(100.0 * float(np.sqrt(np.mean(errors**2))), 3),
                "worst %": round(100.0 * float(np.abs(errors).max()), 2),
                "within 1 %": round(100.0 * float(np.mean(np.abs(errors) < 0.01)), 1),
                "can be": round(100.0 * math.erf(0.01 / (math.sqrt(2.0) * bound)), 1),
            }
        )
    return rows


def _timed(work: Callable[[], object]) -> tuple[Second, Second]:
    """How long `work` takes, by the clock and of the processor: the second does not mind a busy machine."""
    began, used = process_time(), sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    work()
    return process_time() - began, sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) - used


def eis(*, full: bool) -> list[dict[str, Any]]:
    """Impedance: fit, Lin-KK and DRT of two-arc Warburg spectra of 60 points (1000; short: 100).

    Below: how near each parameter comes to the truth, beside the least error that is possible.
    """
    spectra = [noisy_spectrum(seed) for seed in range(1000 if full else 100)]
    drt(spectra[0], lin_kk(spectra[0]))  # imports are not what is measured
    fit(spectra[0], CIRCUIT)
    fits: list[CircuitFit] = []
    tests: list[KramersKronig] = []
    timed = {
        "circuit fit": (_timed(lambda: fits.extend(fit(spectrum, CIRCUIT) for spectrum in spectra)), 10),
        "Lin-KK": (_timed(lambda: tests.extend(map(lin_kk, spectra))), 10),
        "DRT": (
            _timed(lambda: [drt(s, test) for s, test in zip(spectra, tests, strict=True) if test.accepted]),
            None,
        ),
    }
    each = 1e3 / len(spectra)
    quality = recovery(fits)
    rows = [
        {"what": what, "spectra": len(spectra), "ms each": round(wall * each, 2), "CPU ms": round(cpu * each, 2),
         "promised": promised}
        for what, ((wall, cpu), promised) in timed.items()
    ] + quality  # fmt: skip
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name) for name in names} for row in rows]
