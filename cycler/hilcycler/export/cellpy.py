"""For cellpy: a CSV with the columns it needs and the instrument file that explains them.

cellpy's own reader of the Battery Data Format expects an older dialect, so this goes by its custom
instrument: capacities per cycle, split by direction, and a date and time as text.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np

from hilcycler.export.bdf import appearing, source_of
from hilcycler.export.numbers import floats, integers
from hilcycler.export.table import Piece, Source, Table, type_of

HEADER: Final = (
    "Record Index / 1,Date Time,Test Time / s,Step Time / s,Cycle Count / 1,Step ID,Step Type,"
    "Current / A,Voltage / V,Cycle Charging Capacity / Ah,Cycle Discharging Capacity / Ah"
)


def export_cellpy(run: Path | Source, target: Path) -> Path:
    """Write `target` (`x.cellpy.csv`) and `x.cellpy.yaml` beside it. Returns `target`."""
    table = Table(source_of(run))
    with appearing(target) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
        file.write(HEADER + "\n")
        for text in _lines(table):
            file.write(text)
    instrument = files("hilcycler.export").joinpath("cellpy_instrument.yaml").read_text("utf-8")
    with appearing(target.with_suffix(".yaml")) as unfinished:
        unfinished.write_text(instrument, encoding="utf-8")
    return target


def _lines(table: Table) -> Iterator[str]:
    ids = [str(step.step_index) for step in table.steps]
    types = [type_of(step.step) for step in table.steps]
    cycles = _PerCycle()
    record = 1
    for piece in table.pieces():
        charged, discharged = cycles.split(piece)
        steps = piece.step.tolist()
        columns = [
            integers(np.arange(record, record + len(piece))),
            [
                datetime.fromtimestamp(utc, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
                for utc in piece.unix_time.tolist()
            ],
            floats(piece.test_time),
            floats(piece.step_time),
            integers(piece.cycle),
            [ids[step] for step in steps],
            [types[step] for step in steps],
            floats(piece.current),
            floats(piece.voltage),
            floats(np.round(charged, 12)),
            floats(np.round(discharged, 12)),
        ]
        record += len(piece)
        yield "\n".join(map(",".join, zip(*columns, strict=True))) + "\n"


class _PerCycle:
    """Charge of each direction since the cycle began, from the net charge of the run."""

    def __init__(self) -> None:
        self._net, self._cycle = 0.0, -1
        self._sums = [0.0, 0.0]

    def split(self, piece: Piece) -> tuple[np.ndarray, np.ndarray]:
        passed = np.diff(piece.net_charge, prepend=self._net)
        begins = np.diff(piece.cycle, prepend=self._cycle) != 0
        result = []
        for at, part in enumerate((np.maximum(passed, 0.0), np.maximum(-passed, 0.0))):
            running = self._sums[at] + np.cumsum(part)
            before = np.where(begins, running - part, 0.0)
            result.append(running - np.maximum.accumulate(before))
            self._sums[at] = float(result[at][-1])
        self._net, self._cycle = float(piece.net_charge[-1]), int(piece.cycle[-1])
        return result[0], result[1]
