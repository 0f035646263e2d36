"""A8, ionic conductivity from a blocking cell: sigma = L / ((R - R_leads) S).

An effective one: of electrolyte in a separator of thickness L between electrodes of area S. The
area is that of the blocking discs, which are not the lithium discs, and a coating is part of L. At 25 um
the bulk resistance is an ohm or two, the size of a cable: leads must be measured and taken off.

The bulk resistance is R_b of `fit(spectrum, blocking_cell())`, or `high_frequency_intercept`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from hilcycler_protocols.evaluation.impedance.spectra import Spectrum
from hilcycler_protocols.evaluation.regression import line
from hilcycler_protocols.evaluation.results import (
    CONDUCTIVITY,
    HERTZ,
    OHM,
    RATIO,
    EvaluationRefused,
    Flag,
    Refusal,
    Result,
    Window,
    in_unit,
    required,
    required_known,
    with_budget,
)
from hilcycler_protocols.evaluation.uncertainty import Known, propagated, stated

SOURCE: Final = "Landesfeind et al., J. Electrochem. Soc. 163 (2016) A1373"
_TILTED: Final = math.radians(30.0)
_SIZE_OF_A_CABLE: Final = 10.0
_MOST_POINTS: Final = 12


def high_frequency_intercept(spectrum: Spectrum) -> Result:
    """Z' where -Z'' goes to zero: the fastest dozen capacitive points, extended as a straight line.

    A blocking electrode (constant-phase element) is one in the Nyquist plane. Inductive points (of the
    leads, at some 100 kHz and above) are left out. Flagged where the line has to be extended far: the
    highest frequency is then too low for this cell.
    """
    capacitive = np.flatnonzero(spectrum.impedance.imag < 0.0)[:_MOST_POINTS]
    z = spectrum.impedance[capacitive]
    fitted = line(-z.imag, z.real, "the high-frequency intercept", fewest=4)
    if not fitted.intercept > 0.0:
        raise EvaluationRefused(
            Refusal.OUTSIDE_VALIDITY,
            f"the tail points at {fitted.intercept:.3g} ohm: this is no blocking cell",
        )
    window = Window(
        "frequency",
        float(spectrum.frequency[capacitive[-1]]),
        float(spectrum.frequency[capacitive[0]]),
        HERTZ,
    )
    bare = Result("R_b", fitted.intercept, OHM, "Z' at Z'' = 0", SOURCE, window=window)
    result = with_budget(bare, [fitted.intercept_cause("scatter about the tail")])
    tilt = -math.atan2(float(z[0].imag), float(z[0].real))
    if tilt > _TILTED:
        return result.flagged(
            Flag(
                "f-max",
                f"the phase is still {-math.degrees(tilt):.0f} degrees at {window.high:.3g} Hz: measure higher",
            )
        )
    return result


def conductivity(
    resistance: Result,
    layers: Sequence[Known],
    area: Known | None,
    leads: Known | None = None,
) -> Result:
    """Sigma from the bulk resistance in ohm, the wet thickness of every layer, and the discs' area.

    `leads` is what a short circuit in place of the cell shows; None where nobody measured it.
    """
    in_unit(resistance, OHM)
    surface = required_known(area, "an electrode area for a conductivity")
    thickness = required(sum(layer.value for layer in layers) or None, "the thickness of the separator")
    taken_off = leads or Known(0.0)
    if not resistance.value > taken_off.value:
        raise EvaluationRefused(
            Refusal.OUTSIDE_VALIDITY,
            f"{resistance.value:.4g} ohm is no more than the {taken_off.value:.4g} ohm of the leads",
        )

    def sigma(r: float, r_leads: float, s: float, *thicknesses: float) -> float:
        return sum(thicknesses) / ((r - r_leads) * s)

    budget = propagated(
        sigma,
        (resistance.name, resistance.value, resistance.budget),
        stated("leads", taken_off),
        stated("area", surface),
        *(stated(f"thickness {n}", layer) for n, layer in enumerate(layers, 1)),
    )
    bare = Result(
        "effective ionic conductivity",
        sigma(resistance.value, taken_off.value, surface.value, *(layer.value for layer in layers)),
        CONDUCTIVITY,
        "L/(R S)",
        SOURCE,
        window=resistance.window,
        inputs={"R": resistance.value, "R leads": taken_off.value, "L": thickness, "S": surface.value},
        flags=resistance.flags,
    )
    result = with_budget(bare, budget)
    if leads is None and resistance.value < _SIZE_OF_A_CABLE:
        return result.flagged(
            Flag(
                "leads-unmeasured",
                f"{resistance.value:.2g} ohm hold cables and contacts: sigma is at least this",
            )
        )
    return result


def macmullin_number(effective: Result, bulk: Known) -> Result:
    """N_M: how many times worse the soaked separator conducts than its electrolyte, `bulk` in S/m."""
    in_unit(effective, CONDUCTIVITY)
    budget = propagated(
        lambda inside, free: free / inside,
        ("sigma", effective.value, effective.budget),
        stated("bulk sigma", bulk),
    )
    bare = Result(
        "MacMullin number", required(bulk.value, "the bulk conductivity") / effective.value, RATIO,
        "sigma_0/sigma_eff", SOURCE, inputs={"sigma_0": bulk.value, "sigma_eff": effective.value},
    )  # fmt: skip
    return with_budget(bare, budget)
