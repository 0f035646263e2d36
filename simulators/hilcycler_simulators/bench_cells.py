"""What the simulated cells promise about speed: `cycler bench cells`.

One process, no instrument, every sample computed. Processor time, the best of some repeats: what is
left of a neighbour's work then are the caches that it empties.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from hilcycler.clock import process_time
from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.cells.procedures import cycle_full
from hilcycler_simulators.cells.wiener import WienerCell

_HOUR: Final = 3600.0
_SAMPLING: Final = 10.0
_REPEATS: Final = 5
_CYCLES: Final = 100


def cells(*, full: bool) -> list[dict[str, Any]]:
    """Simulated cells alone: hours a second of Li||Li cycling, full cells, spectra, sweeps."""
    hours = 6300 if full else 1260
    spectra = 1000 if full else 200
    return [
        _row(_hours(hours, 1, 1), "10 s, Li||Li 1 mA/cm2, 1 mAh/cm2", "simulated h/s", "at least 10000"),
        _row(_hours(hours, 5, 5), "10 s, Li||Li 5 mA/cm2, 5 mAh/cm2", "simulated h/s", "at least 10000"),
        _row(_hours(hours, 5, 1), "10 s, Li||Li 5 mA/cm2, 1 mAh/cm2", "simulated h/s"),
        _row(_best(_sampled), f"10 s, Li||NCM811, {_CYCLES} cycles at 1 C", "s", "at most 0.5"),
        _row(_best(_cut_offs), f"cut-offs only, Li||NCM811, {_CYCLES} cycles at 1 C", "s"),
        _row(1e3 * _best(lambda: _spectra(spectra)) / spectra, "60 points, spectrum", "ms", "at most 1"),
        _row(_best(_sweep), "1 mV, sweep of 400 mV", "s"),
        _row(_best(_polarisation), "1 s, 10 mV for 1500 s", "s"),
    ]


def _row(value: float, what: str, unit: str, promised: str = "") -> dict[str, Any]:
    sampling, _, run = what.partition(", ")
    return {
        "run": run,
        "sampled": sampling,
        "measured": float(f"{value:.3g}"),
        "unit": unit,
        "promised": promised,
    }


def _best(run: Callable[[], object]) -> float:
    """Seconds of processor time."""
    found = []
    for _ in range(_REPEATS):
        began = process_time()
        run()
        found.append(process_time() - began)
    return min(found)


def _hours(hours: int, density: int, charge: int) -> float:
    """Simulated hours a second: half-cycles of `charge` mAh/cm2 at `density` mA/cm2."""
    half = charge / density

    def cycle() -> None:
        cell = catalogue.make("li-li/bn-pp", 1)
        current, seconds = 10.0 * density * _area(cell), half * _HOUR
        times = np.arange(_SAMPLING, seconds + _SAMPLING / 2, _SAMPLING)
        for number in range(round(hours / half)):
            cell.galvanostatic(-current if number % 2 == 0 else current, times).commit(seconds)

    return hours / _best(cycle)


def _area(cell: WienerCell) -> float:
    area = cell.label.area
    assert area is not None
    return area


def _sampled() -> None:
    """Full cycles between cut-offs, found to the instant."""
    cell = catalogue.make("li-ncm811/wn-mo2n", 1)
    nominal = cell.label.nominal_capacity
    assert nominal is not None
    current = nominal / _HOUR
    for _ in range(_CYCLES):
        for signed, limit in ((current, 4.3), (-current, 2.8)):
            seconds = cell.crossing(signed, limit, 2.0 * _HOUR)
            assert seconds is not None
            cell.galvanostatic(signed, np.arange(_SAMPLING, seconds, _SAMPLING)).commit(seconds)


def _cut_offs() -> None:
    cycle_full(catalogue.make("li-ncm811/wn-mo2n", 1), (2.8, 4.3), [1.0] * _CYCLES)


def _spectra(count: int) -> None:
    cell = catalogue.make("li-li/bn-pp", 1)
    frequencies = np.logspace(6, -2, 60)
    for _ in range(count):
        cell.impedance(frequencies)


def _sweep() -> None:
    volts = np.arange(-0.2, 0.2, 0.001)
    catalogue.make("li-li/bn-pp", 1).potentiostatic(volts, np.arange(1.0, len(volts) + 0.5))


def _polarisation() -> None:
    catalogue.make("li-li/bn-pp", 1).potentiostatic(np.full(1500, 0.01), np.arange(1.0, 1500.5))
