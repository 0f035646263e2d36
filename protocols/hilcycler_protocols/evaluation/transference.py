"""A9, lithium transference number after Bruce, Vincent and Evans.

    t+ = I_s (dV - I_0 R_0) / (I_0 (dV - I_s R_s))

R_0 and R_s are those of the interfaces (SEI and charge transfer of both electrodes, without the bulk)
before and after the polarisation dV. In a liquid electrolyte the interfaces take nearly all of dV, so
the brackets are small differences: with R_b = 3 and R_i = 91 ohm cm2 one per cent of both R moves t+
from 0.31 to 0.24. So the uncertainty is propagated, the amplification is part of the result, and I_0
comes from the spectrum, dV/(R_b + R_0), since a current read 20 ms or 1 s after the step is another.

In a real (non-ideal) electrolyte this is the fraction of the current that lithium carries at steady state,
not the transference number (Balsara and Newman, J. Electrochem. Soc. 162 (2015) A2720).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from hilcycler.quantities import Ampere, Second
from hilcycler_protocols.evaluation.impedance.reporting import CircuitFit
from hilcycler_protocols.evaluation.regression import line
from hilcycler_protocols.evaluation.results import (
    AMPERE,
    OHM,
    PER_HOUR,
    RATIO,
    SECOND,
    EvaluationRefused,
    Flag,
    Refusal,
    Result,
    Window,
    in_unit,
    required,
    with_budget,
)
from hilcycler_protocols.evaluation.uncertainty import (
    PERFECT,
    Accuracy,
    Component,
    Known,
    propagated,
    scatter,
    within,
)

SOURCE: Final = "Evans, Vincent, Bruce, Polymer 28 (1987) 2324"
SETTLED: Final = 0.01 / 600.0
"""Relative change of the current per second below which it counts as steady: 1 % in 10 minutes."""
LARGEST_BIAS: Final = 0.0105
"""V. The derivation needs dV well below RT/F."""
SMALL_DIFFERENCE: Final = 0.1
"""dV - I_0 R_0 as a share of dV below which t+ is ill-conditioned."""
AMPLIFIED: Final = 5.0


@dataclass(frozen=True, slots=True)
class SteadyState:
    """The current at the end of a polarisation, and whether it had settled there.

    `rate` is |dI/dt|/|I| in 1/s over the window. Settled: it is below the limit even at the far end of
    its 95 % interval, so noise cannot pass for steadiness.
    """

    current: Result
    rate: Result
    settled: bool


@dataclass(frozen=True, slots=True)
class Interfaces:
    """What one spectrum contributes, ohm: the arcs of both electrodes together, and the bulk."""

    interface: Result
    bulk: Result


def interfaces(fitted: CircuitFit) -> Interfaces:
    """From the fit of a `lithium_cell`; the leads are part of its R_b."""
    return Interfaces(fitted.interface, fitted["R_b"])


def steady_state(
    time: ArrayLike, current: ArrayLike, *, window: Second = 600.0, accuracy: Accuracy = PERFECT
) -> SteadyState:
    """The last `window` seconds of a polarisation: a line through the current, read at its end."""
    t, i = np.asarray(time, dtype=np.float64), np.asarray(current, dtype=np.float64)
    part = t >= t[-1] - window
    fitted = line(t[part] - t[-1], i[part], "the steady-state current", fewest=10)
    if fitted.intercept == 0.0:
        raise EvaluationRefused(Refusal.OUTSIDE_VALIDITY, "no current flows at the end of the polarisation")
    used = Window("time", float(t[part][0]), float(t[-1]), SECOND)
    bare = Result("steady-state current", fitted.intercept, AMPERE, "I(t_end)", SOURCE, window=used)
    level = with_budget(
        bare,
        [
            fitted.intercept_cause("noise of the current"),
            within("current gain", accuracy.current_gain * fitted.intercept),
            within("current offset", accuracy.current_offset),
        ],
    )
    slope = abs(fitted.slope / fitted.intercept)
    rate = with_budget(
        Result("relative drift", slope, PER_HOUR, "|dI/dt|/|I|", SOURCE, window=used),
        [scatter("noise of the current", fitted.slope_u / abs(fitted.intercept), fitted.degrees)],
    )
    assert rate.interval is not None
    return SteadyState(level, rate, settled=rate.interval[1] <= SETTLED)


def transference(
    bias: Known,
    steady: SteadyState,
    before: Interfaces,
    after: Interfaces,
    *,
    initial_current: Result | None = None,
) -> Result:
    """t+ with its uncertainty and its amplification.

    `bias` is dV in volt, as applied less the open-circuit voltage. `initial_current` replaces the
    I_0 of the spectrum where a fast transient was measured; say so in the paper. Refused: dV - I_0 R_0 or
    dV - I_s R_s not positive, t+ outside 0 to 1. Gains of the instrument cancel where spectrum and
    current come from the same one; an offset of dV does not.
    """
    volts, final = required(abs(bias.value), "a polarisation voltage"), abs(steady.current.value)
    r0, rs, rb = before.interface, after.interface, before.bulk
    for r in (r0, rs, rb):
        in_unit(r, OHM)
    first = volts / (rb.value + r0.value) if initial_current is None else abs(initial_current.value)
    _check(volts, first, final, r0.value, rs.value)
    value = formula(volts, first, final, r0.value, rs.value)
    if not 0.0 <= value <= 1.0:
        raise EvaluationRefused(Refusal.IMPOSSIBLE_VALUE, f"t+ = {value:.3f} is not between 0 and 1")
    conditioning = amplification(volts, first, final, r0.value, rs.value)
    bare = Result(
        "lithium transference number (limiting current fraction)",
        value,
        RATIO,
        "I_s(dV - I_0 R_0)/(I_0(dV - I_s R_s))",
        SOURCE,
        window=steady.current.window,
        inputs={
            "dV": volts, "I_0": first, "I_s": final, "R_0": r0.value, "R_s": rs.value, "R_b": rb.value,
            "I_0 from": "dV/(R_b + R_0)" if initial_current is None else "transient",
            "amplification": conditioning,
        },
    )  # fmt: skip
    result = with_budget(bare, _budget(bias, steady, before, after, initial_current))
    return result.flagged(*_doubts(result, volts, first, conditioning, steady))


def formula(bias: float, first: Ampere, final: Ampere, r_before: float, r_after: float) -> float:
    """The equation above."""
    return final * (bias - first * r_before) / (first * (bias - final * r_after))


def amplification(bias: float, first: Ampere, final: Ampere, r_before: float, r_after: float) -> float:
    """Per cent of t+ for each per cent of both resistances at given currents."""
    lost, left = first * r_before, final * r_after
    return abs(-lost / (bias - lost) + left / (bias - left))


def _check(bias: float, first: float, final: float, r_before: float, r_after: float) -> None:
    for name, drop in (("I_0 R_0", first * r_before), ("I_s R_s", final * r_after)):
        if not bias - drop > 0.0:
            raise EvaluationRefused(
                Refusal.OUTSIDE_VALIDITY,
                f"{name} = {drop * 1e3:.3g} mV leaves nothing of dV = {bias * 1e3:.3g} mV for the electrolyte",
            )


def _budget(
    bias: Known, steady: SteadyState, before: Interfaces, after: Interfaces, initial: Result | None
) -> list[Component]:
    """Only what does not cancel: noise of each input, offsets; gains where I_0 is a current of its own."""
    dv = ("dV", abs(bias.value), [within("polarisation voltage", bias.within)])
    final = ("I_s", abs(steady.current.value), [c for c in steady.current.budget if "gain" not in c.cause])
    rs, r0, rb = (_noise_of(r, f"{when} ({what})") for r, when, what in (
        (after.interface, "interface after", "noise"),
        (before.interface, "interface before", "noise"),
        (before.bulk, "bulk", "noise"),
    ))  # fmt: skip
    if initial is not None:
        first = ("I_0", abs(initial.value), [c for c in initial.budget if "gain" not in c.cause])
        return propagated(formula, dv, first, final, r0, rs)

    def from_spectrum(v: float, i_s: float, r_b: float, r_0: float, r_s: float) -> float:
        return formula(v, v / (r_b + r_0), i_s, r_0, r_s)

    return propagated(from_spectrum, dv, final, rb, r0, rs)


def _noise_of(r: Result, cause: str) -> tuple[str, float, list[Component]]:
    noise = [c for c in r.budget if "gain" not in c.cause]
    return (cause, r.value, [Component(f"{cause}: {c.cause}", c.standard, c.shape, c.degrees) for c in noise])


def _doubts(
    result: Result, bias: float, first: float, conditioning: float, steady: SteadyState
) -> list[Flag]:
    flags = list(result.flags)
    share = 1.0 - first * float(result.inputs["R_0"]) / bias
    if share < SMALL_DIFFERENCE or conditioning > AMPLIFIED:
        flags.append(
            Flag(
                "ill-conditioned",
                f"the electrolyte takes {share:.1%} of dV: one per cent of the resistances is "
                f"{conditioning:.0f} % of t+",
            )
        )
    if bias > LARGEST_BIAS:
        flags.append(Flag("large-bias", f"dV = {bias * 1e3:.3g} mV is not small against RT/F"))
    if not steady.settled:
        flags.append(
            Flag("not-steady", f"the current still changed by {steady.rate.value * 3600:.1%} per hour")
        )
    return flags
