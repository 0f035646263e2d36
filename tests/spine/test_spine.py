"""The whole path through real bytes: protocol, engine, driver, link, simulator, cell, journal, export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from spine import make_twin, on_memory, on_wire

from hilcycler.export.bdf import export_csv
from hilcycler.journal import State, Verdict, open_run, verify
from hilcycler.records import OffState, Outcome, StepEnded

PLACES = ["memory", "pty", "tcp://127.0.0.1:0"]


def test_a_run_measures_what_the_cell_is(tmp_path: Path) -> None:
    twin = make_twin()
    performed = on_memory(twin, tmp_path, cycles=3)
    assert (performed.ended.outcome, performed.ended.off) == (Outcome.COMPLETED, OffState.OFF)
    run = open_run(performed.path)
    assert run.state is State.SEALED
    assert verify(performed.path).verdict is Verdict.WHOLE
    charges = [e.result.charge for e in run.events() if isinstance(e, StepEnded)]
    assert charges[0] == 0.0
    assert charges[1:] == pytest.approx([-1.131 * 3.6, 1.131 * 3.6] * 3, rel=2e-3)
    columns = run.columns()
    plating = columns["step_index"] == 2
    assert (columns["voltage"][plating] < 0).all()
    assert (columns["current"][plating] < 0).all()
    assert (np.diff(columns["test_time"]) > 0).all()
    assert columns["cycle"].max() == 3


def test_one_seed_gives_one_export_over_every_link(tmp_path: Path) -> None:
    exports = []
    for number, where in enumerate([*PLACES, "memory"]):
        folder = tmp_path / str(number)
        folder.mkdir()
        twin = make_twin(seed=7)
        performed = on_memory(twin, folder) if where == "memory" else on_wire(twin, where, folder)
        exports.append(export_csv(performed.path, folder / "run.bdf.csv").read_bytes())
    assert len(exports[0]) > 1000
    assert all(each == exports[0] for each in exports)
    other = on_memory(make_twin(seed=8), tmp_path)
    assert export_csv(other.path, tmp_path / "other.bdf.csv").read_bytes() != exports[0]
