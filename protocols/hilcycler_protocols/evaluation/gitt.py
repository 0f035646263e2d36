"""A12, solid diffusion from titration pulses (Weppner and Huggins).

    D = 4/(pi tau) (l dE_s/dE_tau)^2

l is volume over area of the active material: r/3 of spheres, m V_M/(M S) of an electrode, the thickness
of a film. dE_s is the change of the relaxed voltage over the pulse, dE_tau that of the transient
without its ohmic jump: E is fitted against sqrt(t), and the slope times sqrt(tau) is taken. Holds for
tau well below l^2/D. l^2 with the wrong area changes D by 10^2 to 10^4; that is why it must be given.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilcycler.quantities import Kilogram, Metre, Second, SquareMetre, Volt, VoltPerSecond
from hilcycler_protocols.evaluation.regression import Line, line
from hilcycler_protocols.evaluation.results import (
    DIFFUSIVITY,
    SECOND,
    EvaluationRefused,
    Flag,
    Refusal,
    Result,
    Window,
    required,
    required_known,
    with_budget,
)
from hilcycler_protocols.evaluation.uncertainty import Known, propagated, scatter, stated

Real = NDArray[np.float64]

SOURCE: Final = "Weppner and Huggins, J. Electrochem. Soc. 124 (1977) 1569"
FIT: Final = (0.1, 0.9)
"""The share of the pulse whose E against sqrt(t) is taken: double layer before, depletion after."""
RELAXED: Final[VoltPerSecond] = 1e-3 / 3600.0
"""|dE/dt| below which a rest has ended: 1 mV/h."""
SHORT_ENOUGH: Final = 0.2
"""tau D/l^2 up to which the square-root law is good (1 % at 0.2, 8 % at 0.5)."""
_DRIVEN: Final = 0.01
"""Share of the largest current above which the cell is not at rest: meters do not read exactly 0."""
PLATEAU: Final[Volt] = 1e-3
"""dE_s below which the composition changes by moving a phase boundary, not by diffusion."""


@dataclass(frozen=True, slots=True, eq=False)
class Pulse:
    """One titration step. `time` (s) from the start of the current, `voltage` (V) under it.

    `before` and `after` are the relaxed voltages, `relaxation` the |dE/dt| at the end of the later rest.
    """

    time: Real
    voltage: Real
    before: Volt
    after: Volt
    relaxation: VoltPerSecond | None = None

    @property
    def duration(self) -> Second:
        return float(self.time[-1])


@dataclass(frozen=True, slots=True)
class Diffusion:
    """D at one composition: `voltage` is the relaxed one in the middle of the step."""

    voltage: Volt
    coefficient: Result


def sphere(radius: Known) -> Known:
    """The length l of spherical particles."""
    return Known(radius.value / 3.0, radius.within / 3.0)


def electrode(mass: Kilogram, molar_volume: float, molar_mass: float, surface: SquareMetre) -> Metre:
    """The length l of an electrode with active mass, V_M (m3/mol), M (kg/mol) and S, the wetted surface."""
    return (
        required(mass, "an active mass")
        * required(molar_volume, "a molar volume")
        / (required(molar_mass, "a molar mass") * required(surface, "the surface of the active material"))
    )


def diffusion(
    pulse: Pulse,
    length: Known | None,
    *,
    noise: Volt = 0.0,
    two_electrode: bool = True,
) -> Diffusion:
    """D of one pulse. `noise` is the standard deviation of a relaxed voltage.

    Refused: no length, a step that did not change the relaxed voltage, a transient that goes the other
    way than the relaxed voltage. Flagged: two-phase plateaus, pulses too long for the law, rests that
    were too short, and two-electrode cells, in which the lithium polarises too.
    """
    known = required_known(length, "volume over area of the active material")
    extent = known.value
    t, e = np.asarray(pulse.time, dtype=np.float64), np.asarray(pulse.voltage, dtype=np.float64)
    tau, step = pulse.duration, pulse.after - pulse.before
    inside = (t >= FIT[0] * tau) & (t <= FIT[1] * tau)
    fitted = line(np.sqrt(t[inside]), e[inside], "E against sqrt(t)", fewest=5)
    transient = fitted.slope * math.sqrt(tau)
    if not step * transient > 0.0 or abs(step) <= 2.0 * noise:
        raise EvaluationRefused(
            Refusal.OUTSIDE_VALIDITY,
            f"the relaxed voltage moved by {step * 1e3:.3g} mV and the transient by {transient * 1e3:.3g} mV: "
            "that is not diffusion in one phase",
        )

    def d(l_: float, step_: float, slope: float) -> float:
        return 4.0 / math.pi * (l_ * step_ / (slope * tau)) ** 2

    bare = Result(
        "diffusion coefficient",
        d(extent, step, fitted.slope),
        DIFFUSIVITY,
        "4/(pi tau) (l dE_s/dE_tau)^2",
        SOURCE,
        window=Window("time in the pulse", FIT[0] * tau, FIT[1] * tau, SECOND),
        inputs={
            "l": extent,
            "dE_s": step,
            "dE_tau": transient,
            "tau": tau,
            "jump": fitted.intercept - pulse.before,
        },
    )
    budget = propagated(
        d,
        stated("length", known),
        ("dE_s", step, [scatter("noise of the relaxed voltages", math.sqrt(2.0) * noise)]),
        ("slope", fitted.slope, [fitted.slope_cause("scatter about the square-root law")]),
    )
    result = with_budget(bare, budget)
    flags = _doubts(result.value * tau / extent**2, fitted, pulse, two_electrode=two_electrode)
    return Diffusion(0.5 * (pulse.before + pulse.after), result.flagged(*flags))


def _doubts(share: float, fitted: Line, pulse: Pulse, *, two_electrode: bool) -> list[Flag]:
    flags = []
    if share > SHORT_ENOUGH:
        flags.append(Flag("long-pulse", f"tau D/l2 = {share:.2g}: the pulse outlasts the square-root law"))
    if fitted.r_squared < 0.99:
        flags.append(Flag("curved", f"E is not linear in sqrt(t) (r2 = {fitted.r_squared:.3f})"))
    if abs(pulse.after - pulse.before) < PLATEAU:
        flags.append(
            Flag("two-phase", "the relaxed voltage hardly moved: on a two-phase plateau D means nothing")
        )
    if pulse.relaxation is not None and not abs(pulse.relaxation) <= RELAXED:
        flags.append(
            Flag(
                "not-relaxed",
                f"the rest ended while the voltage moved by {abs(pulse.relaxation) * 3.6e6:.2g} mV/h",
            )
        )
    if two_electrode:
        flags.append(Flag("two-electrode", "the lithium's polarisation is part of dE_tau"))
    return flags


def pulses(time: ArrayLike, voltage: ArrayLike, current: ArrayLike) -> list[Pulse]:
    """The pulses of a titration record: stretches with current between rests, oldest first.

    A pulse without a rest on both sides is left out. The relaxed voltage is the mean of the last five
    samples of the rest, `relaxation` the slope through its last tenth.
    """
    t, v, i = (np.asarray(a, dtype=np.float64) for a in (time, voltage, current))
    if not (t.shape == v.shape == i.shape):
        raise EvaluationRefused(Refusal.MISSING_INPUT, "time, voltage and current must be equally long")
    driven = np.abs(i) > _DRIVEN * np.abs(i).max(initial=0.0)
    edges = [0, *(np.flatnonzero(driven[1:] != driven[:-1]) + 1).tolist(), len(i)]
    parts = [slice(a, b) for a, b in itertools.pairwise(edges)]
    found = []
    for rest, pulse, next_rest in zip(parts, parts[1:], parts[2:], strict=False):
        if not driven[pulse.start]:
            continue
        began = t[rest.stop - 1]
        found.append(
            Pulse(
                t[pulse] - began,
                v[pulse],
                _last(v[rest]),
                _last(v[next_rest]),
                _slope(t[next_rest], v[next_rest]),
            )
        )
    return found


def _last(v: Real) -> float:
    return float(v[-5:].mean())


def _slope(t: Real, v: Real) -> float | None:
    part = t >= t[-1] - 0.1 * (t[-1] - t[0])
    if part.sum() < 3:
        return None
    return float(np.polyfit(t[part] - t[-1], v[part], 1)[0])


def over_composition(
    titration: Sequence[Pulse], length: Known | None, *, noise: Volt = 0.0, two_electrode: bool = True
) -> tuple[list[Diffusion], list[tuple[int, str]]]:
    """D of every pulse, and for the pulses that have none the reason."""
    found, refused = [], []
    for number, pulse in enumerate(titration, 1):
        try:
            found.append(diffusion(pulse, length, noise=noise, two_electrode=two_electrode))
        except EvaluationRefused as why:
            refused.append((number, str(why)))
    return found, refused
