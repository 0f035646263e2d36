"""An adaptive protocol is a generator: run on the twin, cut off, and resumed, it decides the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from direct_twin import direct_channel

from hilcycler.cell import Cell, Electrode
from hilcycler.preflight import rehearse
from hilcycler.protocol import Envelope, Plan, Planned, resume
from hilcycler.steps import StepResult
from hilcycler_protocols.adaptive.soft_short import until_soft_short

CELL = Cell("Li||Li", Electrode("Li"), Electrode("Li"))
ENVELOPE = Envelope((-1.0, 1.0), (-0.01, 0.01))
CURRENT, CHARGE, CYCLES = 1.131e-3, 1.131e-3 * 600.0, 6


def make() -> Plan:
    return until_soft_short(CURRENT, CHARGE, CYCLES)


def noted(plan: Plan, decisions: list[Planned], results: list[StepResult]) -> Plan:
    """`plan`, with what it asked for and what it was told written down."""
    planned = next(plan)
    while True:
        decisions.append(planned)
        result = yield planned
        results.append(result)
        try:
            planned = plan.send(result)
        except StopIteration:
            return


def shorted_after(healthy: int) -> Callable[[int], StepResult]:
    """A cell whose voltage at the end of a half-cycle halves after so many."""

    def result(number: int) -> StepResult:
        voltage = 0.040 if number < healthy else 0.018
        return StepResult(0, 600.0, CHARGE, voltage, CURRENT)

    return result


@pytest.mark.parametrize("healthy", [1, 4, 7])
def test_it_stops_at_the_second_suspect_half_cycle(healthy: int) -> None:
    plan, told, count = make(), shorted_after(healthy), 0
    planned: Planned | None = next(plan)
    while planned is not None:
        planned = next_of(plan, told(count))
        count += 1
    assert count == healthy + 2


def next_of(plan: Plan, result: StepResult) -> Planned | None:
    try:
        return plan.send(result)
    except StopIteration:
        return None


def test_on_the_twin_it_runs_and_any_restart_decides_the_same() -> None:
    decisions: list[Planned] = []
    results: list[StepResult] = []
    channel, _ = direct_channel("li-li/bn-pp")
    done = asyncio.run(rehearse(noted(make(), decisions, results), channel, ENVELOPE, CELL))
    assert done.executed == len(decisions) == 2 * CYCLES
    for cut in range(len(results) + 1):
        _, following = resume(make, results[:cut])
        assert following == (decisions[cut] if cut < len(decisions) else None)
