"""Open-circuit voltages against lithium, as functions of the lithium fraction of the host.

Beyond the fractions that a curve is stated for it goes on as a steep straight line, so that a
surface that runs full or empty meets any cut-off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from hilcycler_simulators.cells.bank import Floats

_WALL: Final = 40.0  # V per unit of lithium fraction


@dataclass(frozen=True, slots=True)
class Curve:
    """One material: its voltage between two lithium fractions, and where the curve is from."""

    between: tuple[float, float]
    inside: Callable[[Floats], Floats]
    source: str

    def __call__(self, fraction: Floats) -> Floats:
        """Volt against Li/Li+."""
        within = np.minimum(np.maximum(fraction, self.between[0]), self.between[1])
        volts: Floats = self.inside(within) + _WALL * (within - fraction)
        return volts


def _lfp(x: Floats) -> Floats:
    return np.asarray(3.4077 - 0.020269 * x + 0.5 * np.exp(-150.0 * x) - 0.9 * np.exp(-30.0 * (1.0 - x)))


def _ncm811(x: Floats) -> Floats:
    body = -0.8090 * x + 4.4875 - 0.0428 * np.tanh(18.5138 * (x - 0.5542))
    body = body - 17.7326 * np.tanh(15.7890 * (x - 0.3117)) + 17.5842 * np.tanh(15.9308 * (x - 0.3120))
    return np.asarray(body - _full(x))


def _ncm523(x: Floats) -> Floats:
    body = 4.3452 - 1.6518 * x + 1.6225 * x**2 - 2.0843 * x**3 + 3.5146 * x**4 - 2.2166 * x**5
    return np.asarray(body - 0.5623e-4 * np.exp(109.451 * x - 100.006))


def _lco(x: Floats) -> Floats:
    s = 1.062 * x
    body = 2.16216 + 0.07645 * np.tanh(30.834 - 54.4806 * s) + 2.1581 * np.tanh(52.294 - 50.294 * s)
    body = body - 0.14169 * np.tanh(11.0923 - 19.8543 * s) + 0.2051 * np.tanh(1.4684 - 5.4888 * s)
    return np.asarray(
        body + 0.2531 * np.tanh((0.56478 - s) / 0.1316) - 0.02167 * np.tanh((s - 0.525) / 0.006)
    )


def _full(x: Floats) -> Floats:
    """The knee of a host that runs full, which fits over a narrower range leave out; ours."""
    return np.asarray(0.8 * np.exp(-40.0 * (1.0 - x)))


CURVES: Final = {
    "LFP": Curve((0.0, 1.0), _lfp, "Afshar et al. 2017, as in PyBaMM's LFP inputs"),
    "NCM811": Curve(
        (0.18, 1.0), _ncm811, "Chen et al., J. Electrochem. Soc. 167 (2020) 080534; end knee ours"
    ),
    "NCM523": Curve((0.02, 0.9146), _ncm523, "Mohtat et al. 2020 / Xu et al. 2019 (NCM532), as in PyBaMM"),
    "LCO": Curve((0.25, 0.99), _lco, "Dualfoil, as in Marquis et al. 2019; below 0.4 carried on"),
}
