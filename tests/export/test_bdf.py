"""Battery Data Format: judged by the format's own validator, and by what cannot be judged otherwise."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bdf.validate import validate_df
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from recorded_run import Recorded, half_cycle, symmetric

from hilcycler.export.bdf import COLUMNS, export_csv
from hilcycler.export.numbers import floats, quoted
from hilcycler.steps import End, Process, Rest, TimeReached


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_validator_passes_it_in_strict_mode(tmp_path: Path) -> None:
    import pandas as pd

    path = export_csv(symmetric(), tmp_path / "a.bdf.csv")
    report = validate_df(pd.read_csv(path), raise_on_error=True)
    assert report["ok"]
    assert report["time_stats"]["monotonic"]


def test_header_and_first_row(tmp_path: Path) -> None:
    lines = export_csv(symmetric(), tmp_path / "a.bdf.csv").read_text().splitlines()
    assert lines[0] == (
        "Test Time / s,Voltage / V,Current / A,Unix Time / s,Cycle Count / 1,Step Count / 1,"
        "Ambient Temperature / degC,Step ID,Step Type,Step Time / s,Net Capacity / Ah,"
        "Process,Step Name,Current Range,Status"
    )
    assert lines[1] == "0.0,0.0001,0.0,1767225600.0,0,1,,1,REST,0.0,0.0,,,3,0"
    assert lines[-1].startswith("22200.0,0.013,0.001131,1767247800.0,3,7,,3,CC_CHG,3600.0,")


def test_net_capacity_returns_after_each_cycle_and_is_what_passed(tmp_path: Path) -> None:
    rows = rows_of(export_csv(symmetric(), tmp_path / "a.bdf.csv"))
    ends = {int(row["Step Count / 1"]): float(row["Net Capacity / Ah"]) for row in rows}
    assert ends[2] == pytest.approx(-1.131e-3, rel=1e-9)
    assert ends[3] == pytest.approx(0.0, abs=1e-12)


def test_a_rest_passes_no_charge_whatever_the_ammeter_reads(tmp_path: Path) -> None:
    run = Recorded().begin().step(Rest((End(TimeReached(10.0)),)), [0, 5, 10], [0.1] * 3, 1e-6).end()
    assert {row["Net Capacity / Ah"] for row in rows_of(export_csv(run, tmp_path / "a.csv"))} == {"0.0"}


def test_charge_before_the_first_sample_of_a_step_counts(tmp_path: Path) -> None:
    step = half_cycle(Process.STRIP, 1.0)
    run = Recorded().begin().step(step, [1800.0, 3600.0], [0.1, 0.1], 1.0).end()
    rows = rows_of(export_csv(run, tmp_path / "a.csv"))
    assert [float(row["Net Capacity / Ah"]) for row in rows] == [0.5, 1.0]


@pytest.mark.parametrize("blocks", [1, 7])
def test_the_same_run_gives_the_same_bytes_however_it_was_chunked(tmp_path: Path, blocks: int) -> None:
    first = export_csv(symmetric(blocks=1), tmp_path / "a.bdf.csv").read_bytes()
    assert export_csv(symmetric(blocks=blocks), tmp_path / "b.bdf.csv").read_bytes() == first


def test_an_empty_run_has_a_header(tmp_path: Path) -> None:
    path = export_csv(Recorded().begin(), tmp_path / "a.bdf.csv")
    assert path.read_text() == ",".join(column.label for column in COLUMNS) + "\n"


def test_metadata_stands_beside_it_in_strict_json(tmp_path: Path) -> None:
    export_csv(symmetric(), tmp_path / "a.bdf.csv")
    told = json.loads((tmp_path / "a.metadata.json").read_text(), parse_constant=pytest.fail)
    assert told["started"] == "2026-01-01T00:00:00+00:00"
    assert told["voltage"] == "WE-CE"
    assert told["safety"]["current"] == [None, None]
    assert set(told["columns"]) == {column.label for column in COLUMNS}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bdf.csv", "a.metadata.json"]


def test_an_export_that_fails_leaves_nothing(tmp_path: Path) -> None:
    class Broken(Recorded):
        def chunks(
            self, names: Sequence[str] | None = None, rows: int = 1000
        ) -> Iterator[dict[str, NDArray[Any]]]:
            yield from super().chunks(names, rows)
            raise OSError("the disk")

    run = Broken(symmetric().records)
    with pytest.raises(OSError, match="the disk"):
        export_csv(run, tmp_path / "a.bdf.csv")
    assert list(tmp_path.iterdir()) == []


def test_temperature_in_degrees_celsius_empty_where_not_measured(tmp_path: Path) -> None:
    rest = Rest((End(TimeReached(10.0)),))
    run = Recorded().begin()
    run.step(rest, [0, 10], [0.1] * 2, 0.0, temperature=298.15).step(rest, [0, 10], [0.1] * 2, 0.0).end()
    told = [row["Ambient Temperature / degC"] for row in rows_of(export_csv(run, tmp_path / "a.csv"))]
    assert told == ["25.0", "25.0", "", ""]


@given(st.lists(st.floats(width=64)))
def test_every_float_reads_back_and_has_a_point(values: list[float]) -> None:
    texts = floats(np.array(values, np.float64))
    for value, text in zip(values, texts, strict=True):
        if value != value:
            assert text == ""
        else:
            assert float(text) == value
            assert "." in text or "inf" in text


@given(st.text())
def test_every_text_survives_a_csv_reader(text: str) -> None:
    line = f"a,{quoted(text)},b"
    assert next(csv.reader([line], strict=True)) == ["a", text, "b"] or set(text) & set("\r\n\x00")
