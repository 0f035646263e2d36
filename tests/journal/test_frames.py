"""What a notebook gets: windows, frames, steps and spectra, in agreement with what was written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_stories import RUN, story, tell, written_columns

import hilcycler
from hilcycler.clock import Stamp
from hilcycler.errors import RequestError
from hilcycler.journal import Run, Settings
from hilcycler.journal.bench import example_header, example_samples, example_step
from hilcycler.records import Record, SampleBlock, StepEnded
from hilcycler.steps import StepResult


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Three steps of 1500 samples in many small blocks."""
    path = tell(tmp_path_factory.mktemp("run"), story(rows=1500), Settings(inline=True, inline_rows=70))
    return hilcycler.open_run(path)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.floats(-100, 6000), st.floats(-100, 6000), st.sets(st.sampled_from(("voltage", "cycle", "status"))))
def test_a_window_is_a_slice_of_the_whole(run: Run, t0: float, t1: float, names: set[str]) -> None:
    whole = run.columns()
    inside = (whole["test_time"] >= t0) & (whole["test_time"] <= t1)
    window = run.columns(tuple(names), t0, t1)
    assert window.keys() == names
    assert all(np.array_equal(column, whole[name][inside]) for name, column in window.items())


def test_chunks_add_up_to_the_whole(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hilcycler.journal.reading.CHUNK", 1000)
    parts = list(run.chunks(("test_time", "step_count"), 10.0, 4000.0))
    assert [len(part["test_time"]) for part in parts[1:-1]] == [1000] * (len(parts) - 2)
    whole = run.columns(("test_time", "step_count"), 10.0, 4000.0)
    for name, column in whole.items():
        assert np.array_equal(np.concatenate([part[name] for part in parts]), column)


def test_samples_are_a_frame(run: Run) -> None:
    frame = run.samples()
    expected = written_columns(story(rows=1500))
    assert [*frame.columns] == [*expected]
    assert all(np.array_equal(frame[name], column) for name, column in expected.items())
    assert len(run.samples(["voltage"], t0=100.0, t1=199.0)) == 100


def test_an_unknown_column_is_named(run: Run) -> None:
    with pytest.raises(RequestError, match="no column 'Voltage'"):
        run.columns(("Voltage",))


def test_one_row_an_executed_step(run: Run) -> None:
    steps = run.steps()
    assert [step.count for step in steps] == [1, 2, 3]
    assert [(step.first, step.rows) for step in steps] == [(0, 1500), (1500, 1500), (3000, 1500)]
    assert {step.kind for step in steps} == {"constant-current"}
    assert {step.ended_by for step in steps} == {"time"}
    assert [step.duration for step in steps] == [1500.0] * 3
    assert [*run.step_table()["charge"]] == [-0.7] * 3


def test_spectra_know_their_step_and_cycle(run: Run) -> None:
    frame = run.spectra()
    assert [*frame["frequency"]] == [10.0, 100.0, 1000.0]
    assert [*frame["step_index"]] == [2, 1, 2]
    assert [*frame["cycle"]] == [0, 1, 1]
    assert len(run.spectra(t0=2000.0, t1=3500.0)) == 1


def test_cycles_sum_up_their_steps(run: Run) -> None:
    frame = run.cycles()
    assert [*frame["cycle"]] == [0, 1]
    assert [*frame["steps"]] == [1, 2]
    assert [*frame["discharged"]] == pytest.approx([0.7, 1.4])
    assert [*frame["rows"]] == [1500, 3000]


def test_events_are_a_table(run: Run) -> None:
    frame = run.event_table()
    assert [*frame["kind"]] == ["run-started", *["step-started", "step-ended"] * 3, "run-ended"]
    assert str(frame["utc"].dt.tz) == "UTC"
    assert frame["sequence"].is_monotonic_increasing


def test_a_run_of_nothing_but_a_header_has_empty_frames(tmp_path: Path) -> None:
    run = hilcycler.open_run(tell(tmp_path, [example_header(RUN)]))
    assert run.header == example_header(RUN)
    assert run.rows == len(run.samples()) == len(run.spectra()) == len(run.cycles()) == len(run.steps()) == 0


def test_a_remainder_names_the_step_that_was_cut_off(tmp_path: Path) -> None:
    rest = example_step(2, 10.0)
    remainder = rest.__class__(2, 1, 0, rest.step, 10.0, Stamp(0.0, 0.0), continues=1)
    records: list[Record] = [
        example_header(RUN),
        example_step(1, 0.0),
        example_samples(0, 10),
        remainder,
        SampleBlock(10, 2, 1, 0, example_samples(10, 10).columns),
        StepEnded(2, StepResult(0, 20.0, -0.02, 0.1, None, partial=True), 20.0, Stamp(0.0, 0.0)),
    ]
    cut_off, finished = hilcycler.open_run(tell(tmp_path, records)).steps()
    assert (cut_off.duration, cut_off.ended_by, cut_off.rows) == (None, None, 10)
    assert (finished.duration, finished.partial, finished.continues) == (20.0, True, 1)


def test_rows_with_and_without_temperature_stand_in_one_column(tmp_path: Path) -> None:
    warm = SampleBlock(10, 1, 2, 0, {**example_samples(10, 10).columns, "temperature": np.full(10, 300.0)})
    records: list[Record] = [example_header(RUN), example_samples(0, 10), warm, example_samples(20, 10)]
    temperature = hilcycler.open_run(tell(tmp_path, records)).columns()["temperature"]
    assert np.array_equal(np.isnan(temperature), [True] * 10 + [False] * 10 + [True] * 10)


def test_time_that_runs_backwards_hides_nothing(tmp_path: Path) -> None:
    """An instrument's timer may be corrected; a window still holds all that lies in it."""
    records: list[Record] = [example_header(RUN)]
    times = np.concatenate([np.arange(500.0), np.arange(430.0, 900.0), np.arange(890.0, 1300.0)])
    for start in range(0, len(times), 100):
        part = times[start : start + 100]
        records.append(
            SampleBlock(start, 1, 1, 0, {**example_samples(0, len(part)).columns, "test_time": part})
        )
    run = hilcycler.open_run(tell(tmp_path, records, Settings(inline=True, inline_rows=100)))
    for low, high in ((0.0, 440.0), (435.0, 440.0), (499.0, 500.0), (895.0, 895.0), (1299.0, 2000.0)):
        expected = times[(times >= low) & (times <= high)]
        assert np.array_equal(run.columns(("test_time",), low, high)["test_time"], expected)


def test_pandas_is_not_loaded_by_writing_or_reading() -> None:
    code = "import sys, hilcycler.journal; hilcycler.open_run; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", f"import hilcycler; {code}"], check=False).returncode == 0
