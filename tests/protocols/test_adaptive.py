"""Adaptive experiments: what they decide from what results, on the twin, and after any restart."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from direct_twin import direct_channel
from spine import make_twin, on_memory

from hilcycler.errors import RequestError
from hilcycler.journal import open_run
from hilcycler.language import loads, written_out
from hilcycler.preflight import preflight, rehearse
from hilcycler.protocol import Deciding, Envelope, Plan, Planned, Protocol, resume, walk
from hilcycler.records import Outcome, StepEnded, StepStarted
from hilcycler.steps import ConstantCurrent, End, SpectrumPoint, Step, StepResult, TimeReached
from hilcycler_protocols.adaptive.steady_arc import distance

HEAD = "cell: {working: Li, counter: Li, area: 1.131 cm2}\n"
SHORTS = HEAD + "experiment: symmetric-until-short\nwith: {cycles: 6, capacity: 0.1 mAh/cm2}\n"
ARCS = HEAD + "experiment: impedance-until-steady\nwith: {to: 10 Hz, points per decade: 5, at most: 6}\n"


def bound(text: str) -> Protocol:
    return loads(text).bind()


def asked(plan: Plan, answer: Callable[[Planned], StepResult]) -> list[Planned]:
    """All that `plan` asks for, told what `answer` makes of each."""
    seen: list[Planned] = []
    planned: Planned | None = next(plan)
    while planned is not None:
        seen.append(planned)
        try:
            planned = plan.send(answer(planned))
        except StopIteration:
            planned = None
    return seen


def ended(voltage: float | None = None, end: int | None = None, arc: float | None = None) -> StepResult:
    points = () if arc is None else (SpectrumPoint(1e3, 5.0, 0.0), SpectrumPoint(1.0, 5.0 + arc, -0.1 * arc))
    return StepResult(end, 600.0, 0.4, voltage, 1e-3, spectrum=points)


# --- until a soft short ---------------------------------------------------------------------


@pytest.mark.parametrize("healthy", [1, 4, 7])
def test_it_stops_at_the_second_suspect_half_cycle(healthy: int) -> None:
    def answer(planned: Planned) -> StepResult:
        if planned.index == 1:
            return ended(0.0)
        halves.append(planned)
        return ended(0.040 if len(halves) <= healthy else 0.018)

    halves: list[Planned] = []
    seen = asked(walk(bound(SHORTS)), answer)
    assert [each.index for each in seen] == [1, *([2, 3] * 6)[: healthy + 2]]
    assert [each.cycle for each in seen[1:]] == [1 + at // 2 for at in range(healthy + 2)]


def test_one_suspect_half_cycle_is_noise() -> None:
    voltages = iter([0.0, 0.04, 0.01, 0.04, 0.01, *[0.04] * 20])
    assert len(asked(walk(bound(SHORTS)), lambda _: ended(next(voltages)))) == 1 + 12


def test_a_limit_that_stops_the_run_stops_it() -> None:
    seen = asked(walk(bound(SHORTS)), lambda planned: ended(0.6, end=0 if planned.index == 2 else None))
    assert [each.index for each in seen] == [1, 2]


def test_a_limit_leads_to_the_spectrum_after_the_test_where_one_is_wanted() -> None:
    text = SHORTS.replace("cycles: 6", "cycles: 6, spectrum: {to: 1 Hz}")
    seen = asked(
        walk(bound(text)), lambda planned: ended(0.6, end=0 if planned.step.kind != "peis" else None)
    )
    assert [each.step.kind for each in seen] == [
        "rest", "rest", "peis", "constant-current", "rest", "peis"
    ]  # fmt: skip


# --- until the arc is steady ----------------------------------------------------------------


def test_it_measures_until_two_spectra_in_a_row_are_those_before() -> None:
    arcs = iter([20.0, 30.0, 35.0, 35.2, 35.3, 99.0])
    seen = asked(walk(bound(ARCS)), lambda planned: ended(arc=next(arcs) if planned.index == 2 else None))
    assert [each.index for each in seen] == [1, 2, 3] * 4 + [1, 2]
    assert seen[-1].cycle == 5


def test_a_spectrum_that_was_not_observed_whole_counts_for_none() -> None:
    arcs = iter([35.0, 35.1, None, 35.1, 35.1, 35.1])
    seen = asked(walk(bound(ARCS)), lambda planned: ended(arc=next(arcs) if planned.index == 2 else None))
    assert [each.index for each in seen].count(2) == 6


def test_it_gives_up_after_so_many() -> None:
    arcs = iter(range(1, 100))
    seen = asked(walk(bound(ARCS)), lambda planned: ended(arc=next(arcs) if planned.index == 2 else None))
    assert [each.index for each in seen] == [1, 2, 3] * 5 + [1, 2]


def test_how_far_spectra_lie_apart() -> None:
    one, two = ended(arc=30.0).spectrum, ended(arc=33.0).spectrum
    assert distance(one, two) == pytest.approx(math.hypot(3.0, 0.3) / 33.0)
    assert distance(one, one) == 0.0
    for odd in (
        (),
        one[:1],
        (one[0], SpectrumPoint(2.0, 35.0, -3.0)),
        (one[0], SpectrumPoint(1.0, math.nan, 0.0)),
    ):
        assert distance(one, odd) == math.inf


# --- on the twin ----------------------------------------------------------------------------


@pytest.mark.parametrize("text", [SHORTS, ARCS], ids=["short", "arc"])
def test_preflight_rehearses_what_it_decides(text: str) -> None:
    document = loads(text)
    report = preflight(document.bind(), document.cell, "twin", "li-li/bn-pp")
    assert report.errors == ()
    assert report.rehearsed is not None
    assert report.rehearsed.outcome is Outcome.COMPLETED
    expected = {"short": 13, "arc": 8}["short" if text is SHORTS else "arc"]
    assert report.rehearsed.executed == expected


@pytest.mark.parametrize("text", [SHORTS, ARCS], ids=["short", "arc"])
def test_its_run_says_what_decided_and_any_restart_decides_the_same(text: str, tmp_path: Path) -> None:
    performed = on_memory(make_twin(), tmp_path, text)
    assert performed.ended.outcome is Outcome.COMPLETED
    run = open_run(performed.path)
    protocol = loads(run.header.protocol_text).bind(run.header.cell)
    assert protocol.deciding is not None
    assert run.header.versions[protocol.deciding.name] == protocol.deciding.version
    started = [each for each in run.events() if isinstance(each, StepStarted)]
    results = [each.result for each in run.events() if isinstance(each, StepEnded)]
    taken = [(each.step_index, each.cycle) for each in started]
    assert any(result.spectrum for result in results) == (text is ARCS)
    for cut in range(len(results)):
        _, following = resume(lambda: walk(protocol), results[:cut], taken[:cut])
        assert following is not None
        assert (following.index, following.cycle) == taken[cut]
        assert type(following.step) is type(started[cut].step)
    assert resume(lambda: walk(protocol), results, taken)[1] is None


def test_a_step_that_was_not_written_down_is_refused() -> None:
    protocol = bound(SHORTS)

    def inventive(steps: Sequence[Step]) -> Plan:
        yield Planned(steps[0], 1, 0)
        yield Planned(ConstantCurrent(0.5, (End(TimeReached(60.0)),)), 2, 1)

    plan = walk(replace(protocol, deciding=Deciding("inventive", "1", inventive)))
    next(plan)
    with pytest.raises(RequestError, match="inventive asks for a step 2 that its protocol does not hold"):
        plan.send(ended(0.0))


def test_a_plan_that_decides_otherwise_is_refused() -> None:
    protocol = bound(SHORTS)
    results = [ended(0.0), ended(0.04), ended(0.04)]
    with pytest.raises(RequestError, match="asks for step 3 of cycle 1 where the run did step 2 of cycle 2"):
        resume(lambda: walk(protocol), results, [(1, 0), (2, 1), (2, 2)])


def test_a_direct_channel_hands_on_whole_spectra() -> None:
    seen: list[StepResult] = []

    def listened(plan: Plan) -> Plan:
        planned = next(plan)
        while True:
            seen.append((yield planned))
            try:
                planned = plan.send(seen[-1])
            except StopIteration:
                return

    document = loads(ARCS)
    channel, _ = direct_channel("li-li/bn-pp")
    assert document.cell is not None
    asyncio.run(
        rehearse(
            listened(walk(document.bind())), channel, Envelope((-1.0, 1.0), (-0.01, 0.01)), document.cell
        )
    )
    spectra = [each.spectrum for each in seen if each.spectrum]
    assert len(spectra) == 3
    assert {len(each) for each in spectra} == {22}  # 100 kHz to 10 Hz, 5 a decade, and the drift check
    assert spectra[0][0].frequency == pytest.approx(1e5)


def test_no_file_of_steps_can_say_it() -> None:
    with pytest.raises(RequestError, match="decides as it goes"):
        written_out("symmetric-until-short")
