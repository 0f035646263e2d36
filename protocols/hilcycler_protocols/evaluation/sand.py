"""A16, limiting current and Sand's time.

    j_lim = 2 F D_eff c_0 / (L (1 - t+))          tau = pi D (F c_0 / (2 j (1 - t+)))^2

Sand's time exists above the limiting current only: below it the salt never runs out. A coin-cell
separator of 25 um has a limiting current of some 50 mA/cm2, so at 1 to 10 mA/cm2 there is none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from hilcycler.quantities import AmperePerSquareMetre
from hilcycler_protocols.evaluation.results import (
    AREAL_CURRENT,
    FARADAY,
    SECOND,
    EvaluationRefused,
    Refusal,
    Result,
    required,
    with_budget,
)
from hilcycler_protocols.evaluation.uncertainty import Known, propagated, stated

SOURCE: Final = "Bai et al., Energy Environ. Sci. 9 (2016) 3221"


@dataclass(frozen=True, slots=True)
class Electrolyte:
    """`diffusion` of the salt (m2/s), `concentration` (mol/m3), cation `transference`."""

    diffusion: Known
    concentration: Known
    transference: Known

    def __post_init__(self) -> None:
        required(self.diffusion.value, "a diffusion coefficient")
        required(self.concentration.value, "a concentration")
        if not 0.0 <= self.transference.value < 1.0:
            raise EvaluationRefused(
                Refusal.IMPOSSIBLE_VALUE,
                f"t+ = {self.transference.value:g}: nothing depletes unless 0 <= t+ < 1",
            )


@dataclass(frozen=True, slots=True)
class Gap:
    """Between the electrodes: `thickness` (m), and porosity over tortuosity, 1 for free electrolyte."""

    thickness: Known
    obstruction: Known


def limiting_current(electrolyte: Electrolyte, gap: Gap) -> Result:
    """The current density that empties the salt at the plating electrode at steady state."""
    e = electrolyte

    def j(d: float, c: float, t: float, length: float, share: float) -> float:
        return 2.0 * FARADAY * d * share * c / (length * (1.0 - t))

    values = (
        e.diffusion.value, e.concentration.value, e.transference.value,
        required(gap.thickness.value, "a thickness"), required(gap.obstruction.value, "porosity over tortuosity"),
    )  # fmt: skip
    bare = Result(
        "limiting current density", j(*values), AREAL_CURRENT, "2 F D_eff c_0/(L (1 - t+))", SOURCE,
        inputs=dict(zip(("D", "c_0", "t+", "L", "eps/tau"), values, strict=True)),
    )  # fmt: skip
    causes = propagated(
        j, stated("diffusion coefficient", e.diffusion), stated("concentration", e.concentration),
        stated("transference number", e.transference), stated("thickness", gap.thickness),
        stated("obstruction", gap.obstruction),
    )  # fmt: skip
    return with_budget(bare, causes)


def sand_time(current_density: AmperePerSquareMetre, electrolyte: Electrolyte, gap: Gap) -> Result:
    """When the salt at the electrode runs out; refused at and below the limiting current.

    In a porous separator the effective diffusion coefficient counts.
    """
    j = required(abs(current_density), "a current density")
    limit = limiting_current(electrolyte, gap)
    if not j > limit.value:
        raise EvaluationRefused(
            Refusal.OUTSIDE_VALIDITY,
            f"{j / 10:.3g} mA/cm2 is below the limiting {limit.value / 10:.3g} mA/cm2: the salt never runs out "
            "and Sand's time does not apply",
        )
    e = electrolyte

    def tau(d: float, c: float, t: float, share: float) -> float:
        return sand_formula(j, d * share, c, t)

    values = (e.diffusion.value, e.concentration.value, e.transference.value, gap.obstruction.value)
    bare = Result(
        "Sand's time", tau(*values), SECOND, "pi D (F c_0/(2 j (1 - t+)))^2", SOURCE,
        inputs={**dict(zip(("D", "c_0", "t+", "eps/tau"), values, strict=True)), "j": j, "j_lim": limit.value},
    )  # fmt: skip
    causes = propagated(
        tau, stated("diffusion coefficient", e.diffusion), stated("concentration", e.concentration),
        stated("transference number", e.transference), stated("obstruction", gap.obstruction),
    )  # fmt: skip
    return with_budget(bare, causes)


def sand_formula(
    j: AmperePerSquareMetre, diffusion: float, concentration: float, transference: float
) -> float:
    """The equation alone, valid above the limiting current only."""
    return math.pi * diffusion * (FARADAY * concentration / (2.0 * j * (1.0 - transference))) ** 2
