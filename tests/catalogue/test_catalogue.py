"""The catalogue: a cache that is never wrong for long and never needed; a cell's life over its runs."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from recorded_run import LI_LI, symmetric
from typer.testing import CliRunner

from hilcycler.catalogue import Catalogue, life
from hilcycler.cell_book import CellBook, open_corrected
from hilcycler.cli import app
from hilcycler.cli import catalogue as _reindex  # noqa: F401  (adds its commands)
from hilcycler.cli import cell_records as _cells  # noqa: F401
from hilcycler.clock import process_time
from hilcycler.journal import Journal, Settings, open_run, run_path
from hilcycler.records import RunStarted

MANY = int(os.environ.get("HILCYCLER_RUNS", "40"))
"""Runs in the folder that is listed; 10000 prints the figures of docs/cell-records.md."""


def write(
    folder: Path, run: str, *, cycles: int = 1, cell: str = "Li-07", channel: str = "A1", at: float = 0.0
) -> Path:
    """A whole run of so many cycles, each 1.131 mAh each way, after a rest of 600 s."""

    async def main() -> None:
        async with Journal.create(folder, run, Settings(inline=True)) as journal:
            for record in symmetric(cycles, every=600.0).records:
                if isinstance(record, RunStarted):
                    stamp = replace(record.stamp, utc=record.stamp.utc + at)
                    journal.put(
                        replace(record, run=run, cell=replace(LI_LI, name=cell), channel=channel, stamp=stamp)
                    )
                else:
                    journal.put(record)
            await journal.commit()

    asyncio.run(main())
    return run_path(folder, run)


def test_a_second_look_opens_no_finished_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        write(tmp_path, f"20260101-aaaaaaa{number}")
    first = Catalogue(tmp_path).runs()
    assert [each.summary.cycle for each in first] == [1, 1, 1]
    assert first[0].channel == "A1"

    def refuse(path: Path) -> None:
        raise AssertionError(f"{path} was opened")

    monkeypatch.setattr("hilcycler.catalogue._look", refuse)
    assert Catalogue(tmp_path).runs() == first


def test_what_changed_came_or_went_is_seen(tmp_path: Path) -> None:
    kept, gone = (write(tmp_path, f"20260101-aaaaaaa{number}") for number in range(2))
    Catalogue(tmp_path).runs()
    gone.unlink()
    write(tmp_path, "20260101-bbbbbbbb")
    kept.write_bytes(b"not a run any more")
    found = {each.summary.run: each.summary for each in Catalogue(tmp_path).runs()}
    assert set(found) == {"20260101-aaaaaaa0", "20260101-bbbbbbbb"}
    assert found["20260101-aaaaaaa0"].problem


@pytest.mark.parametrize(
    "damage", ["missing", "garbage", "another version", "wrong words", "a link", "read only"]
)
def test_a_wrong_catalogue_is_never_an_error(damage: str, tmp_path: Path) -> None:
    write(tmp_path, "20260101-aaaaaaaa")
    catalogue = Catalogue(tmp_path)
    right = catalogue.runs()
    match damage:
        case "missing":
            catalogue.path.unlink()
        case "garbage":
            catalogue.path.write_bytes(os.urandom(5000))
        case "another version":
            with sqlite3.connect(catalogue.path) as connection:
                connection.execute("PRAGMA user_version = 99")
            connection.close()
        case "wrong words":
            with sqlite3.connect(catalogue.path) as connection:
                connection.execute("UPDATE run SET known = '{}'")
            connection.close()
        case "a link":
            catalogue.path.unlink()
            catalogue.path.symlink_to(tmp_path / "elsewhere")
        case "read only":
            catalogue.path.unlink()
            catalogue.path.mkdir()
    assert Catalogue(tmp_path).runs() == right
    assert Catalogue(tmp_path).runs() == right
    assert Catalogue(tmp_path).reindex() == right
    assert not (tmp_path / "elsewhere").exists()


def test_a_cell_lives_on_over_channels(tmp_path: Path) -> None:
    write(tmp_path, "20260102-bbbbbbbb", cycles=2, channel="S1", at=1e6)
    write(tmp_path, "20260101-aaaaaaaa", cycles=3)
    write(tmp_path, "20260103-cccccccc", cell="another")
    visits = life(Catalogue(tmp_path).of_cell("Li-07"))
    assert [visit.known.channel for visit in visits] == ["A1", "S1"]
    assert [visit.cycle for visit in visits] == [3, 5]
    assert visits[1].hours == pytest.approx((3 * 7200 + 600 + 2 * 7200 + 600) / 3600.0, rel=1e-3)
    assert visits[1].charged == pytest.approx(5 * 4.0716, rel=1e-3)
    assert visits[1].discharged == pytest.approx(5 * 4.0716, rel=1e-3)
    assert all(visit.complete for visit in visits)
    told = CliRunner().invoke(app, ["cell", "history", "Li-07", "--json", "--data", str(tmp_path)])
    assert [row["cycles"] for row in json.loads(told.stdout)] == [3, 5]


def test_a_corrected_cell_changes_what_is_seen_and_no_byte_of_the_run(tmp_path: Path) -> None:
    path = write(tmp_path, "20260101-aaaaaaaa")
    raw = path.read_bytes()
    assert open_corrected(path).header.cell.area == LI_LI.area
    book = CellBook(tmp_path)
    book.add({"Li-07": {"working": "Li", "counter": "Li", "working diameter": "12 mm"}}, "kigr")
    book.correct("Li-07", {"working diameter": "10 mm"}, "kigr", "the punch is a 10 mm one")
    seen = open_corrected(path)
    assert seen.header.cell.area == pytest.approx(0.7854e-4, rel=1e-4)
    (begun,) = (event for event in seen.events() if isinstance(event, RunStarted))
    assert begun.cell == seen.header.cell
    assert open_run(path).header.cell.area == LI_LI.area
    assert seen.columns()["current"].tobytes() == open_run(path).columns()["current"].tobytes()
    assert path.read_bytes() == raw


def test_many_runs_are_listed_fast(tmp_path: Path) -> None:
    whole = write(tmp_path, "20260101-aaaaaaaa").read_bytes()
    for number in range(1, MANY):
        run_path(tmp_path, f"20260101-{number:08d}").write_bytes(whole)
    catalogue = Catalogue(tmp_path)
    begun = process_time()
    assert len(catalogue.runs()) == MANY
    indexed = process_time()
    assert len(catalogue.runs()) == MANY
    listed = process_time()
    print(
        f"{MANY} runs: first look {indexed - begun:.2f} s, then {listed - indexed:.3f} s; load {os.getloadavg()}"
    )
    told = CliRunner().invoke(app, ["reindex", "--data", str(tmp_path)])
    assert f"{MANY} runs in" in told.stdout
