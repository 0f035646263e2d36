"""A bank of first-order filters driven by one current, stepped exactly over whole time grids."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hilcycler_simulators.cells.elements import Chain

Floats = NDArray[np.float64]

_KEPT: Final = 2_000_000  # numbers kept in decay matrices, 16 MB
_LARGEST: Final = 1_000_000  # a larger matrix is not worth keeping; it is made in blocks and dropped


@dataclass(eq=False)
class Bank:
    """Chains side by side: `tau` of all filters, and which of them each named chain owns."""

    tau: Floats
    weights: Floats
    chains: dict[str, slice]
    _kept: OrderedDict[bytes, Floats] = field(default_factory=OrderedDict, repr=False)
    _numbers: int = 0

    @classmethod
    def of(cls, chains: Iterable[tuple[str, Chain]]) -> Bank:
        taus, weights, slices, at = [], [], {}, 0
        for name, (tau, weight) in chains:
            taus.append(tau)
            weights.append(weight)
            slices[name] = slice(at, at + len(tau))
            at += len(tau)
        return cls(np.concatenate(taus), np.concatenate(weights), slices)

    def __len__(self) -> int:
        return len(self.tau)

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
