"""The fold behind the view: order, repetition, gaps, windows and pace."""

import math
from typing import Any

import numpy as np
import pytest
from imagined_run import ImaginedRun

from hilcycler.records import Gap, OffState, Outcome, Resumed, SampleBlock
from hilcycler.steps import OperatorPause, Process
from hilcycler.tui.live import Live, Phase
from hilcycler.tui.trace import Trace


def folded(*records: Any) -> Live:
    live = Live()
    for record in records:
        live.put(record)
    return live


def test_samples_that_come_twice_count_once(imagined: ImaginedRun) -> None:
    records = [imagined.started(), *imagined.half_cycle(1, Process.PLATE)]
    blocks = [r for r in records if isinstance(r, SampleBlock)]
    once, twice = folded(*records), folded(*records, *blocks)
    assert len(twice.trace) == len(once.trace) == 60
    grown = SampleBlock(0, 1, 1, 1, {name: np.tile(c, 5) for name, c in blocks[0].columns.items()})
    assert len(folded(*records[:3], grown).trace) == 75


def test_the_window_begins_where_its_first_cycle_begins(imagined: ImaginedRun) -> None:
    live = folded(imagined.started(), *imagined.cycles(1, 5, spectra_every=99))
    for count, begins in ((1, 8.0), (3, 4.0), (5, 0.0), (50, 0.0)):
        time, volts, amperes = live.trace.last_cycles(count)
        assert time[0] == begins * 3600.0
        assert len(time) == len(volts) == len(amperes)


def test_the_line_is_broken_by_a_spectrum_and_by_a_gap(imagined: ImaginedRun) -> None:
    live = folded(imagined.started(), *imagined.half_cycle(1, Process.PLATE), *imagined.spectrum(1))
    until = imagined.time
    for record in imagined.half_cycle(1, Process.STRIP):
        live.put(record)
    time, volts, _ = live.trace.last_cycles(9)
    assert np.flatnonzero(np.isnan(time)).tolist() == np.flatnonzero(np.isnan(volts)).tolist() == [60]
    live.put(Gap(3, until + 630.0, until + 640.0, 1.0, "asleep", imagined.stamp()))
    time = live.trace.last_cycles(9)[0]
    assert np.flatnonzero(np.isnan(time)).tolist() == [60, 72]
    assert time[71] <= until + 630.0 < time[73]


def test_what_is_forgotten_is_the_oldest(imagined: ImaginedRun) -> None:
    live = folded(imagined.started(), *imagined.cycles(1, 30, spectra_every=99))
    small = Trace(capacity=1000)
    for cycle in range(1, 31):
        block = make_block(imagined, cycle)
        small.add(block)
    assert len(small) <= 1000
    assert small.last_cycles(1)[0][-1] == block.columns["test_time"][-1]
    assert np.all(np.diff(small.last_cycles(100)[0]) > 0.0)
    assert len(live.trace) == 30 * 120


def make_block(run: ImaginedRun, cycle: int) -> SampleBlock:
    run.time = cycle * 7200.0
    block: SampleBlock = run.samples(cycle, 1.0, 0.0, 7200.0)
    return block


def test_the_first_spectrum_and_the_last_two_are_kept(imagined: ImaginedRun) -> None:
    live = folded(imagined.started(), *imagined.cycles(1, 25))
    assert [spectrum.cycle for spectrum in live.spectra.kept()] == [5, 20, 25]
    assert all(len(spectrum.impedance) == 31 for spectrum in live.spectra.kept())


def test_progress_goes_by_ended_steps_and_the_share_of_the_running_one(imagined: ImaginedRun) -> None:
    live = folded(imagined.started(planned_steps=10), *imagined.cycles(1, 2, spectra_every=99))
    assert live.advance.fraction == pytest.approx(0.4)
    assert live.advance.left == pytest.approx(6 * 3600.0)
    for record in list(imagined.half_cycle(3, Process.PLATE))[:3]:
        live.put(record)
    assert live.advance.done == pytest.approx(4.0 + 1740.0 / 3600.0)
    assert live.advance.left == pytest.approx((6 - 1740 / 3600) * 3600.0)


def test_a_protocol_that_decides_as_it_goes_has_no_fraction(imagined: ImaginedRun) -> None:
    advance = folded(imagined.started(planned_steps=None), *imagined.cycles(1, 2)).advance
    assert advance.fraction is None
    assert advance.done == 4
    assert folded().advance.fraction is None


def test_nothing_is_left_of_a_run_that_is_over(imagined: ImaginedRun) -> None:
    live = folded(imagined.started(planned_steps=10), *imagined.cycles(1, 2), imagined.ended(Outcome.STOPPED))
    assert live.advance.left is None


def test_phases_follow_the_records(imagined: ImaginedRun) -> None:
    live = Live()
    seen = [live.now]
    for record in (
        imagined.started(),
        imagined.begin(OperatorPause("look"), 0),
        imagined.end(0.0),
        *imagined.half_cycle(1, Process.PLATE),
        imagined.failed("unplugged", OffState.UNCONFIRMED),
        Resumed(2, False, "", imagined.stamp()),
        imagined.ended(),
    ):
        live.put(record)
        if (live.now.phase, live.now.off) != (seen[-1].phase, seen[-1].off):
            seen.append(live.now)
    assert math.isnan(seen[0].voltage)
    assert [(now.phase, now.off, now.reason) for now in seen] == [
        (Phase.WAITING, None, ""),
        (Phase.RUNNING, None, ""),
        (Phase.PAUSED, None, ""),
        (Phase.RUNNING, None, ""),
        (Phase.FAILED, OffState.UNCONFIRMED, "unplugged"),
        (Phase.RUNNING, None, ""),
        (Phase.COMPLETED, OffState.OFF, "protocol complete"),
    ]
