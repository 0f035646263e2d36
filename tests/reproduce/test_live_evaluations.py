"""Evaluations that follow a run give what they give afterwards, to the last digit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recorded_run import Recorded
from spine import make_twin, on_memory

from hilcycler import registry
from hilcycler.evaluation import evaluate
from hilcycler.journal import open_run
from hilcycler.records import Record
from hilcycler.steps import End, Rest, TimeReached

COPPER = """
protocol: efficiency
safety: {voltage: -1 V to 6 V}
record: {every: 60 s}
steps:
  - repeat: 2
    steps:
      - plate: {current: 1 mA/cm2, until: {charge: 1 mAh/cm2, voltage: below -0.5 V -> stop}}
      - strip: {current: 1 mA/cm2, until: {voltage: above 0.5 V, charge: 1.2 mAh/cm2}}
"""
FULL = """
protocol: two cycles
safety: {voltage: 1.9 V to 4.3 V}
record: {every: 60 s}
steps:
  - repeat: 2
    steps:
      - charge: {current: 1 C, until: {voltage: above 4 V, time: 3 h}}
      - discharge: {current: 1 C, until: {voltage: below 2.5 V, time: 3 h}}
"""


SYMMETRIC = """
protocol: symmetric cycles, a spectrum and a sweep
safety: {voltage: -1 V to 1 V}
record: {every: 60 s}
steps:
  - repeat: 3
    steps:
      - plate: {current: 1 mA/cm2, until: {charge: 0.2 mAh/cm2, voltage: below -0.5 V -> stop}}
      - strip: {current: 1 mA/cm2, until: {charge: 0.2 mAh/cm2, voltage: above 0.5 V -> stop}}
  - rest: 10 min
  - peis: {amplitude: 5 mV rms, from: 200 kHz, to: 100 mHz}
  - linear sweep: {from: -200 mV, to: 200 mV, rate: 5 mV/s}
"""
TRANSFERENCE = """
protocol: transference
experiment: bruce-vincent
with: {rest before: 1 min, spectrum: {from: 200 kHz, to: 100 mHz}}
"""
RESERVOIR = """
protocol: reservoir
experiment: aurbach-ce
with: {conditioning: 1 mAh/cm2, reservoir: 1 mAh/cm2, capacity: 0.2 mAh/cm2, cycles: 2, rest before: 1 min}
"""
CONDUCTIVITY = """
protocol: conductivity
experiment: conductivity
with: {leads: no, repeats: 1, rest before: 1 min, from: 200 kHz}
"""
TITRATION = """
protocol: titration
safety: {voltage: 2.5 V to 4.8 V}
record: {every: 5 s}
steps:
  - rest: 10 min
  - repeat: 2
    steps:
      - charge: {current: 0.1 C, for: 5 min}
      - rest: 20 min
"""
RUNS = {
    "coulombic-efficiency": [("li-cu/wng", COPPER), ("li-lfp/wng", FULL)],
    "retention": [("li-lfp/wng", FULL)],
    "nucleation": [("li-cu/wng", COPPER)],
    "overpotential": [("li-li/wng", SYMMETRIC)],
    "lifetime": [("li-li/wng", SYMMETRIC)],
    "impedance": [("li-li/wng", SYMMETRIC)],
    "exchange-current": [("li-li/wng", SYMMETRIC)],
    "transference": [("li-li/wng", TRANSFERENCE)],
    "reservoir-efficiency": [("li-cu/wng", RESERVOIR)],
    "conductivity": [("ss-ss/wng", CONDUCTIVITY)],
    "gitt": [("li-lco/pota-no3", TITRATION)],
}
BY_HAND = {"arrhenius"}
"""No chamber is on the simulated wire: its records are made here."""


class Watching:
    """A sink that evaluates as the records come."""

    def __init__(self, name: str) -> None:
        self.accumulator = registry.evaluation(name).start()
        self.found: list[Any] = []

    def put(self, record: Record) -> None:
        self.found += self.accumulator.put(record)

    async def commit(self) -> None:
        """Nothing is kept."""


def test_every_installed_evaluation_is_followed_here() -> None:
    assert set(registry.names("evaluations")) == set(RUNS) | BY_HAND


@pytest.mark.parametrize(
    ("name", "cell", "text"), [(name, cell, text) for name, runs in RUNS.items() for cell, text in runs]
)
def test_live_and_afterwards_are_the_same(name: str, cell: str, text: str, tmp_path: Path) -> None:
    watching = Watching(name)
    path = on_memory(make_twin(cell=cell), tmp_path, text, watch=lambda _: watching).path
    live = [*watching.found, *watching.accumulator.finish()]
    afterwards, found = evaluate(open_run(path), registry.evaluation(name))
    summary = [each.as_dict() for each in afterwards.summary()]
    assert summary
    assert [each.as_dict() for each in live] == [each.as_dict() for each in found]
    assert [each.as_dict() for each in watching.accumulator.summary()] == summary


def test_activation_energies_do_not_depend_on_how_the_records_were_cut() -> None:
    frequency = np.geomspace(1e5, 0.1, 40)
    summaries = []
    for blocks in (1, 4):
        run = Recorded().begin()
        for kelvin in (283.15, 293.15, 303.15, 313.15):
            grown = np.exp(55e3 / 8.314462618 * (1 / kelvin - 1 / 298.15))
            run.step(
                Rest((End(TimeReached(60.0)),)),
                np.arange(60.0).tolist(),
                [0.0] * 60,
                0.0,
                blocks=blocks,
                temperature=kelvin,
            )
            w = 2j * np.pi * frequency
            z = 3.0 + grown * (30.0 / (1 + (w * 2e-5) ** 0.9) + 60.0 / (1 + (w * 5e-3) ** 0.85))
            run.spectrum(list(zip(frequency.tolist(), z.tolist(), strict=True)))
        watching = Watching("arrhenius")
        for record in run.end().records:
            watching.put(record)
        afterwards, _ = evaluate(run, registry.evaluation("arrhenius"))
        summaries += [
            [each.as_dict() for each in one.summary()] for one in (watching.accumulator, afterwards)
        ]
    assert summaries[0]
    assert all(summary == summaries[0] for summary in summaries)
