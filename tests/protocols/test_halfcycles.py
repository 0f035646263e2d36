"""Half-cycles go by the name of the process; what was not wholly seen says so."""

from __future__ import annotations

import numpy as np
import pytest
from recorded_run import Recorded, half_cycle, stamp, symmetric

from hilcycler.evaluation import replay
from hilcycler.records import Gap
from hilcycler.steps import ConstantCurrent, End, Process, Rest, TimeReached
from hilcycler_protocols.evaluation.halfcycles import HalfCycle, HalfCycles

REST = Rest((End(TimeReached(60.0)),))


def grouped(run: Recorded) -> list[HalfCycle]:
    halves = HalfCycles()
    found = [half for record in run.records for half in halves.put(record)]
    return [*found, *halves.finish()]


def test_one_for_each_process_of_each_cycle() -> None:
    halves = grouped(symmetric(cycles=3))
    assert [(half.cycle, half.process) for half in halves] == [
        (cycle, process) for cycle in (1, 2, 3) for process in (Process.PLATE, Process.STRIP)
    ]
    assert all(half.charge == pytest.approx(4.0716) and not half.partial for half in halves)
    assert all(half.passed[-1] == pytest.approx(4.0716) for half in halves)


def test_a_current_of_the_wrong_sign_does_not_rename_what_was_plated() -> None:
    """Leads swapped, or another program's convention: the protocol's word holds."""
    inverted = ConstantCurrent(+1e-3, (End(TimeReached(10.0)),), process=Process.PLATE)
    run = Recorded().begin().step(inverted, [0, 10], [0.01, 0.01], 1e-3, cycle=1).end()
    assert [half.process for half in grouped(run)] == [Process.PLATE]


def test_staged_plating_with_rests_is_one_half_cycle() -> None:
    plate, strip = half_cycle(Process.PLATE, 1e-3), half_cycle(Process.STRIP, 1e-3)
    run = Recorded().begin()
    run.step(plate, [0, 10], [-0.01] * 2, -1e-3, cycle=1).step(REST, [0, 60], [0.0] * 2, 0.0, cycle=1)
    run.step(plate, [0, 10], [-0.02] * 2, -1e-3, cycle=1).step(
        strip, [0, 10], [0.01] * 2, 1e-3, cycle=1
    ).end()
    first, second = grouped(run)
    assert first.step_counts == (1, 3)
    assert first.charge == pytest.approx(0.02)
    assert first.passed.tolist() == pytest.approx([0.0, 0.01, 0.01, 0.02])
    assert second.step_counts == (4,)


def test_a_new_cycle_begins_a_new_half_cycle() -> None:
    plate = half_cycle(Process.PLATE, 1e-3)
    run = Recorded().begin()
    for cycle in (1, 2):
        run.step(plate, [0, 10], [-0.01] * 2, -1e-3, cycle=cycle)
    assert [half.cycle for half in grouped(run.end())] == [1, 2]


def test_an_unnamed_current_belongs_to_no_half_cycle() -> None:
    signed = ConstantCurrent(-1e-3, (End(TimeReached(10.0)),))
    assert grouped(Recorded().begin().step(signed, [0, 10], [0.0, 0.0], -1e-3).end()) == []


@pytest.mark.parametrize("how", ["result", "gap", "cut off", "continued"])
def test_partial_where_it_was_not_wholly_seen(how: str) -> None:
    plate = half_cycle(Process.PLATE, 1e-3)
    run = Recorded().begin()
    run.step(plate, [0, 10], [-0.01] * 2, -1e-3, cycle=1, partial=how == "result")
    if how == "gap":
        run.records.append(Gap(1, 5.0, 6.0, 1e-3, "unplugged", stamp(6.0)))
    if how == "cut off":
        del run.records[-1]
    if how == "continued":
        run.step(plate, [0, 10], [-0.01] * 2, -1e-3, cycle=1, continues=1)
    (half,) = grouped(run)
    assert half.partial


def test_a_replayed_run_gives_the_same_half_cycles_to_the_last_bit() -> None:
    run = symmetric(cycles=2, blocks=5)
    halves = HalfCycles()
    again = [half for record in replay(run) for half in halves.put(record)]
    for live, after in zip(grouped(run), again, strict=True):
        assert np.array_equal(live.passed, after.passed)
        assert np.array_equal(live.voltage, after.voltage)
