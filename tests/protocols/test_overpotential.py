"""Overpotential and hysteresis: what each definition says about voltages that are known by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_run import LI_LI, Recorded, half_cycle, symmetric

from hilcycler.cell import Cell, Electrode
from hilcycler.evaluation import evaluate, replay
from hilcycler.registry import evaluation as installed
from hilcycler.steps import Process
from hilcycler_protocols.evaluation.overpotential import (
    Definition,
    Electrodes,
    Overpotentials,
    Quantity,
    evaluation,
    quoted,
)
from hilcycler_protocols.evaluation.results import EvaluationRefused, Refusal, Result

HOUR = np.arange(0.0, 3601.0, 10.0)
ORDER = list(Definition)


def evaluated(run: Recorded) -> tuple[Overpotentials, list[Result]]:
    accumulator = Overpotentials()
    found = [result for record in run.records for result in accumulator.put(record)]
    return accumulator, [*found, *accumulator.finish()]


def cycle_of(
    plated: np.ndarray, stripped: np.ndarray, cell: Cell = LI_LI, times: np.ndarray = HOUR
) -> Recorded:
    run = Recorded().begin(cell)
    for process, voltage, sign in ((Process.PLATE, plated, -1.0), (Process.STRIP, stripped, 1.0)):
        run.step(half_cycle(process, 1.131e-3), times.tolist(), voltage.tolist(), sign * 1.131e-3, cycle=1)
    return run.end()


def millivolts(
    results: list[Result], quantity: Quantity, electrodes: Electrodes = Electrodes.TWO
) -> list[float]:
    return [quoted(results, quantity, definition, electrodes).value * 1e3 for definition in ORDER]


def test_flat_traces_are_the_same_in_every_definition() -> None:
    _, results = evaluated(cycle_of(np.full(361, -0.013), np.full(361, 0.013)))
    assert millivolts(results, Quantity.OVERPOTENTIAL) == pytest.approx([13.0] * 4)
    assert millivolts(results, Quantity.HYSTERESIS) == pytest.approx([26.0] * 4)
    assert millivolts(results, Quantity.OVERPOTENTIAL, Electrodes.EACH) == pytest.approx([6.5] * 4)


def test_a_ramp_tells_the_definitions_apart() -> None:
    """|V| from 0 to 40 mV over the charge, both ways: central 20, end 40, median 20, mean 20."""
    ramp = np.linspace(0.0, 0.04, 361)
    _, results = evaluated(cycle_of(-ramp, ramp))
    assert millivolts(results, Quantity.OVERPOTENTIAL) == pytest.approx([20.0, 40.0, 20.0, 20.0], rel=1e-9)


def test_a_peak_at_the_end_is_outside_the_central_half() -> None:
    peaked = np.where(HOUR > 0.9 * 3600.0, 0.1, 0.02)
    _, results = evaluated(cycle_of(-peaked, peaked))
    central, end, median, mean = millivolts(results, Quantity.OVERPOTENTIAL)
    assert (central, end, median) == pytest.approx((20.0, 100.0, 20.0))
    assert mean == pytest.approx(20.0 + 80.0 * 0.1, rel=0.02)


def test_an_offset_cancels_in_the_hysteresis() -> None:
    _, results = evaluated(cycle_of(np.full(361, -0.013 + 0.005), np.full(361, 0.013 + 0.005)))
    assert quoted(results, Quantity.HYSTERESIS).value == pytest.approx(0.026)
    assert quoted(results, Quantity.OVERPOTENTIAL).value == pytest.approx(0.013)


@settings(max_examples=50)
@given(st.lists(st.floats(0.0, 3600.0), min_size=0, max_size=200, unique=True))
def test_where_a_trace_was_sampled_does_not_weigh(extra: list[float]) -> None:
    """Sampling more densely here than there leaves averages over the charge as they are."""
    times = np.unique(np.concatenate((HOUR, extra)))
    rising = 0.02 + 0.01 * times / 3600.0
    _, dense = evaluated(cycle_of(-rising, rising, times=times))
    assert quoted(dense).value == pytest.approx(0.025, rel=1e-9)
    assert quoted(dense, definition=Definition.MEAN).value == pytest.approx(0.025, rel=1e-9)
    assert quoted(dense, definition=Definition.MEDIAN).value == pytest.approx(0.025, abs=3e-5)


def test_every_number_says_what_it_is() -> None:
    _, results = evaluated(cycle_of(np.full(361, -0.013), np.full(361, 0.013)))
    result = quoted(results)
    assert (result.text(), str(result.window)) == ("13 mV", "charge 25 to 75 %")
    assert result.inputs["definition"] == "mean over the central part of the charge"
    assert result.inputs["electrodes"] == "two electrodes"
    assert result.inputs["cycles"] == "1"
    assert result.inputs["n"] == 2 * 181


def test_only_equal_electrodes_are_halved() -> None:
    flat = np.full(361, 0.013)
    cu = replace(LI_LI, working=Electrode("Cu"))
    three = replace(LI_LI, reference=Electrode("Li"))
    for cell, electrodes in ((cu, {Electrodes.TWO}), (three, {Electrodes.WORKING})):
        _, results = evaluated(cycle_of(-flat, flat, cell))
        assert {result.inputs["electrodes"] for result in results} == {str(e) for e in electrodes}


def test_the_voltage_of_a_full_cell_is_no_overpotential() -> None:
    run = Recorded().begin()
    for process, voltage, sign in ((Process.CHARGE, 3.6, 1.0), (Process.DISCHARGE, 3.4, -1.0)):
        run.step(half_cycle(process, 1e-3), HOUR.tolist(), [voltage] * 361, sign * 1e-3, cycle=1)
    _, results = evaluated(run.end())
    assert {result.name for result in results} == {"hysteresis"}
    assert quoted(results, Quantity.HYSTERESIS).value == pytest.approx(0.2)


def test_a_half_cycle_that_was_not_wholly_seen_gives_no_number() -> None:
    run = Recorded().begin()
    run.step(half_cycle(Process.PLATE, 1e-3), [0, 10], [-0.01] * 2, -1e-3, cycle=1, partial=True)
    run.step(half_cycle(Process.STRIP, 1e-3), [0, 10], [0.01] * 2, 1e-3, cycle=1)
    accumulator, results = evaluated(run.end())
    assert results == []
    assert accumulator.refused == ["plate of cycle 1 was only partly observed"]
    with pytest.raises(EvaluationRefused) as refused:
        quoted(accumulator.summary())
    assert refused.value.reason is Refusal.TOO_LITTLE_DATA


def test_not_a_number_in_the_trace_gives_no_number() -> None:
    flat = np.full(361, 0.013)
    accumulator, results = evaluated(cycle_of(np.where(HOUR == 100.0, np.nan, -flat), flat))
    assert results == []
    assert accumulator.refused == ["plate of cycle 1 holds no finite voltage"]


def test_the_summary_is_over_the_last_cycles() -> None:
    accumulator, _ = evaluated(symmetric(cycles=5))
    result = quoted(accumulator.summary(last=2))
    assert result.inputs["cycles"] == "4 to 5"
    assert result.value == pytest.approx(0.013)
    assert result.uncertainty == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize("blocks", [1, 3, 11])
def test_live_and_afterwards_agree_to_the_last_digit(blocks: int) -> None:
    run = symmetric(cycles=2, blocks=blocks)
    _, live = evaluated(run)
    _, after = evaluate(run, evaluation)
    assert [each.as_dict() for each in live] == [each.as_dict() for each in after]


def test_a_replay_has_the_records_of_the_run_in_order() -> None:
    run = symmetric(cycles=2, blocks=4)
    live, again = (
        [kind for kind, _ in groupby(map(type, records))] for records in (run.records, replay(run))
    )
    assert again == live


def test_it_is_found_by_its_name() -> None:
    assert installed("overpotential") is evaluation
