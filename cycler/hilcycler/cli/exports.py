"""`cycler export`: a run in the forms of other people's tools."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hilcycler.cli import app
from hilcycler.cli.files import DATA, RUN, run_path
from hilcycler.cli.output import say


class Format(StrEnum):
    """What a run is exported as; the value is what is written on the command line."""

    CSV = "bdf-csv"
    PARQUET = "bdf-parquet"
    PYPROBE = "pyprobe"
    CELLPY = "cellpy"
    EIS = "eis"


_ENDINGS = {
    Format.CSV: ".bdf.csv",
    Format.PARQUET: ".bdf.parquet",
    Format.PYPROBE: ".pyprobe.parquet",
    Format.CELLPY: ".cellpy.csv",
    Format.EIS: "",
}


@app.command()
def export(
    run: RUN,
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            help="Battery Data Format as CSV or Parquet, PyProBE, cellpy, or the spectra one by one.",
        ),
    ] = Format.CSV,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write (for eis: its beginning); default: beside the run file."),
    ] = None,
    data: DATA = None,
) -> None:
    """Export a run; made again from the same run an export is the same to the last bit."""
    path = run_path(run, data)
    target = out or path.with_name(path.name.removesuffix(".run.sqlite") + _ENDINGS[format_])
    written = _written(path, format_, target)
    for each in written:
        say(f"{format_.value:<11} {each}")
    if not written:
        say("no spectra in this run")


def _written(path: Path, format_: Format, target: Path) -> list[Path]:
    match format_:
        case Format.CSV:
            from hilcycler.export.bdf import export_csv

            return [export_csv(path, target)]
        case Format.PARQUET:
            from hilcycler.export.parquet import export_parquet

            return [export_parquet(path, target)]
        case Format.PYPROBE:
            from hilcycler.export.pyprobe import export_pyprobe

            return [export_pyprobe(path, target)]
        case Format.CELLPY:
            from hilcycler.export.cellpy import export_cellpy

            written = export_cellpy(path, target)
            return [written, written.with_suffix(".yaml")]
        case Format.EIS:
            from hilcycler.export.spectra import export_spectra

            return export_spectra(path, target)
