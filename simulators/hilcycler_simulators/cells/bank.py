"""A bank of first-order filters driven by one current, stepped exactly over whole time grids."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilcycler_simulators.cells.elements import Chain

Floats: TypeAlias = NDArray[np.float64]

_KEPT: Final = 2_000_000  # numbers kept in decay matrices, 16 MB
_LARGEST: Final = 1_000_000  # a larger matrix is not worth keeping
_OVER: Final = 41.0  # time constants after which a filter has settled: exp(-41) is 1.6e-18
_WIDTHS: Final = 512  # intervals of a march whose ramps are kept


@dataclass(frozen=True, slots=True, eq=False)
class _Decay:
    """Along `times` the `live` filters keep exp(-t/tau) of their distance, a row a filter; others none."""

    times: Floats
    live: NDArray[np.intp]
    weights: Floats
    kept: Floats

    def cut(self, count: int) -> _Decay:
        """Along the first `count` instants."""
        return _Decay(self.times[:count], self.live, self.weights, self.kept[:, :count])


@dataclass(eq=False)
class Bank:
    """Chains of filters side by side: `tau` of all filters, and a column a chain of their weights.

    The sum of a chain is its filters' states times its weights; `totals` is that of states of 1.
    """

    tau: Floats
    weights: Floats
    totals: Floats
    _decays: OrderedDict[tuple[float, float], _Decay] = field(default_factory=OrderedDict, repr=False)
    _numbers: int = 0
    _last: tuple[float, Floats] = (-1.0, np.empty(0))
    _ramps: dict[float, tuple[Floats, Floats, Floats]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, chains: Iterable[Chain]) -> Bank:
        """The bank of these chains, in this order."""
        chains = list(chains)
        ends = np.cumsum([0, *(len(tau) for tau, _ in chains)])
        weights = np.zeros((ends[-1], len(chains)))
        for at, (_, weight) in enumerate(chains):
            weights[ends[at] : ends[at + 1], at] = weight
        return cls(np.concatenate([tau for tau, _ in chains]), weights, weights.sum(axis=0))

    def __len__(self) -> int:
        return len(self.tau)

    def now(self, states: Floats) -> Floats:
        """The sum of each chain, a row a chain; the filters are on the last axis of `states`."""
        summed: Floats = self.weights.T @ states.T
        return summed

    def follow(self, times: Floats, states: Floats, j: float) -> Floats:
        """The sums at `times`, a row a chain, `j` held from `states` on."""
        settled: Floats = self.totals[:, None] * j
        if len(times) == 1:
            away: Floats = (states - j) * np.exp(-times[0] / self.tau)
            single: Floats = settled + (away @ self.weights)[:, None]
            return single
        decay = self._decay(times)
        away = (states[decay.live] - j)[:, None] * decay.weights
        followed: Floats = away.T @ decay.kept
        followed += settled
        return followed

    def response(self, s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """The sums per unit current for a sinusoid, a row a chain: weights over 1 + s tau, `s` in 1/s."""
        responded: NDArray[np.complex128] = self.weights.T @ (1.0 / (1.0 + self.tau[:, None] * s))
        return responded

    def after(self, states: Floats, current: float, elapsed: float) -> Floats:
        """The states after constant `current` for `elapsed` seconds."""
        last = self._last
        if elapsed != last[0]:
            self._last = last = elapsed, np.exp(-elapsed / self.tau)
        return current + (states - current) * last[1]

    def ramp(self, seconds: float) -> tuple[Floats, Floats, Floats]:
        """(a, b, c) of x' = a x + b j + c j' when the current goes straight from j to j', exactly."""
        found = self._ramps.get(seconds)
        if found is None:
            if len(self._ramps) >= _WIDTHS:
                self._ramps.clear()
            found = self._ramps[seconds] = self.ramps(np.array([seconds]))
        return found

    def ramps(self, seconds: Floats) -> tuple[Floats, Floats, Floats]:
        """The same for each of `seconds`, a row each."""
        z = seconds[:, None] / self.tau
        a = np.exp(-z)
        mean = np.divide(-np.expm1(-z), z, out=np.ones_like(z), where=z > 0.0)
        return a, mean - a, 1.0 - mean

    def _decay(self, times: Floats) -> _Decay:
        """Kept for grids that come again, whole or cut short."""
        count = len(times)
        key = float(times[0]), float(times[1])
        found = self._decays.get(key)
        if found is not None and count <= len(found.times) and (found.times[:count] == times).all():
            self._decays.move_to_end(key)
            return found if count == len(found.times) else found.cut(count)
        live = np.flatnonzero(times[0] < _OVER * self.tau)
        decay = _Decay(times, live, self.weights[live], np.exp(-times / self.tau[live, None]))
        if decay.kept.size <= _LARGEST:
            self._keep(key, decay)
        return decay

    def _keep(self, key: tuple[float, float], decay: _Decay) -> None:
        old = self._decays.pop(key, None)
        self._numbers += decay.kept.size - (0 if old is None else old.kept.size)
        self._decays[key] = decay
        while self._numbers > _KEPT:
            self._numbers -= self._decays.popitem(last=False)[1].kept.size
