"""The runs of a folder: how they are listed and found, and what strangers put among them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from run_stories import story, tell

from hilcycler.errors import RequestError
from hilcycler.journal import State, find_run, list_runs
from hilcycler.journal.names import segments
from hilcycler.records import Outcome

NAMES = ("20260101-aaaaaaaa", "20260101-abbbbbbb", "20260202-cccccccc")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three runs of one content, and other things."""
    made = tell(tmp_path / "made", story())
    folder = tmp_path / "data"
    folder.mkdir()
    for name in NAMES:
        shutil.copy(made, folder / f"{name}.run.sqlite")
    (folder / "notes.txt").write_text("mine")
    (folder / "20260303-broken00.run.sqlite").write_text("no database")
    (folder / "20260404-folder00.run.sqlite").mkdir()
    (folder / "20260505-symlink0.run.sqlite").symlink_to(made)
    (folder / "Not Ours.run.sqlite").write_text("")
    return folder


def test_runs_are_listed_oldest_first_and_links_are_not_followed(folder: Path) -> None:
    found = list_runs(folder)
    assert [each.run for each in found] == [*NAMES, "20260303-broken00"]
    first = found[0]
    assert (first.state, first.rows, first.outcome) == (State.SEALED, 2100, Outcome.COMPLETED)
    assert (first.protocol, first.cell, first.step_count, first.cycle) == ("example", "example", 3, 1)
    assert first.test_time == 2099.0
    assert "damaged" in found[-1].problem


def test_a_folder_that_is_not_there_holds_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    ("which", "name"),
    [("20260101-aaaaaaaa", NAMES[0]), ("20260101-aa", NAMES[0]), ("202602", NAMES[2]), ("bbb", NAMES[1])],
)
def test_a_run_is_found_by_any_part_that_names_only_it(folder: Path, which: str, name: str) -> None:
    assert find_run(folder, which) == folder / f"{name}.run.sqlite"


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ("20260101", "could be any of 2"),
        ("x", "no run 'x'"),
        ("", "no run ''"),
        ("../made/20260101-testtest", "no run"),
        ("20260505-symlink0", "no run"),
    ],
)
def test_a_run_that_is_not_there_or_not_meant_is_not_found(folder: Path, which: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        find_run(folder, which)


def test_segments_are_found_in_order(folder: Path, tmp_path: Path) -> None:
    first = folder / f"{NAMES[0]}.run.sqlite"
    other = tmp_path / "other"
    other.mkdir()
    third = other / f"{NAMES[0]}.3.run.sqlite"
    third.write_text("")
    assert segments(first, other) == [first]
    second = folder / f"{NAMES[0]}.2.run.sqlite"
    second.write_text("")
    assert segments(first, other) == [first, second, third]
    assert NAMES[0] not in {each.run for each in list_runs(folder) if each.path in (second, third)}
