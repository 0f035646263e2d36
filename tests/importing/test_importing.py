"""Data of other cyclers through the same evaluations: tables written here as their programs write them.

The `.mpt` heads are invented after the layout that EC-Lab documents ("Nb header lines"), with the
column names of its text export.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from spine import make_twin, on_memory

from hilcycler import registry
from hilcycler.errors import RequestError
from hilcycler.evaluation import evaluate
from hilcycler.export.bdf import export_csv
from hilcycler.export.parquet import export_parquet
from hilcycler.importing import read
from hilcycler.journal import open_run
from hilcycler_protocols.evaluation.overpotential import quoted

CELL = "working: Li\ncounter: Li\narea: 1.131 cm2\n"


@pytest.fixture
def lithium(tmp_path: Path) -> Path:
    path = tmp_path / "cell.yaml"
    path.write_text(CELL)
    return path


def plating(cycles: int = 3, efficiency: float = 0.97) -> list[tuple[float, float, float]]:
    """Seconds, volts, amperes: 1 h of plating at 1 mA, stripping to 0.5 V, less each cycle."""
    rows, t = [], 0.0
    for cycle in range(cycles):
        seconds = 3600.0 * (efficiency - 0.002 * cycle)
        for current, length, level in ((-1e-3, 3600.0, -0.02), (1e-3, seconds, 0.02)):
            steps = np.linspace(0.0, length, 121)[1:]
            rows += [(t + float(s), level, current) for s in steps]
            rows[-1] = (rows[-1][0], 0.5 if current > 0 else level, current)
            t += length
    return rows


def summary(run: Any, name: str) -> list[Any]:
    return list(evaluate(run, registry.evaluation(name))[0].summary())


def test_our_own_export_gives_the_same_overpotential(tmp_path: Path, lithium: Path) -> None:
    path = on_memory(make_twin(), tmp_path, cycles=3).path
    exported = export_csv(path, tmp_path / "run.bdf.csv")
    ours = quoted(evaluate(open_run(path), registry.evaluation("overpotential"))[0].summary())  # type: ignore[arg-type]
    theirs = quoted(evaluate(read(exported, {}, lithium), registry.evaluation("overpotential"))[0].summary())  # type: ignore[arg-type]
    assert theirs.value == pytest.approx(ours.value, rel=1e-4)


def test_our_own_export_as_parquet_gives_what_the_csv_gives(tmp_path: Path, lithium: Path) -> None:
    path = on_memory(make_twin(), tmp_path, cycles=2).path
    written = read(export_csv(path, tmp_path / "run.bdf.csv"), {}, lithium)
    typed = read(export_parquet(path, tmp_path / "run.bdf.parquet"), {}, lithium)
    first, second = (summary(run, "overpotential") for run in (written, typed))
    assert first
    assert [each.as_dict() for each in first] == [each.as_dict() for each in second]


def test_a_parquet_file_that_is_none_or_holds_words_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(RequestError, match="cannot be read as Parquet"):
        read(broken)
    words = tmp_path / "words.parquet"
    parquet.write_table(pa.table({"time/s": ["one", "two"], "Ewe/V": [1.0, 2.0], "I/mA": [1.0, 1.0]}), words)
    with pytest.raises(RequestError, match="'time/s': string is not a number"):
        read(words)


def test_efficiency_of_a_mapped_table(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    lines = [f"{t};{1e3 * v};{1e3 * i}" for t, v, i in plating()]
    path.write_text("\n".join(["zeit [s];spannung [mV];strom [mA]", *lines]))
    run = read(path, {"time": "zeit [s]", "voltage": "spannung [mV]", "current": "strom [mA]"})
    mean, _ = summary(run, "coulombic-efficiency")
    assert mean.value == pytest.approx(0.968, abs=1e-6)


def test_bio_logic_text(tmp_path: Path) -> None:
    path = tmp_path / "cell.mpt"
    head = ["EC-Lab ASCII FILE", "Nb header lines : 4                          ", ""]
    lines = [f"{t:.6E}\t{v:.6E}\t{1e3 * i:.6E}\t" for t, v, i in plating()]
    path.write_text("\n".join([*head, "time/s\tEwe/V\tI/mA\t", *lines]), encoding="latin-1")
    mean, _ = summary(read(path), "coulombic-efficiency")
    assert mean.value == pytest.approx(0.968, abs=1e-5)


def test_a_spectrum(tmp_path: Path, lithium: Path) -> None:
    f = np.geomspace(2e5, 0.01, 73)
    w = 2j * np.pi * f
    z = 3.0 + 30.0 / (1.0 + (w * 2e-5) ** 0.9) + 60.0 / (1.0 + (w * 5e-3) ** 0.85)
    path = tmp_path / "eis.csv"
    path.write_text(
        "\n".join(
            ["freq/Hz,Re(Z)/Ohm,-Im(Z)/Ohm", *(f"{a},{b.real},{-b.imag}" for a, b in zip(f, z, strict=True))]
        )
    )
    found = {
        each.name: each.value
        for each in summary(read(path, {}, lithium), "impedance")
        if each.unit.symbol == "ohm"
    }
    assert found["R_b"] == pytest.approx(3.0, rel=0.02)
    assert found["R_SEI"] == pytest.approx(30.0, rel=0.02)
    assert found["R_ct"] == pytest.approx(60.0, rel=0.02)


@pytest.mark.parametrize(
    ("text", "mapping", "says"),
    [
        ("time/s,Ewe/V\n0,1\n1,1\n", {}, "no column for current"),
        ("time/s,Ewe/V,I/mA\n0,1,x\n1,1,2\n", {}, "'x' is not a number"),
        ("time/s,Ewe/V,I/furlong\n0,1,1\n1,1,2\n", {}, "unknown unit 'furlong'"),
        ("time/s,Ewe/V,I/mA\n1,1,1\n0,1,2\n", {}, "do not ascend"),
        ("time/s,Ewe/V,I/mA\n1,1,1\n2,1,2\n", {"voltage": "U"}, "no column 'U'"),
        ("time/s,Ewe/V,I/mA\n1,1,1\n2,1,2\n", {"colour": "U"}, "no column of ours is named colour"),
        ("\n", {}, "no table"),
    ],
)
def test_what_cannot_be_read_says_what_and_where(
    tmp_path: Path, text: str, mapping: dict[str, str], says: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(RequestError, match=says):
        read(path, mapping)
