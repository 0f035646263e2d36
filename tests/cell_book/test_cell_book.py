"""Cells as records: what follows from what is written, corrections that are kept, tables from strangers."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from hilcycler.cell_book import CellBook, described, read_csv
from hilcycler.cli import app
from hilcycler.cli import cell_records as _cells  # noqa: F401  (adds its commands)
from hilcycler.errors import JournalError, RequestError

LFP = {
    "working": "LFP",
    "counter": "Li",
    "working diameter": "12 mm",
    "counter diameter": "15 mm",
    "electrode weight": "24.1 mg",
    "foil weight": "5.1 mg",
    "active fraction": "80 %",
    "nominal capacity": "170 mAh/g",
    "electrolyte volume": "30 uL",
    "batch": "gen17",
}


def test_areas_and_masses_follow_from_what_was_measured(tmp_path: Path) -> None:
    book = CellBook(tmp_path)
    book.add({"NP47": LFP}, "kigr")
    cell = book.get("NP47").cell
    assert cell.area == pytest.approx(1.13097e-4, rel=1e-5)  # the smaller disc's
    assert cell.working.active_mass == pytest.approx(15.2e-6)
    assert cell.nominal_capacity == pytest.approx(15.2e-3 * 170e-3 * 3600.0)
    assert cell.notes == {"batch": "gen17", "electrolyte volume": "30 uL"}


def test_a_correction_keeps_what_stood_there_and_who_and_why(tmp_path: Path) -> None:
    book = CellBook(tmp_path)
    book.add({"NP47": LFP}, "kigr")
    book.correct("NP47", {"foil weight": "5.6 mg", "batch": ""}, "mara", "wrong foil")
    record = book.get("NP47")
    assert record.cell.working.active_mass == pytest.approx(14.8e-6)
    assert "batch" not in record.written
    last = record.changes[-1]
    assert (last.actor, last.reason) == ("mara", "wrong foil")
    assert last.old == {"foil weight": "5.1 mg", "batch": "gen17"}
    assert last.new == {"foil weight": "5.6 mg", "batch": ""}


def test_a_move_keeps_both_places(tmp_path: Path) -> None:
    book = CellBook(tmp_path)
    book.add({"NP47": LFP}, "kigr")
    book.move("NP47", "A1", "EmStat4S HR ES4-1", "kigr")
    moved = book.move("NP47", "S1", "Keithley 2450 0441", "kigr", "finer currents")
    assert moved.changes[-1].old == {"channel": "A1", "instrument": "EmStat4S HR ES4-1"}
    assert moved.changes[-1].new == {"channel": "S1", "instrument": "Keithley 2450 0441"}


WRONG = [
    ({"working": "Li"}, "counter: is missing"),
    (LFP | {"foil weight": "5.1"}, "foil weight: '5.1' has no unit; expected a mass"),
    (LFP | {"foil wieght": "5.1 mg"}, "did you mean 'foil weight'?"),
    (LFP | {"foil weight": "25 mg"}, "is not more than the foil's 25 mg"),
    (LFP | {"active fraction": "120 %"}, "expected at most 100 %"),
    (LFP | {"working diameter": "12 V"}, "expected a length"),
    ({"working": "Li", "counter": "Li", "nominal capacity": "170 mAh/g"}, "active mass"),
]


@pytest.mark.parametrize(("fields", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_is_wrong_is_named_and_nothing_is_written(
    fields: dict[str, str], said: str, tmp_path: Path
) -> None:
    book = CellBook(tmp_path)
    with pytest.raises(RequestError) as caught:
        book.add({"good": LFP, "bad": fields}, "kigr")
    assert said in str(caught.value)
    assert book.cells() == {}


def test_nothing_is_corrected_without_a_name_and_a_reason(tmp_path: Path) -> None:
    book = CellBook(tmp_path)
    book.add({"NP47": LFP}, "kigr")
    for actor, reason in (("", "x"), ("kigr", " "), ("kigr", "a\nb"), ("ki\x1bgr", "x")):
        with pytest.raises(RequestError, match="a name and a reason"):
            book.correct("NP47", {"batch": "g"}, actor, reason)
    with pytest.raises(RequestError, match="there is a cell 'NP47' already"):
        book.add({"NP47": LFP}, "kigr")
    with pytest.raises(RequestError, match="did you mean 'NP47'"):
        book.get("NP46")
    with pytest.raises(RequestError, match="nothing would change"):
        book.correct("NP47", {"batch": "gen17"}, "kigr", "x")


@pytest.mark.parametrize("name", ["../../etc/x", "a\x00b", "x" * 300, "\u202eab", "a\nb", "", ".x", "a/b"])
def test_s16_names_that_are_none_are_refused_and_no_path_is_made_of_any(name: str, tmp_path: Path) -> None:
    book = CellBook(tmp_path)
    with pytest.raises(RequestError, match="no name"):
        book.add({name: LFP}, "kigr")
    book.add({"CON": LFP, "251203_kigr_gen17_02": LFP}, "kigr")
    assert [each.name for each in tmp_path.iterdir()] == ["cells.sqlite"]


def test_s17_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cells.sqlite").symlink_to(elsewhere)
    with pytest.raises(JournalError, match="symbolic link"):
        CellBook(tmp_path / "data").add({"NP47": LFP}, "kigr")
    assert not elsewhere.exists()


def test_s20_a_changed_moved_or_missing_entry_is_seen(tmp_path: Path) -> None:
    book = CellBook(tmp_path)
    book.add({"NP47": LFP, "NP48": LFP}, "kigr")
    book.correct("NP47", {"batch": "g"}, "kigr", "x")
    whole = book.path.read_bytes()
    for damage in (
        "UPDATE entry SET record = replace(record, 'kigr', 'mara') WHERE number = 1",
        "DELETE FROM entry WHERE number = 2",
        "DELETE FROM entry WHERE number = 1",
        "UPDATE entry SET number = 9 WHERE number = 0",
        "DELETE FROM head",
    ):
        book.path.write_bytes(whole)
        with sqlite3.connect(book.path) as connection:
            connection.execute(damage)
        connection.close()
        with pytest.raises(JournalError, match="damaged or missing"):
            book.cells()


def test_a_table_is_taken_in_with_units_in_headings_or_values(tmp_path: Path) -> None:
    table = tmp_path / "cells.csv"
    table.write_text(
        "name,working,counter,Working_Diameter [mm],electrode weight (mg),foil weight\n"
        "A,Cu,Li,15,,\nB,LFP,Li,12,24.1,5.1 mg\n\n",
        "utf-8-sig",
    )
    cells = read_csv(table)
    assert cells["A"] == {"working": "Cu", "counter": "Li", "working diameter": "15 mm"}
    assert cells["B"]["electrode weight"] == "24.1 mg"
    table.write_text("name;working;counter\nC;Li;Li\n")
    assert read_csv(table) == {"C": {"working": "Li", "counter": "Li"}}


def test_every_fault_of_a_table_is_told_at_once(tmp_path: Path) -> None:
    table = tmp_path / "cells.csv"
    table.write_text("name,working,counter,foil weight\nA,Cu,Li,5\nA,Cu,Li,\nB,Cu,,\nB,Cu,Li,,,x\n")
    with pytest.raises(RequestError) as caught:
        read_csv(table)
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["row 2", "row 4", "row 5"]
    table.write_text("name,working,cuonter\n")
    with pytest.raises(
        RequestError, match="column 3: 'cuonter' is no field of a cell; did you mean 'counter'"
    ):
        read_csv(table)


@settings(deadline=None)
@given(
    st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "ignore")))
)
def test_s11_any_table_is_read_or_one_typed_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    table = tmp_path_factory.getbasetemp() / "any.csv"
    for written in (data, b"name,working,counter\n" + data, b"name,working,counter\nA,Cu,Li," + data):
        table.write_bytes(written)
        try:
            assert isinstance(read_csv(table), dict)
        except RequestError as error:
            assert str(table) in str(error)  # noqa: PT017


def test_s23_a_table_without_end_is_refused_unread(tmp_path: Path) -> None:
    table = tmp_path / "cells.csv"
    with table.open("wb") as file:
        file.write(b"name,working,counter\n")
        file.truncate(1 << 30)
    with pytest.raises(RequestError, match="is larger than"):
        read_csv(table)


def test_from_the_command_line(tmp_path: Path) -> None:
    data = ["--data", str(tmp_path), "--actor", "kigr"]
    run = CliRunner()
    assert run.invoke(app, ["cell", "add", "NP47", "working=Cu", "counter=Li", *data]).exit_code == 0
    edited = run.invoke(
        app, ["cell", "edit", "NP47", "counter diameter=15 mm", "--reason", "was forgotten", *data]
    )
    assert "counter diameter: nothing -> 15 mm (was forgotten)" in edited.stdout
    listed = run.invoke(app, ["cell", "list", "--json", "--data", str(tmp_path)])
    assert json.loads(listed.stdout)[0]["area"] == "1.7671 cm2"
    moved = run.invoke(app, ["cell", "move", "NP47", "A1", "--instrument", "EmStat4S 1", *data])
    assert "from nowhere to A1 (EmStat4S 1)" in moved.stdout
    shown = json.loads(run.invoke(app, ["cell", "show", "NP47", "--json", "--data", str(tmp_path)]).stdout)
    assert [each["verb"] for each in shown["changes"]] == ["add", "correct", "move"]
    assert described(Path("NP47"), tmp_path).name == "NP47"
    with pytest.raises(RequestError, match="no such file, and no cell 'NP4'"):
        described(Path("NP4"), tmp_path)
