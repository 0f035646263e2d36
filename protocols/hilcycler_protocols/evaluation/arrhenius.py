"""A11, activation energy of a resistance over temperature.

Two conventions are in use and differ by RT, some 2.5 kJ/mol: ln(1/R) against 1/T, and ln(T/R) against
1/T. The result says which, and gives the other. E_a is positive for a resistance that falls on heating.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilcycler.quantities import Kelvin
from hilcycler_protocols.evaluation.regression import Line, line
from hilcycler_protocols.evaluation.results import (
    ENERGY,
    GAS,
    KELVIN,
    EvaluationRefused,
    Flag,
    Refusal,
    Result,
    Window,
    with_budget,
)
from hilcycler_protocols.evaluation.uncertainty import within

Real = NDArray[np.float64]

SOURCE: Final = "Xu, J. Electrochem. Soc. 154 (2007) A162"
FEWEST: Final = 4
_COLDEST: Final = 173.0
_SAME: Final = 1.0


class Convention(StrEnum):
    """What is plotted against 1/T."""

    LN_G = "ln(1/R)"
    LN_TG = "ln(T/R)"


@dataclass(frozen=True, slots=True)
class Activation:
    """`energy` in the convention asked for, `other` in the other one; `r_squared` of the line."""

    energy: Result
    other: Result
    convention: Convention
    r_squared: float


def activation_energy(
    temperature: ArrayLike,
    resistance: ArrayLike,
    *,
    of: str,
    convention: Convention = Convention.LN_G,
    temperature_offset: Kelvin = 0.0,
) -> Activation:
    """E_a of the resistance named `of` (R_SEI, R_ct; not their sum) in the order in which it was measured.

    Refused: fewer than four temperatures, and temperatures that are no kelvin. `temperature_offset` is what all
    of them may be off by together: E_a changes by 0.7 % for each kelvin. Measured up and down, the two
    ways are compared and a difference beyond the scatter is flagged: the cell aged meanwhile.
    """
    t, r = np.asarray(temperature, dtype=np.float64), np.asarray(resistance, dtype=np.float64)
    if not (np.all(np.isfinite(r)) and np.all(r > 0.0) and np.all(np.isfinite(t))):
        raise EvaluationRefused(
            Refusal.NOT_FINITE, f"{of}: every temperature needs a positive, finite resistance"
        )
    if np.any(t < _COLDEST):
        raise EvaluationRefused(
            Refusal.OUTSIDE_VALIDITY, f"{float(t.min()):g} K: these temperatures look like degrees Celsius"
        )
    lines = {c: line(1.0 / t, _logarithm(c, t, r), f"{of} over 1/T", fewest=FEWEST) for c in Convention}
    flags = _doubts(t, lines[convention], _logarithm(convention, t, r))
    energies = {
        c: _energy(of, c, fitted, t, temperature_offset).flagged(*flags) for c, fitted in lines.items()
    }
    (other,) = (c for c in Convention if c is not convention)
    return Activation(energies[convention], energies[other], convention, lines[convention].r_squared)


def _logarithm(convention: Convention, t: Real, r: Real) -> Real:
    """Minus what is plotted: it rises with 1/T, by E_a/R."""
    match convention:
        case Convention.LN_G:
            return np.log(r)
        case Convention.LN_TG:
            return np.log(r / t)


def _energy(of: str, convention: Convention, fitted: Line, t: Real, offset: Kelvin) -> Result:
    energy = GAS * fitted.slope
    middle = float(1.0 / np.mean(1.0 / t))
    bare = Result(
        f"activation energy of {of}",
        energy,
        ENERGY,
        f"{convention} = ln A - E_a/(RT)",
        SOURCE,
        window=Window("temperature", float(t.min()), float(t.max()), KELVIN),
        inputs={
            "convention": convention,
            "temperatures": float(len(t)),
            "r2": fitted.r_squared,
            "ln A": -fitted.intercept,
        },
    )
    return with_budget(
        bare,
        [
            fitted.slope_cause("scatter about the line").scaled(GAS),
            within("offset of all temperatures", energy * 2.0 * offset / middle),
        ],
    )


def _doubts(t: Real, fitted: Line, logarithm: Real) -> list[Flag]:
    flags = []
    if fitted.slope < 0.0:
        flags.append(Flag("negative", "the resistance rises on heating: a sign slip, or not one process"))
    if fitted.r_squared < 0.98:
        flags.append(Flag("curved", f"r2 = {fitted.r_squared:.3f}: not one activated process"))
    ageing = _ageing(t, logarithm)
    if ageing is not None and abs(ageing[0]) > 2.0 * ageing[1]:
        flags.append(
            Flag(
                "aged",
                f"measured again at the same temperature the resistance differs by {math.expm1(ageing[0]):+.1%}",
            )
        )
    return flags


def _ageing(t: Real, logarithm: Real) -> tuple[float, float] | None:
    """Mean change of ln R between two visits to the same temperature, and its uncertainty."""
    changes = [
        float(logarithm[later] - logarithm[earlier])
        for earlier in range(len(t))
        for later in range(earlier + 1, len(t))
        if abs(t[later] - t[earlier]) < _SAME
    ]
    if len(changes) < 2:
        return None
    return float(np.mean(changes)), float(np.std(changes, ddof=1) / math.sqrt(len(changes))) + 1e-9


def warming(energy: float, temperature: Kelvin) -> float:
    """Relative change of a resistance for each kelvin: 55 kJ/mol is 7 % at room temperature."""
    return energy / (GAS * temperature**2)
