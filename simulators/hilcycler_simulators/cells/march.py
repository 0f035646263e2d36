"""Stretches whose ionic current follows from a condition: a held voltage, a short beside the ions.

The ionic current is piecewise linear on nodes that belong to the stretch: close together after its
beginning, later ever wider apart, at most `_WIDEST`. At every node and at every instant looked at
the condition is met; between nodes the filters are exact for a linear current.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hilcycler_simulators.cells.bank import Floats
from hilcycler_simulators.cells.drive import Drive, Galvanostat, Leak, Potentiostat
from hilcycler_simulators.cells.stretch import Moment, Setting

FINE: Final = (1e-7, 1.15)  # the first interval between nodes (s), and each over the one before
COARSE: Final = (1e-5, 3.0)  # enough after a small step of the voltage
_WIDEST: Final = 120.0  # s
_BLOCK: Final = 2048
_NUDGE: Final = 1e-5  # A/m2, for slopes
_TRUSTED: Final = 5  # iterations without a bracket
_SLOW: Final = 15  # iterations before the bracket is halved as well
_PATIENCE: Final = 120
_CLOSE: Final = 1e-5  # of the current or of 1 A/m2; the error left is the square of it


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """Where the march stands: seconds into the stretch, states, ionic current, charges so far."""

    at: float
    states: Floats
    store: Floats
    ionic: float
    leaking: float
    passed: float
    leaked: float


@dataclass(frozen=True, slots=True, eq=False)
class _Reach:
    """Instants to be reached from nodes: the node's current and reservoirs, and the filter states

    base + gain j once the current there is `j`. One row an instant.
    """  # noqa: D400

    times: Floats
    seconds: Floats
    ionic: Floats
    store: Floats
    base: Floats
    gain: Floats


class Marched:
    """A stretch under a held voltage, or with a leak beside the ions."""

    def __init__(
        self, setting: Setting, moment: Moment, drive: Drive, nodes: tuple[float, float] = FINE
    ) -> None:
        chemistry = setting.chemistry
        self.drive = drive
        self.began = moment.age.clock
        self.horizon = min(moment.age.horizon(chemistry.life, drive), setting.steady_for)
        self._setting, self._moment = setting, moment
        self._width, self._ratio = nodes
        self.leak = chemistry.leak(moment.age)
        self._leak = self.leak or Leak()
        self._imposed = chemistry.imposed(drive, moment.store, moment.age, setting.temperature)
        blank = _Node(0.0, moment.states, moment.store, 0.0, 0.0, 0.0, 0.0)
        self._nodes = [self._step(blank, 0.0)]

    def look(self, times: Floats) -> tuple[Floats, Floats]:
        self._march(float(times[-1]))
        cuts = range(0, len(times), _BLOCK)
        looks = [self._look(times[at : at + _BLOCK]) for at in cuts]
        return np.concatenate([v for v, _ in looks]), np.concatenate([j for _, j in looks])

    def ionic(self, elapsed: float) -> float:
        return self._at(elapsed).ionic

    def end(self, elapsed: float) -> Moment:
        moment = self._moment
        last = self._at(elapsed)
        mean = (last.passed - last.leaked) / elapsed if elapsed > 0.0 else 0.0
        age = moment.age.after(self._setting.chemistry.life, mean, elapsed)
        return Moment(
            states=last.states,
            store=self._setting.chemistry.aged(last.store, moment.age, age),
            age=age,
            passed=moment.passed + last.passed,
            leaked=moment.leaked + last.leaked,
        )

    def _at(self, elapsed: float) -> _Node:
        self._march(elapsed)
        return self._step(self._nodes[self._before(np.array([elapsed]))[0]], elapsed)

    def _march(self, until: float) -> None:
        while self._nodes[-1].at < until:
            here = self._nodes[-1]
            self._nodes.append(self._step(here, here.at + self._width, self._guess(self._width)))
            self._width = min(self._width * self._ratio, _WIDEST)

    def _guess(self, ahead: float) -> float:
        """The ionic current `ahead` of the last node if it goes on as between the last two."""
        here = self._nodes[-1]
        if len(self._nodes) < 3:
            return here.ionic
        before = self._nodes[-2]
        return here.ionic + (here.ionic - before.ionic) / (here.at - before.at) * ahead

    def _before(self, times: Floats) -> list[int]:
        """The node from which each instant is reached."""
        starts = np.array([node.at for node in self._nodes])
        return list(np.maximum(np.searchsorted(starts, times, side="left") - 1, 0))

    def _step(self, node: _Node, at: float, guess: float | None = None) -> _Node:
        reach = self._reach([node], np.array([at]))
        first = reach.ionic if guess is None else np.array([guess])
        ionic, voltage, store = self._solve(reach, first)
        leaking = float(self._leak.current(voltage)[0])
        width, j = at - node.at, float(ionic[0])
        through = 0.5 * width * (node.ionic + j)
        beside = 0.5 * width * (node.leaking + leaking)
        return _Node(
            at=at,
            states=(reach.base + reach.gain * j)[0],
            store=store[0],
            ionic=j,
            leaking=leaking,
            passed=node.passed + through + beside,
            leaked=node.leaked + beside,
        )

    def _look(self, times: Floats) -> tuple[Floats, Floats]:
        reach = self._reach([self._nodes[at] for at in self._before(times)], times)
        ionic, voltage, _ = self._solve(reach, reach.ionic)
        match self.drive:
            case Galvanostat(j, series):
                return voltage + j * series, np.full(len(times), j)
            case Potentiostat(volts):
                return np.full(len(times), volts), ionic + self._leak.current(voltage)

    def _reach(self, nodes: list[_Node], times: Floats) -> _Reach:
        if len(nodes) == 1:
            return self._reach_one(nodes[0], times)
        seconds = times - np.array([node.at for node in nodes])
        ionic = np.array([node.ionic for node in nodes])
        a, b, c = self._setting.bank.ramps(seconds)
        base = a * np.stack([node.states for node in nodes]) + b * ionic[:, None]
        return _Reach(times, seconds, ionic, np.stack([node.store for node in nodes]), base, c)

    def _reach_one(self, node: _Node, times: Floats) -> _Reach:
        seconds, ionic = times - node.at, np.array([node.ionic])
        a, b, c = self._setting.bank.ramp(float(seconds[0]))
        return _Reach(times, seconds, ionic, node.store[None], a * node.states + b * node.ionic, c)

    def _solve(self, reach: _Reach, guess: Floats) -> tuple[Floats, Floats, Floats]:
        """Ionic current, voltage and reservoirs at the instants reached.

        Newton's method with a nudged slope, both evaluated at once; when that is slow it is kept
        inside the bracket that it has seen, for the condition rises with the current.
        """
        setting, age = self._setting, self._moment.age
        start, gain = setting.bank.now(reach.base), setting.bank.now(reach.gain)

        def stores(j: Floats) -> Floats:
            return setting.chemistry.stores(reach.store, 0.5 * (reach.ionic + j), reach.seconds, age)

        def felt(j: Floats) -> bool:
            if len(reach.store) > 1:
                return True
            passed = 0.5 * np.abs(reach.ionic + j).max() * reach.seconds[0]
            return setting.chemistry.feels(reach.store[0], float(passed))

        def voltage(j: Floats) -> Floats:
            beside = (slice(None), *[None] * (j.ndim - 1))
            sums = start[beside] + gain[beside] * j
            held = stores(j) if felt(j) else reach.store[0]
            return setting.chemistry.voltage(j, sums, held, age, setting.temperature)

        if self._imposed is not None:
            j = self._imposed(reach.times)
            return j, voltage(j), stores(j)
        j, low, high = guess, np.full_like(guess, -np.inf), np.full_like(guess, np.inf)
        for attempt in range(_PATIENCE):
            pair = np.array((j, j + _NUDGE))
            volts = voltage(pair)
            error, nudged = self._excess(pair, volts)
            better = j - error * _NUDGE / (nudged - error)
            if attempt >= _TRUSTED:
                low, high = np.where(error <= 0.0, j, low), np.where(error >= 0.0, j, high)
                better = _inside(low, high, better)
            share = (better - j) / _NUDGE
            close = np.abs(better - j) <= _CLOSE * (np.abs(j) + 1.0)
            if attempt >= _SLOW and attempt % 2:  # to and fro over a bend
                better = np.where(close, better, _inside(low, high, np.full_like(j, np.nan)))
            if close.all():
                return better, volts[0] + share * (volts[1] - volts[0]), stores(better)
            j = better
        raise ArithmeticError(f"the current did not settle under {self.drive}: {j}")

    def _excess(self, j: Floats, volts: Floats) -> Floats:
        match self.drive:
            case Potentiostat(held, 0.0):
                return volts - held
            case Potentiostat(held, series):
                return volts + series * (j + self._leak.current(volts)) - held
            case Galvanostat(applied):
                return j + self._leak.current(volts) - applied


def _inside(low: Floats, high: Floats, better: Floats) -> Floats:
    """`better`, or the middle of the bracket, once there is one, where `better` lies outside or is NaN."""
    outside = ~((better >= low) & (better <= high)) & np.isfinite(low + high)
    return np.where(outside, 0.5 * (low + high), better)
