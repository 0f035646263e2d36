"""Acceptance 6: the trajectory is the cell's own, whoever looks at it and however often."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from hilcycler_simulators.cells import bank, catalogue, kinetics, march
from hilcycler_simulators.cells.wiener import WienerCell

Make = Callable[..., WienerCell]
Floats = NDArray[np.float64]

KINDS = ["li-li/bn-pp", "li-li/limmt-pe", "li-cu/pota-no3", "li-lfp/wng", "li-s/bn-pp", "ss-ss/pp"]
MICROVOLT = 1e-6  # finer than any instrument simulated here resolves


def area(cell: WienerCell) -> float:
    found = cell.label.area
    assert found is not None
    return found


@pytest.mark.parametrize("name", KINDS)
def test_polling_faster_changes_nothing(name: str) -> None:
    """A host that polls four times a second and one that looks once see the same cell, to the last bit."""
    polled, left_alone = (catalogue.make(name, seed=3) for _ in range(2))
    for sign, seconds in ((-1, 50), (1, 30), (0, 20)):
        current = sign * 10.0 * area(polled)
        for _ in range(4 * seconds):
            polled.galvanostatic(current, np.array([0.25])).commit(0.25)
        left_alone.galvanostatic(current, np.array([float(seconds)])).commit(float(seconds))
    after = np.array([0.5, 1.0, 1.5])
    once = left_alone.galvanostatic(0.0, after).voltage
    assert np.array_equal(polled.galvanostatic(0.0, after).voltage, once)


def test_polling_a_held_voltage_changes_nothing() -> None:
    polled, left_alone = (catalogue.make("li-li/pp", seed=3) for _ in range(2))
    for _ in range(80):
        polled.potentiostatic(np.array([0.01]), np.array([0.25])).commit(0.25)
    left_alone.potentiostatic(np.array([0.01]), np.array([20.0])).commit(20.0)
    once = left_alone.potentiostatic(np.array([0.01]), np.array([1.0])).current
    assert np.array_equal(polled.potentiostatic(np.array([0.01]), np.array([1.0])).current, once)


def test_the_grid_asked_for_changes_less_than_a_microvolt() -> None:
    """Steps of 10 s and of 0.1 s, also through a soft short and into a hard one."""
    ends = []
    for step in (10.0, 0.1):
        cell = catalogue.make("li-li/limmt-pe", seed=5)
        for number in range(80):
            cell.galvanostatic((-1) ** number * 10.0 * area(cell), np.empty(0)).commit(3 * 3600.0)
        times = np.arange(step, 600.0 + step / 2, step)
        course = cell.galvanostatic(10.0 * area(cell), times)
        course.commit(600.0)
        ends.append((course.voltage[-1], cell.galvanostatic(0.0, np.array([5.0])).voltage[0]))
    assert ends[0] == pytest.approx(ends[1], abs=MICROVOLT)


def test_halving_the_nodes_of_a_march_changes_less_than_a_microvolt(
    symmetric: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shorted cell under current: its ionic current is marched on nodes of its own."""
    short = '[life.soft_short]\nonset = "1 s"\nwait = "2 s"\nlasts = "100000 h"\nresistance = "20 ohm cm2"\nspread = 0.0'
    times = np.array([1e-3, 0.1, 1.0, 10.0, 100.0, 3600.0])

    def seen() -> Floats:
        cell = symmetric(more=short)
        cell.galvanostatic(1e-3, np.empty(0)).commit(3600.0)
        return cell.galvanostatic(-1e-3, times).voltage

    coarse = seen()
    monkeypatch.setattr("hilcycler_simulators.cells.wiener.FINE", (march.FINE[0] / 2, march.FINE[1] ** 0.5))
    monkeypatch.setattr(march, "_WIDEST", 15.0)
    fine = seen()
    assert np.abs(coarse - fine).max() < MICROVOLT


def test_events_happen_when_they_happen_whoever_looks() -> None:
    """Soft shorts come at times of the cell's clock: two ways of cutting the same hours agree."""
    seen = []
    for cut in (3 * 3600.0, 1800.0):
        cell = catalogue.make("li-li/limmt-pe", seed=7)
        volts = []
        for number in range(100):
            for _ in range(round(3 * 3600.0 / cut)):
                course = cell.galvanostatic((-1) ** number * 10.0 * area(cell), np.array([cut]))
                course.commit(cut)
            volts.append(course.voltage[0])
        seen.append(np.array(volts))
    assert np.abs(np.abs(seen[0]) - np.median(np.abs(seen[0]))).max() > 1e-3, "there was no short to see"
    assert seen[0] == pytest.approx(seen[1], abs=1e-9)


def test_two_seeds_differ_only_by_chance_and_one_seed_never() -> None:
    def life(seed: int) -> Floats:
        cell = catalogue.make("li-li/limmt-pe", seed)
        volts = []
        for number in range(100):
            course = cell.galvanostatic((-1) ** number * 10.0 * area(cell), np.array([5400.0]))
            course.commit(10800.0)
            volts.append(abs(course.voltage[0]))
        return np.array(volts)

    first, again, other = life(7), life(7), life(8)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.median(first) == pytest.approx(np.median(other), rel=0.05)


def test_another_processor_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums in another order and an exp that errs in its last digit: different floats, the same codes.

    That is how numpy differs between processors. A converter's least significant bit, here 1 uV, is
    ten orders of magnitude above it, so a code changes about once in 1e10 samples.
    """

    def volts() -> Floats:
        cell = catalogue.make("li-li/bn-pp", seed=1)
        times, seen = np.geomspace(1e-3, 3600.0, 360), []
        for number in range(200):
            course = cell.galvanostatic((-1) ** number * 10.0 * area(cell), times)
            course.commit(3600.0)
            seen.append(course.voltage)
        return np.concatenate(seen)

    here = volts()
    wobble = np.random.default_rng(0)
    kinetic = kinetics.overpotential

    def other_asinh(j: Floats, j0: float, temperature: float) -> Floats:
        volts = kinetic(j, j0, temperature)
        return volts * (1.0 + 2.2e-16 * wobble.integers(-1, 2, volts.shape))

    def other_sums(self: bank.Bank, times: Floats, states: Floats, j: float) -> Floats:
        decay = np.exp(-times / self.tau[:, None])
        decay = decay * (1.0 + 2.2e-16 * wobble.integers(-1, 2, decay.shape))
        away = (states - j)[::-1, None] * self.weights[::-1]
        summed = np.stack([(chain[:, None] * decay[::-1]).sum(axis=0) for chain in away.T])
        return summed + self.totals[:, None] * j

    monkeypatch.setattr(bank.Bank, "follow", other_sums)
    monkeypatch.setattr("hilcycler_simulators.cells.interfaces.overpotential", other_asinh)
    there = volts()
    assert not np.array_equal(here, there)
    assert np.abs(here - there).max() < 1e-14
    assert (
        np.rint(here / MICROVOLT).astype(np.int64).tobytes()
        == np.rint(there / MICROVOLT).astype(np.int64).tobytes()
    )
