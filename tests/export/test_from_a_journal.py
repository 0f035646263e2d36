"""Exports and evaluations of a run file give what the run's own records gave."""

from __future__ import annotations

import asyncio
from pathlib import Path

from recorded_run import Recorded, symmetric

from hilcycler.evaluation import evaluate
from hilcycler.export.bdf import export_csv
from hilcycler.export.spectra import export_spectra
from hilcycler.journal import Journal, Settings, open_run, run_path
from hilcycler.registry import evaluation


def journalled(run: Recorded, folder: Path) -> Path:
    name = run.header.run

    async def write() -> None:
        async with Journal.create(folder, name, Settings(inline=True)) as journal:
            for record in run.records:
                journal.put(record)
            await journal.commit()

    asyncio.run(write())
    return run_path(folder, name)


def test_the_csv_of_a_run_file_is_that_of_its_records(tmp_path: Path) -> None:
    run = symmetric(cycles=3, blocks=7)
    path = journalled(run, tmp_path)
    told = export_csv(path, tmp_path / "a.bdf.csv").read_bytes()
    assert told == export_csv(run, tmp_path / "b.bdf.csv").read_bytes()
    assert told == export_csv(path, tmp_path / "c.bdf.csv").read_bytes()
    assert told.count(b"\n") == run.sequence + 1


def test_the_evaluation_of_a_run_file_is_that_of_its_records(tmp_path: Path) -> None:
    run = symmetric(cycles=3, blocks=7)
    _, live = evaluate(run, evaluation("overpotential"))
    _, after = evaluate(open_run(journalled(run, tmp_path)), evaluation("overpotential"))
    assert [each.as_dict() for each in after] == [each.as_dict() for each in live]


def test_spectra_of_a_run_file(tmp_path: Path) -> None:
    run = Recorded().begin().spectrum([(1000.0, 5 - 1j), (1.0, 20 - 0.5j)]).end()
    (path,) = export_spectra(journalled(run, tmp_path), tmp_path / "a")
    assert path.read_text().splitlines()[1].startswith("1000.0,5.0,-1.0,")
