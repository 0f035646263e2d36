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
    """Chains side by side: `tau` and weight of all filters, and which of them each named chain owns."""

    tau: Floats
    weights: Floats
    chains: dict[str, slice]
    _kept: OrderedDict[bytes, Floats] = field(default_factory=OrderedDict, repr=False)
    _numbers: int = 0

    @classmethod
    def of(cls, chains: Iterable[tuple[str, Chain]]) -> Bank:
        """The bank of these chains, in this order."""
        taus, weights, slices, at = [], [], {}, 0
        for name, (tau, weight) in chains:
            taus.append(tau)
            weights.append(weight)
            slices[name] = slice(at, at + len(tau))
            at += len(tau)
        return cls(np.concatenate(taus), np.concatenate(weights), slices)

    def __len__(self) -> int:
        return len(self.tau)

    def tap(self, name: str, scale: float = 1.0) -> Tap:
        """The weighted sum over one chain, times `scale`."""
        chain = self.chains[name]
        return Tap(chain, scale * self.weights[chain])

    def decay(self, times: Floats) -> Floats:
        """exp(-t/tau), a row an instant, kept for grids that come again."""
        if times.size * len(self) > _LARGEST:
            return np.exp(-times[:, None] / self.tau)
        key = times.tobytes()
        found = self._kept.get(key)
        if found is None:
            found = np.exp(-times[:, None] / self.tau)
            self._kept[key] = found
            self._numbers += found.size
            while self._numbers > _KEPT:
                self._numbers -= self._kept.popitem(last=False)[1].size
        else:
            self._kept.move_to_end(key)
        return found

    def after(self, states: Floats, current: float, elapsed: float) -> Floats:
        """The states after constant `current` for `elapsed` seconds."""
        return current + (states - current) * np.exp(-elapsed / self.tau)

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

    def follow(self, decay: Floats, states: Floats, j: float) -> Floats:
        """The sum along a decay matrix, `j` held from `states` on."""
        settled = j * float(self.weights.sum())
        followed: Floats = settled + decay[:, self.chain] @ (self.weights * (states[self.chain] - j))
        return followed

    def now(self, states: Floats) -> Floats:
        """The sum of `states`, whose last axis are the filters."""
        summed: Floats = states[..., self.chain] @ self.weights
        return summed

    def response(self, bank: Bank, s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """The sum per unit current for a sinusoid: weights over 1 + s tau, `s` in 1/s."""
        responded: NDArray[np.complex128] = (1.0 / (1.0 + s[:, None] * bank.tau[self.chain])) @ self.weights
        return responded
