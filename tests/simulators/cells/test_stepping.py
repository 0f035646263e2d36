"""Acceptance 6: the trajectory is the cell's own, whoever looks at it and however often."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from spine import make_twin, order

from hilcycler.journal import Settings
from hilcycler.links import Link
from hilcycler.records import Outcome
from hilcycler.service.foreground import perform
from hilcycler_simulators.cells import catalogue, march
from hilcycler_simulators.cells.wiener import WienerCell
from hilcycler_simulators.virtual_time import run as run_in_virtual_time

Make = Callable[..., WienerCell]
Floats = NDArray[np.float64]

WIRE = """
protocol: what goes over the wire
safety: {voltage: -1 V to LIMIT V, current: -10 mA to 10 mA, charge: 5 mAh}
record: {every: 10 s}
steps:
  - rest: {for: 1 min}
  - repeat: 2
    steps:
      - plate: {current: 1 mA/cm2, until: {charge: 0.5 mAh/cm2}}
      - strip: {current: 1 mA/cm2, until: {charge: 0.4 mAh/cm2}}
  - peis: {amplitude: 5 mV rms, from: 100 kHz, to: 1 Hz}
"""
MICROVOLT = 1e-6  # finer than any instrument simulated here resolves


def area(cell: WienerCell) -> float:
    found = cell.label.area
    assert found is not None
    return found


def test_polling_faster_changes_nothing(kind: WienerCell) -> None:
    """A host that polls four times a second and one that looks once see the same cell, to the last bit."""
    polled, left_alone = kind, catalogue.make(kind.label.name, seed=1)
    for sign, seconds in ((-1, 50), (1, 30), (0, 20)):
        current = sign * 10.0 * area(polled)
        for _ in range(4 * seconds):
            polled.galvanostatic(current, np.array([0.25])).commit(0.25)
        left_alone.galvanostatic(current, np.array([float(seconds)])).commit(float(seconds))
    after = np.array([0.5, 1.0, 1.5])
    once = left_alone.galvanostatic(0.0, after).voltage
    assert np.array_equal(polled.galvanostatic(0.0, after).voltage, once)


def test_polling_a_held_voltage_changes_nothing(kind: WienerCell) -> None:
    polled, left_alone = kind, catalogue.make(kind.label.name, seed=1)
    held = float(polled.galvanostatic(0.0, np.array([1.0])).voltage[0]) + 0.01
    for _ in range(40):
        polled.potentiostatic(np.array([held]), np.array([0.25])).commit(0.25)
    left_alone.potentiostatic(np.array([held]), np.array([10.0])).commit(10.0)
    once = left_alone.potentiostatic(np.array([held]), np.array([1.0])).current
    assert np.array_equal(polled.potentiostatic(np.array([held]), np.array([1.0])).current, once)


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


def test_another_processor_shows_the_same_codes(other_processor: Callable[[], None]) -> None:
    """Different floats, the same codes of a converter whose least significant bit is 1 uV.

    That is ten orders of magnitude above the difference, so a code changes about once in 1e10 samples.
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
    other_processor()
    there = volts()
    assert not np.array_equal(here, there)
    assert np.abs(here - there).max() < 1e-14
    codes = [np.rint(each / MICROVOLT).astype(np.int64).tobytes() for each in (here, there)]
    assert codes[0] == codes[1]


class Heard:
    """A link that keeps what came over it."""

    def __init__(self, link: Link, heard: bytearray) -> None:
        self._link, self._heard = link, heard
        self.name, self.send, self.aclose = link.name, link.send, link.aclose

    async def receive(self, deadline: float) -> bytes:
        data = await self._link.receive(deadline)
        self._heard += data
        return data


@pytest.mark.parametrize("cell", ["li-li/limmt-pe", "li-cu/pota-no3"])
def test_another_processor_sends_the_same_bytes(
    cell: str, other_processor: Callable[[], None], tmp_path: Path
) -> None:
    """A whole run with noise and spectra, as it leaves the simulated instrument, byte by byte."""
    text = WIRE.replace("LIMIT", "4" if cell.startswith("li-cu") else "1")

    def heard(folder: str) -> bytes:
        twin, said = make_twin(cell=cell, seed=5), bytearray()

        async def reach() -> Link:
            return Heard(await twin.connect(), said)

        wanted = order(twin, reach, tmp_path / folder, text)
        ended = run_in_virtual_time(perform(wanted, None, Settings(inline=True))).ended
        assert ended.outcome is Outcome.COMPLETED
        return bytes(said)

    here, again = heard("here"), heard("again")
    other_processor()
    there = heard("there")
    assert len(here) > 20_000
    assert here == again
    assert here == there
