"""Evaluations that follow a run give what they give afterwards, to the last digit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from spine import make_twin, on_memory

from hilcycler import registry
from hilcycler.evaluation import evaluate
from hilcycler.journal import open_run
from hilcycler.records import Record

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


class Watching:
    """A sink that evaluates as the records come."""

    def __init__(self, name: str) -> None:
        self.accumulator = registry.evaluation(name).start()
        self.found: list[Any] = []

    def put(self, record: Record) -> None:
        self.found += self.accumulator.put(record)

    async def commit(self) -> None:
        """Nothing is kept."""


@pytest.mark.parametrize(
    ("cell", "text", "name"),
    [
        ("li-cu/wng", COPPER, "coulombic-efficiency"),
        ("li-lfp/wng", FULL, "retention"),
        ("li-lfp/wng", FULL, "coulombic-efficiency"),
        ("li-cu/wng", COPPER, "nucleation"),
    ],
)
def test_live_and_afterwards_are_the_same(cell: str, text: str, name: str, tmp_path: Path) -> None:
    watching = Watching(name)
    path = on_memory(make_twin(cell=cell), tmp_path, text, watch=lambda _: watching).path
    live = [*watching.found, *watching.accumulator.finish()]
    afterwards, found = evaluate(open_run(path), registry.evaluation(name))
    assert found
    assert [each.as_dict() for each in live] == [each.as_dict() for each in found]
    assert [each.as_dict() for each in watching.accumulator.summary()] == [
        each.as_dict() for each in afterwards.summary()
    ]
