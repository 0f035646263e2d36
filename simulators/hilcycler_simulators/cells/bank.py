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


@dataclass(eq=False)
class Bank:
    """Chains side by side: `tau` and weight of all filters, and by name what each chain owns.

    `chains` says which filters, `totals` what their weights add to.
    """

    tau: Floats
    weights: Floats
    chains: dict[str, slice]
    totals: dict[str, float]
    _kept: OrderedDict[tuple[float, float], tuple[Floats, Floats]] = field(
        default_factory=OrderedDict, repr=False
    )
    _numbers: int = 0
    _last: tuple[float, Floats] = (-1.0, np.empty(0))

    @classmethod
    def of(cls, chains: Iterable[tuple[str, Chain]]) -> Bank:
        """The bank of these chains, in this order."""
        taus, weights, slices, totals, at = [], [], {}, {}, 0
        for name, (tau, weight) in chains:
            taus.append(tau)
            weights.append(weight)
            totals[name] = float(weight.sum())
            slices[name] = slice(at, at + len(tau))
            at += len(tau)
        return cls(np.concatenate(taus), np.concatenate(weights), slices, totals)

    def __len__(self) -> int:
        return len(self.tau)

    def tap(self, name: str, scale: float = 1.0) -> Tap:
        """The weighted sum over one chain, times `scale`."""
        chain = self.chains[name]
        return Tap(chain, scale * self.weights[chain], scale * self.totals[name])

    def decay(self, times: Floats) -> Floats:
        """exp(-t/tau), a row an instant; kept for grids that come again, whole or cut short."""
        count = len(times)
        if count * len(self) > _LARGEST:
            return np.exp(-times[:, None] / self.tau)
        key = (float(times[0]), float(times[min(1, count - 1)]))
        found = self._kept.get(key)
        if found is not None and count <= len(found[0]) and (found[0][:count] == times).all():
            self._kept.move_to_end(key)
            return found[1][:count]
        if found is not None:
            self._numbers -= found[1].size
        decay = np.exp(-times[:, None] / self.tau)
        self._kept[key] = times, decay
        self._kept.move_to_end(key)
        self._numbers += decay.size
        while self._numbers > _KEPT:
            self._numbers -= self._kept.popitem(last=False)[1][1].size
        return decay

    def after(self, states: Floats, current: float, elapsed: float) -> Floats:
        """The states after constant `current` for `elapsed` seconds."""
        last = self._last
        if elapsed != last[0]:
            self._last = last = elapsed, np.exp(-elapsed / self.tau)
        return current + (states - current) * last[1]

    def ramp(self, seconds: Floats) -> tuple[Floats, Floats, Floats]:
        """(a, b, c) of x' = a x + b j + c j' when the current goes straight from j to j', exactly.

        A row for each of `seconds`.
        """
        z = seconds[:, None] / self.tau
        a = np.exp(-z)
        mean = np.divide(-np.expm1(-z), z, out=np.ones_like(z), where=z > 0.0)
        return a, mean - a, 1.0 - mean


@dataclass(frozen=True, slots=True)
class Tap:
    """A weighted sum of the states of one chain."""

    chain: slice
    weights: Floats
    total: float

    def follow(self, decay: Floats, states: Floats, j: float) -> Floats:
        """The sum along a decay matrix, `j` held from `states` on."""
        followed: Floats = decay[:, self.chain] @ (self.weights * (states[self.chain] - j))
        followed += j * self.total
        return followed

    def now(self, states: Floats) -> Floats:
        """The sum of `states`, whose last axis are the filters."""
        summed: Floats = states[..., self.chain] @ self.weights
        return summed

    def response(self, bank: Bank, s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """The sum per unit current for a sinusoid: weights over 1 + s tau, `s` in 1/s."""
        responded: NDArray[np.complex128] = (1.0 / (1.0 + s[:, None] * bank.tau[self.chain])) @ self.weights
        return responded
