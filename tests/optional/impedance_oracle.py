"""Our circuit fit beside impedance.py's, on the same spectra, in the same process.

impedance.py is a judge here and never a dependency, so it lives in an environment of its own:

    python3 -m venv /tmp/oracle && /tmp/oracle/bin/pip install impedance==1.7.1 pandas
    PYTHONPATH=cycler:protocols /tmp/oracle/bin/python tests/optional/impedance_oracle.py [SPECTRA]

Prints seconds, errors and the ratio. impedance.py is given the guess it needs (each parameter off by
up to two thirds, as a person would guess); ours gets none.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
from impedance.models.circuits import CustomCircuit
from numpy.typing import NDArray

from hilcycler_protocols.evaluation.impedance import Spectrum, fit
from hilcycler_protocols.evaluation.impedance.benchmark import CIRCUIT, noisy_spectrum

THEIR_CIRCUIT = "R0-p(R1,CPE1)-p(R2,CPE2)-W1"
THEIR_TRUTH = np.array([5.0, 30.0, 2e-6, 0.9, 60.0, 2e-4, 0.85, 8.0])
NAMES = ("R_b", "R_SEI", "Q_SEI", "n_SEI", "R_ct", "Q_ct", "n_ct", "sigma_D")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    spectra = [noisy_spectrum(seed) for seed in range(count)]
    fit(spectra[0], CIRCUIT)
    began = time.perf_counter()
    fits = [fit(s, CIRCUIT) for s in spectra]
    our_time = time.perf_counter() - began
    ours = np.array([[fitted[name].value for name in NAMES] for fitted in fits])
    print(f"ours: {our_time / count * 1e3:.1f} ms a fit, {our_time:.2f} s for {count}")
    for label, weighted in (("default", False), ("modulus weighting", True)):
        began = time.perf_counter()
        theirs = np.array([their_fit(s, seed, weighted=weighted) for seed, s in enumerate(spectra)])
        seconds = time.perf_counter() - began
        print(
            f"impedance.py, {label}: {seconds / count * 1e3:.0f} ms a fit, {seconds:.1f} s for {count}; "
            f"ratio {seconds / our_time:.0f}"
        )
        print_errors("theirs", theirs)
        apart = np.abs(theirs / ours - 1.0)
        print(f"  largest difference from ours: {apart.max():.2e} (median {np.median(apart):.1e})")
    print_errors("ours", ours)


def their_fit(spectrum: Spectrum, seed: int, *, weighted: bool) -> NDArray[np.float64]:
    rng = np.random.default_rng(1000 + seed)
    guess = THEIR_TRUTH * np.exp(rng.uniform(np.log(0.6), np.log(1.67), len(THEIR_TRUTH)))
    guess[[3, 6]] = rng.uniform(0.75, 0.95, 2)
    circuit = CustomCircuit(THEIR_CIRCUIT, initial_guess=list(guess))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        circuit.fit(spectrum.frequency, spectrum.impedance, weight_by_modulus=weighted)
    found = np.array(circuit.parameters_)
    if found[1] * found[2] > found[4] * found[5]:  # its arcs may come back swapped
        found[[1, 2, 3, 4, 5, 6]] = found[[4, 5, 6, 1, 2, 3]]
    return found


def print_errors(whose: str, found: NDArray[np.float64]) -> None:
    rms = np.sqrt(np.mean((found / THEIR_TRUTH - 1.0) ** 2, axis=0)) * 100.0
    print(f"  {whose}, rms error in %: " + ", ".join(f"{n} {e:.2f}" for n, e in zip(NAMES, rms, strict=True)))


if __name__ == "__main__":
    main()
