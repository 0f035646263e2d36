"""Impedance elements as Foster chains: sums of w/(1 + s tau), exact in time and in frequency.

Each function returns (tau, w): time constants in seconds, ascending or descending as they come, and
the weights. A chain's states obey dx/dt = (j - x)/tau, so a constant current is followed exactly
over any interval, and the same numbers give the impedance.
"""

from __future__ import annotations

import math
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Chain: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]

PER_DECADE: Final = 6
_TAIL: Final = 2e-4


def zarc(tau: float, exponent: float) -> Chain:
    """1/(1 + (s tau)^n): a resistance beside a constant-phase element, unit resistance.

    The distribution of relaxation times is Cole and Cole's (J. Chem. Phys. 9 (1941) 341) with the
    cumulative c(u) = 1/2 + atan(tanh(n u/2) cot((1-n) pi/2))/(pi n), u = ln(t/tau). Each cell of the
    logarithmic grid keeps its exact mass; the tails, 2e-4 each, sit in the end cells. At six cells
    a decade and n = 0.85 it is within 0.15 % of the resistance of the ideal element.
    """
    if exponent == 1.0:
        return np.array([tau]), np.array([1.0])
    slope = math.tan(exponent * math.pi / 2.0)  # cot((1 - n) pi/2)
    half = math.atanh(math.tan((0.5 - _TAIL) * math.pi * exponent) / slope) * 2.0 / exponent
    count = max(1, math.ceil(2.0 * half / math.log(10.0) * PER_DECADE))
    edges = np.linspace(-half, half, count + 1)
    below = 0.5 + np.arctan(np.tanh(exponent * edges / 2.0) * slope) / (math.pi * exponent)
    below[0], below[-1] = 0.0, 1.0
    centres = 0.5 * (edges[1:] + edges[:-1])
    return tau * np.exp(centres), np.diff(below)


def transmissive(tau: float, modes: int = 40) -> Chain:
    """tanh(sqrt(s tau))/sqrt(s tau): diffusion through a layer with a fixed far side; weights sum to 1.

    Modes at (2k-1)^2 pi^2/4; what the later ones would add is one fast lump.
    """
    odd = np.arange(1, 2 * modes, 2, dtype=np.float64)
    return _lumped(4.0 * tau / (odd * math.pi) ** 2, 8.0 / (odd * math.pi) ** 2, 1.0)


def reflective(tau: float, modes: int = 14, decades: float = 7.0) -> Chain:
    """coth(sqrt(s tau))/sqrt(s tau) - 1/(s tau): surface minus mean in a layer with a blocked far side.

    Weights sum to 1/3; the 1/(s tau) that is left out is the state of charge. Modes at k^2 pi^2: the
    first `modes` one by one, the next by groups of equal width in ln(tau) down to `decades` below tau,
    the rest one fast lump. Without the groups the lump of a slow layer is an arc in the spectrum.
    """
    last = round(10.0 ** (decades / 2.0) / math.pi)
    k = np.arange(1, last + 1, dtype=np.float64)
    weights = 2.0 / (k * math.pi) ** 2
    logarithms = -2.0 * np.log(k * math.pi)
    edges = np.append(np.arange(modes), _group_edges(modes, last))
    summed = np.add.reduceat(weights, edges)
    centres = np.add.reduceat(weights * logarithms, edges) / summed
    return _lumped(tau * np.exp(centres), summed, 1.0 / 3.0)


def _group_edges(first: int, last: int) -> NDArray[np.int64]:
    """Where groups of modes begin (from 0) that are PER_DECADE to a decade of time constants."""
    count = math.ceil(2.0 * math.log10((last + 0.5) / (first + 0.5)) * PER_DECADE)
    edges: NDArray[np.int64] = np.unique(
        np.geomspace(first + 0.5, last + 0.5, count + 1)[:-1].round()
    ).astype(np.int64)
    return edges


def _lumped(taus: NDArray[np.float64], weights: NDArray[np.float64], total: float) -> Chain:
    return np.append(taus, taus[-1] / 4.0), np.append(weights, total - float(weights.sum()))


def constant_phase(exponent: float, fastest: float, slowest: float) -> tuple[Chain, float, float]:
    """1/s^n between two time constants, as (chain, resistance left over, 1/capacitance left over).

    From s^-n = sin(n pi)/pi * integral of t^n/(1 + s t) dln(t): what is faster than the grid acts as
    a resistance, what is slower as a capacitor.
    """
    count = max(1, math.ceil(math.log10(slowest / fastest) * PER_DECADE))
    edges = np.linspace(math.log(fastest), math.log(slowest), count + 1)
    scale = math.sin(exponent * math.pi) / math.pi
    taus = np.exp(0.5 * (edges[1:] + edges[:-1]))
    weights = scale / exponent * np.diff(np.exp(exponent * edges))
    elastance = scale * slowest ** (exponent - 1.0) / (1.0 - exponent)
    return (taus, weights), scale * fastest**exponent / exponent, elastance
