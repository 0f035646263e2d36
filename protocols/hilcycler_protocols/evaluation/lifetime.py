"""A5, how long a cell lived: soft and hard shorts, runaway polarisation, or still alive (censored).

There is no standard, so every threshold is a parameter that is kept with the answer. A lower
overpotential looks like an improvement and may be a short: a 13 mV plateau can be a cell of which two
thirds of the current is electronic. So the level is watched downwards too, and compared with EIS.

Half-cycle by half-cycle, from the past only: the verdict on a prefix of a run is the prefix of the
verdict, so the same code watches a run that is going on.
"""

from __future__ import annotations

import itertools
import statistics
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from hilcycler.quantities import AmperePerSquareMetre, Ohm, Second, Volt
from hilcycler_protocols.evaluation.results import (
    AREAL_RESISTANCE,
    HOUR,
    RATIO,
    EvaluationRefused,
    Flag,
    Refusal,
    Result,
    in_unit,
    required,
    with_budget,
)
from hilcycler_protocols.evaluation.uncertainty import scatter, within

SOURCE: Final = "criteria collected from practice; none is standard"


class Sign(StrEnum):
    """What is wrong with a half-cycle."""

    DROP = "sudden drop within the half-cycle"
    LEVEL = "level below half of what it was"
    SPREAD = "spread within the half-cycle"
    RELAXATION = "voltage gone at once when the current stops"
    ARC = "impedance arc collapsed"
    HARD = "voltage near zero: hard short"
    POLARISATION = "polarisation runaway"


@dataclass(frozen=True, slots=True)
class Criteria:
    """Every threshold. Levels are compared with the median of the last `memory` sound half-cycles."""

    drop: float = 0.7
    level: float = 0.5
    hard: float = 0.1
    spread: float = 4.0
    relaxation: float = 0.2
    arc: float = 0.3
    polarisation: float = 3.0
    most: Volt = 1.0
    persistence: int = 3
    memory: int = 8
    settling: int = 3


@dataclass(frozen=True, slots=True)
class HalfCycleMarks:
    """What the detector looks at. `ends` is the test time at the end of the half-cycle.

    `level` is the mean |V|, `drop` the least ratio of |V| after to before any instant, `spread` the
    distance between the 5th and the 95th percentile over the level. `relaxed` is the share of |V| that
    is left 1 s after the current stops, `arc` the diameter of the last spectrum; None where not measured.
    """

    ends: Second
    level: Volt
    drop: float = 1.0
    spread: float = 0.0
    relaxed: float | None = None
    arc: Ohm | None = None


@dataclass(frozen=True, slots=True)
class Lifetime:
    """`alive` is the time to the end of the last sound half-cycle; a bound if nothing ended it.

    `half_cycle` is the position of the first of the half-cycles that failed, `signs` what was wrong
    with them; `seen` the signs of every half-cycle.
    """

    alive: Result
    half_cycle: int | None
    signs: tuple[Sign, ...]
    seen: tuple[frozenset[Sign], ...]
    criteria: Criteria

    @property
    def censored(self) -> bool:
        return self.half_cycle is None


_WARM_UP: Final = 0.1
_BESIDE: Final = 3


def marks(
    time: ArrayLike, voltage: ArrayLike, *, relaxed: float | None = None, arc: Ohm | None = None
) -> HalfCycleMarks:
    """The marks of one half-cycle from its samples, oldest first.

    The first tenth of its duration may fall as it likes (nucleation); a drop is the median of three
    samples after over that of three before, so that one outlier is none.
    """
    t, v = np.asarray(time, dtype=np.float64), np.abs(np.asarray(voltage, dtype=np.float64))
    if t.shape != v.shape or len(t) < 2 or not (np.all(np.isfinite(v)) and np.all(np.isfinite(t))):
        raise EvaluationRefused(Refusal.TOO_LITTLE_DATA, "a half-cycle needs two finite samples at least")
    level = float(np.trapezoid(v, t) / (t[-1] - t[0])) if t[-1] > t[0] else float(v.mean())
    rest = v[t >= t[0] + _WARM_UP * (t[-1] - t[0])]
    drop = 1.0
    if len(rest) >= 2 * _BESIDE:
        smooth = np.median(np.lib.stride_tricks.sliding_window_view(rest, _BESIDE), axis=1)
        before, after = smooth[:-_BESIDE], smooth[_BESIDE:]
        drop = float(np.min(after / np.maximum(before, 1e-9)))
    low, high = np.percentile(rest, (5.0, 95.0))
    return HalfCycleMarks(
        float(t[-1]), level, min(drop, 1.0), float(high - low) / max(level, 1e-9), relaxed, arc
    )


def lifetime(half_cycles: Sequence[HalfCycleMarks], criteria: Criteria | None = None) -> Lifetime:
    """When the first sign persists for `criteria.persistence` half-cycles, or that it never did."""
    if not half_cycles:
        raise EvaluationRefused(Refusal.TOO_LITTLE_DATA, "no half-cycle, no lifetime")
    limits = criteria or Criteria()
    watch = Watch(limits)
    seen = tuple(watch.judge(marked) for marked in half_cycles)
    at = _first_persistent(seen, limits.persistence)
    ends = [marked.ends for marked in half_cycles]
    alive = ends[-1] if at is None else ends[at - 1] if at else 0.0
    signs = () if at is None else tuple(sorted(set().union(*seen[at : at + limits.persistence])))
    return Lifetime(_alive(alive, ends, at, signs, limits), at, signs, seen, limits)


def _first_persistent(seen: Sequence[frozenset[Sign]], persistence: int) -> int | None:
    run = 0
    for at, signs in enumerate(seen):
        run = run + 1 if signs else 0
        if run == persistence:
            return at - persistence + 1
    return None


def _alive(
    alive: Second, ends: Sequence[Second], at: int | None, signs: tuple[Sign, ...], limits: Criteria
) -> Result:
    bare = Result(
        "lifetime",
        alive,
        HOUR,
        "end of the last half-cycle before signs persist",
        SOURCE,
        inputs={
            "half-cycles": float(len(ends)),
            "criteria": ", ".join(f"{name} {getattr(limits, name):g}" for name in limits.__slots__),
            "ended by": "; ".join(signs) or "the test",
        },
    )
    if at is None:
        return bare.flagged(Flag("lower-bound", "censored: the test ended, the cell had not failed"))
    last = ends[at] - (ends[at - 1] if at else 0.0)
    return with_budget(bare, [within("one half-cycle", last)])


@dataclass(slots=True)
class Watch:
    """The detector's memory: what sound half-cycles looked like. Feed it in order."""

    criteria: Criteria
    _levels: deque[float] = field(default_factory=deque)
    _spreads: deque[float] = field(default_factory=deque)
    _relaxed: deque[float] = field(default_factory=deque)
    _lowest: float | None = None
    _first_arc: float | None = None

    def judge(self, marked: HalfCycleMarks) -> frozenset[Sign]:
        """The signs of one more half-cycle. Written so that NaN is a sign."""
        c, signs = self.criteria, set[Sign]()
        if not marked.drop >= c.drop:
            signs.add(Sign.DROP)
        if not marked.level <= c.most:
            signs.add(Sign.POLARISATION)
        if len(self._levels) >= c.settling:
            usual = statistics.median(self._levels)
            self._lowest = usual if self._lowest is None else min(self._lowest, usual)
            if not marked.level >= c.hard * usual:
                signs.add(Sign.HARD)
            if not marked.level >= c.level * usual:
                signs.add(Sign.LEVEL)
            if not marked.level <= c.polarisation * self._lowest:
                signs.add(Sign.POLARISATION)
            if not marked.spread <= max(c.spread * statistics.median(self._spreads), 0.5):
                signs.add(Sign.SPREAD)
        signs |= self._other(marked)
        if not signs:
            self._remember(marked)
        return frozenset(signs)

    def _other(self, marked: HalfCycleMarks) -> set[Sign]:
        signs = set[Sign]()
        usual = statistics.median(self._relaxed) if len(self._relaxed) >= self.criteria.settling else None
        if marked.relaxed is not None and usual is not None:
            signs |= set() if marked.relaxed >= self.criteria.relaxation * usual else {Sign.RELAXATION}
        if marked.arc is not None:
            if self._first_arc is None:
                self._first_arc = marked.arc
            if not marked.arc >= self.criteria.arc * self._first_arc:
                signs.add(Sign.ARC)
        return signs

    def _remember(self, marked: HalfCycleMarks) -> None:
        kept = [(self._levels, marked.level), (self._spreads, marked.spread)]
        if marked.relaxed is not None:
            kept.append((self._relaxed, marked.relaxed))
        for memory, value in kept:
            memory.append(value)
            if len(memory) > self.criteria.memory:
                memory.popleft()


SUSPICIOUS: Final = 2.0


def against_impedance(level: Volt, current_density: AmperePerSquareMetre, resistance: Result) -> Result:
    """The ratio j R / |V|: how many times more the cell should polarise than it does, by its own spectrum.

    `level` is the two-electrode |V|, `resistance` that of the same two electrodes (bulk and arcs) times
    area. About 1 in a sound cell at small polarisation; above 2 either the spectrum is of another state
    of the cell (pristine) or the flat low trace is a soft short.
    """
    in_unit(resistance, AREAL_RESISTANCE)
    v, j = required(abs(level), "a voltage level"), required(abs(current_density), "a current density")
    ratio = j * resistance.value / v
    bare = Result(
        "polarisation by EIS over measured",
        ratio,
        RATIO,
        "j R / |V|",
        SOURCE,
        inputs={"|V|": v, "j": j, "R": resistance.value},
    )
    if resistance.uncertainty:
        bare = with_budget(bare, [scatter("resistance", j / v * resistance.uncertainty)])
    if ratio > SUSPICIOUS:
        return bare.flagged(
            Flag("short-suspected", f"the cell polarises {ratio:.1f} times less than its spectrum allows")
        )
    return bare


def latest(seen: Sequence[frozenset[Sign]], persistence: int) -> tuple[Sign, ...]:
    """The signs that persist at the end of `seen`: what a running protocol asks before its next cycle."""
    tail = seen[-persistence:]
    if len(tail) < persistence or not all(tail):
        return ()
    return tuple(sorted(set(itertools.chain.from_iterable(tail))))
