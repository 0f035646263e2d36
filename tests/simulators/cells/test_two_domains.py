"""Acceptance 1: a sine through the time domain gives the impedance, for every kind of cell.

The current is a staircase of many steps a period, committed one by one; its own Fourier coefficient
and that of the voltage, integrated by Gauss within each step, are those of the last period. Relaxed
state: a quarter of an hour of current into the middle of the curve, then 40 h of rest.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hilcycler_simulators.cells.wiener import WienerCell

Make = Callable[..., WienerCell]

PEAK = 2e-3  # V
NODES, WEIGHTS = np.polynomial.legendre.leggauss(3)
FREQUENCIES = (*np.logspace(-2, np.log10(2e5), 15), 8e3)  # 10 mHz to 200 kHz, and the top of the SEI's arc


def relaxed(cell: WienerCell) -> None:
    area = cell.label.area
    assert area is not None
    material = cell.label.working.material
    if material == "SS":
        return
    sign = {"Cu": -1.0, "S": -1.0}.get(material, 1.0)
    for _ in range(1 if material != "Cu" else 4):
        cell.galvanostatic(sign * 8.0 * area, np.empty(0)).commit(900.0)
    cell.galvanostatic(0.0, np.empty(0)).commit(40 * 3600.0)


def driven(cell: WienerCell, frequency: float, periods: int, steps: int) -> complex:
    """The impedance over all but the first two of `periods`, each of `steps` held currents.

    A Hann window takes out what is left of the beginning.
    """
    amplitude = PEAK / abs(cell.impedance(np.array([frequency]))[0])
    step = 1.0 / frequency / steps
    inside = 0.5 * step * (NODES + 1.0)
    voltage, current, total = 0j, 0j, periods * steps
    for number in range(total):
        held = amplitude * np.sin(2.0 * np.pi * (number + 0.5) / steps)
        course = cell.galvanostatic(held, inside)
        share = (number + 0.5 * (NODES + 1.0) - 2 * steps) / (total - 2 * steps)
        if number >= 2 * steps:
            turn = np.exp(-2j * np.pi * frequency * (number * step + inside)) * np.sin(np.pi * share) ** 2
            voltage += (course.voltage * turn) @ WEIGHTS
            current += held * (turn @ WEIGHTS)
        course.commit(step)
    return complex(voltage / current)


def test_a_sine_in_time_gives_the_impedance(kind: WienerCell) -> None:
    relaxed(kind)
    slow = kind.label.counter.material != kind.label.working.material == "SS"  # marched at every step
    still = kind.galvanostatic(0.0, np.array([1.0])).voltage[0]
    for frequency in FREQUENCIES:
        expected = kind.impedance(np.array([frequency]))[0]
        found = driven(kind, frequency, 6, 8 if slow else 24)
        assert abs(found - expected) <= 0.005 * abs(expected), f"{frequency} Hz: {found} for {expected}"
    assert abs(kind.galvanostatic(0.0, np.array([1e3])).voltage[0] - still) < 0.005


def test_a_short_lies_beside_the_cell_in_both(symmetric: Make) -> None:
    short = """
[life.soft_short]
onset = "1 s"
wait = "2 s"
lasts = "100000 h"
resistance = "20 ohm cm2"
spread = 0.0
"""
    cell, sound = symmetric(more=short), symmetric()
    for each in (cell, sound):
        each.galvanostatic(1e-3, np.empty(0)).commit(3600.0)
        each.galvanostatic(0.0, np.empty(0)).commit(36000.0)
    assert cell.truth["short_S_m2"] == pytest.approx(500.0)
    frequency = np.array([10.0])
    beside = 1.0 / (1.0 / sound.impedance(frequency)[0] + 1.0 / 20.0)  # 20 ohm on 1 cm2
    assert cell.impedance(frequency)[0] == pytest.approx(beside, rel=1e-6)
    assert driven(cell, 10.0, 5, 12) == pytest.approx(beside, rel=0.005)
