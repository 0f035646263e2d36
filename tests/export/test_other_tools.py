"""Exports for particular tools. Read back here as those tools read them; the tools themselves were
tried by hand (see docs/evaluation.md)."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from recorded_run import Recorded, symmetric

from hilcycler.export.cellpy import export_cellpy
from hilcycler.export.parquet import export_parquet
from hilcycler.export.pyprobe import export_pyprobe
from hilcycler.export.spectra import HEADER, export_spectra
from hilcycler.language.strict_yaml import read

ARC = [(1000.0, 5 - 1j), (10.0, 12 - 6j), (0.1, 20 - 0.5j)]


def test_parquet_holds_the_columns_of_the_csv_typed(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(export_parquet(symmetric(), tmp_path / "a.bdf.parquet"))
    assert table.column_names[:3] == ["Test Time / s", "Voltage / V", "Current / A"]
    assert str(table.schema.field("Cycle Count / 1").type) == "int64"
    assert table["Ambient Temperature / degC"].null_count == table.num_rows
    assert (tmp_path / "a.metadata.json").exists()
    again = export_parquet(symmetric(blocks=3), tmp_path / "b.bdf.parquet").read_bytes()
    assert again == (tmp_path / "a.bdf.parquet").read_bytes()


def test_pyprobe_finds_exactly_its_columns(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(export_pyprobe(symmetric(), tmp_path / "a.pyprobe.parquet"))
    assert table.column_names == [
        "Date", "Time [s]", "Step", "Event", "Current [A]", "Voltage [V]", "Capacity [Ah]", "Temperature [C]",
    ]  # fmt: skip
    assert table["Event"][0].as_py() == 0
    assert table["Step"][-1].as_py() == 3
    assert str(table["Date"][0]) == "2026-01-01 00:00:00"
    assert table["Capacity [Ah]"][-1].as_py() == pytest.approx(0.0, abs=1e-12)


def test_cellpy_gets_capacities_per_cycle_and_direction(tmp_path: Path) -> None:
    path = export_cellpy(symmetric(cycles=3, blocks=3), tmp_path / "a.cellpy.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    last = {int(row["Cycle Count / 1"]): row for row in rows}
    for cycle in (1, 2, 3):
        for direction in ("Charging", "Discharging"):
            assert float(last[cycle][f"Cycle {direction} Capacity / Ah"]) == pytest.approx(1.131e-3)
    assert rows[0]["Date Time"] == "2026-01-01 00:00:00.000000"
    assert [int(row["Record Index / 1"]) for row in rows] == list(range(1, len(rows) + 1))


def test_cellpys_instrument_file_names_columns_that_are_there(tmp_path: Path) -> None:
    path = export_cellpy(symmetric(), tmp_path / "a.cellpy.csv")
    told = read((tmp_path / "a.cellpy.yaml").read_text(), "a.cellpy.yaml")
    headers = path.read_text().splitlines()[0].split(",")
    renaming, states = told["normal_headers_renaming_dict"], told["states"]
    assert isinstance(renaming, dict)
    assert isinstance(states, dict)
    assert {*renaming.values(), states["column_name"]} <= set(headers)


def test_a_file_for_each_spectrum_with_the_physical_sign(tmp_path: Path) -> None:
    run = Recorded().begin().spectrum(ARC).spectrum(ARC[:2], cycle=20).end()
    first, second = export_spectra(run, tmp_path / "a")
    assert (first.name, second.name) == ("a.eis-0001.csv", "a.eis-0002.csv")
    lines = first.read_text().splitlines()
    assert lines[0] == HEADER
    assert lines[1].startswith("1000.0,5.0,-1.0,")
    assert len(second.read_text().splitlines()) == 3
    row = next(csv.DictReader(second.read_text().splitlines()))
    assert float(row["Absolute Impedance / ohm"]) == pytest.approx(26**0.5)
    assert float(row["Phase / deg"]) == pytest.approx(-11.3099, abs=1e-4)
    assert row["Cycle Count / 1"] == "20"


def test_bare_numbers_for_tools_that_take_no_header(tmp_path: Path) -> None:
    run = Recorded().begin().spectrum([*ARC, (0.01, complex("nan"))]).end()
    (path,) = export_spectra(run, tmp_path / "a", headerless=True)
    assert np.loadtxt(path, delimiter=",").tolist() == [[f, z.real, z.imag] for f, z in ARC]
