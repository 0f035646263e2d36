"""A circuit with a closed form, to hang on simulated instruments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilcycler.cell import Cell, Electrode

Floats = NDArray[np.float64]


@dataclass
class Seen:
    """A course of a Dummy."""

    dummy: Dummy
    voltage: Floats
    current: Floats
    after: Callable[[float], tuple[float, float]]

    def commit(self, until: float) -> None:
        self.dummy.over_capacitor, charge = self.after(until)
        self.dummy.charge += charge
        self.dummy.lived += until


@dataclass
class Dummy:
    """A dummy cell: `rs` in series with `rp` parallel to `c` (0: no such pair), above `rest` volts."""

    rs: float = 10.0
    rp: float = 0.0
    c: float = 0.0
    rest: float = 0.0
    over_capacitor: float = 0.0
    charge: float = 0.0
    lived: float = 0.0
    temperature: float = 298.15
    label: Cell = field(default_factory=lambda: Cell("dummy", Electrode("wire"), Electrode("wire")))
    truth: dict[str, Any] = field(default_factory=dict)

    def galvanostatic(self, current: float, times: Floats) -> Seen:
        start = self.over_capacitor

        def at(t: Any) -> Any:
            return self.rp * current + (start - self.rp * current) * np.exp(-t / self._tau)

        volts = self.rest + self.rs * current + at(times)
        return Seen(self, volts, np.full(len(times), current), lambda t: (float(at(t)), current * t))

    def potentiostatic(self, voltage: Floats, times: Floats) -> Seen:
        """Exact per interval; the charge is that of the current at each interval's end."""
        rp_s = self.rs * self.rp / (self.rs + self.rp) if self.rp else 0.0
        over, currents, states, before = self.over_capacitor, [], [], 0.0
        for e, t in zip(voltage - self.rest, times, strict=True):
            settled = e * self.rp / (self.rs + self.rp)
            tau = self.c * rp_s or 1e-12
            over = settled + (over - settled) * np.exp(-(t - before) / tau)
            before = t
            currents.append((e - over) / self.rs)
            states.append(over)
        current = np.array(currents)

        def after(until: float) -> tuple[float, float]:
            n = min(int(np.searchsorted(times, until - 1e-12)), len(times) - 1)
            steps = np.diff(np.concatenate(([0.0], np.minimum(times[: n + 1], until))))
            return float(states[n]), float(steps @ current[: n + 1])

        return Seen(self, np.asarray(voltage, float), current, after)

    def crossing(self, current: float, limit: float, horizon: float) -> float | None:
        raise NotImplementedError

    def impedance(self, frequencies: Floats) -> NDArray[np.complex128]:
        omega = 2j * np.pi * frequencies
        return np.asarray(self.rs + self.rp / (1.0 + omega * self.rp * self.c), np.complex128)

    @property
    def _tau(self) -> float:
        return self.rp * self.c or 1e-12
