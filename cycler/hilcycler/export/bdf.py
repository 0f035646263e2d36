"""Battery Data Format: the CSV and Parquet files that other people's tools read.

Preferred labels of the format's ontology 1.3.0, fixed columns, floats with a decimal point, UTF-8, a
line feed at each end of line; positive current charges the cell. Made again from the same run, a
file is the same to the last bit. Columns that the format does not know stand last: its readers
ignore them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilcycler.export.numbers import floats, integers, quoted
from hilcycler.export.table import Piece, Source, Table, process_of, type_of

Values: TypeAlias = NDArray[np.float64] | NDArray[np.int64] | list[str]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: preferred label, machine name (empty if it is ours), what it holds, its values."""

    label: str
    machine_name: str
    meaning: str
    values: Callable[[Piece, Table], Values]


def _steps(of: Callable[[Any], str]) -> Callable[[Piece, Table], list[str]]:
    def values(piece: Piece, table: Table) -> list[str]:
        known = {at: of(table.steps[at]) for at in np.unique(piece.step).tolist()}
        return [known[at] for at in piece.step.tolist()]

    return values


COLUMNS: Final = (
    Column("Test Time / s", "test_time_second", "the instrument's time since the run began", lambda p, _: p.test_time),
    Column("Voltage / V", "voltage_volt", "between the electrodes named in the metadata", lambda p, _: p.voltage),
    Column("Current / A", "current_ampere", "positive charges the cell", lambda p, _: p.current),
    Column("Unix Time / s", "unix_time_second", "UTC by the host's clock at each step's start", lambda p, _: p.unix_time),
    Column("Cycle Count / 1", "cycle_count", "0 before the first cycle", lambda p, _: p.cycle),
    Column("Step Count / 1", "step_count", "executed steps, from 1; never repeats", lambda p, _: p.step_count),
    Column("Ambient Temperature / degC", "ambient_temperature_celsius", "empty where not measured", lambda p, _: p.temperature),
    Column("Step ID", "step_id", "the step's number in the protocol as written", _steps(lambda s: str(s.step_index))),
    Column("Step Type", "step_type", "as CC_CHG, CC_DCH, REST, EIS", _steps(lambda s: type_of(s.step))),
    Column("Step Time / s", "step_time_second", "since the step began", lambda p, _: p.step_time),
    Column("Net Capacity / Ah", "net_capacity_ah", "charged minus discharged since the run began", lambda p, _: np.round(p.net_charge, 12)),
    Column("Process", "", "plate, strip, charge or discharge, as the protocol names it", _steps(lambda s: process_of(s.step))),
    Column("Step Name", "", "the step's name in the protocol", _steps(lambda s: s.step.name)),
    Column("Current Range", "", "the instrument's index of its current range", lambda p, _: p.range),
    Column("Status", "", "0 good; 1 timing missed, 2 overload, 4 underload, 8 near overload, added up", lambda p, _: p.status),
)  # fmt: skip


def export_csv(run: Path | Source, target: Path) -> Path:
    """Write `run` (or the run in that file) to `target` with `<name>.metadata.json` beside it.

    Memory does not grow with the run. The file appears whole or not at all. Returns `target`.
    """
    source = source_of(run)
    with appearing(target) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(column.label for column in COLUMNS) + "\n")
        for text in _lines(Table(source)):
            file.write(text)
    write_metadata(source, target)
    return target


def _lines(table: Table) -> Iterator[str]:
    """The rows as CSV text, a piece at a time."""
    for piece in table.pieces():
        columns = [_texts(column.values(piece, table)) for column in COLUMNS]
        yield "\n".join(map(",".join, zip(*columns, strict=True))) + "\n"


def _texts(values: Values) -> list[str]:
    if isinstance(values, list):
        safe = {text: quoted(text) for text in set(values)}
        return [safe[text] for text in values]
    return floats(values.astype(np.float64)) if values.dtype.kind == "f" else integers(values)


def metadata(run: Source) -> dict[str, Any]:
    """What the table cannot say: who, what, with what, and what the columns mean."""
    header, ended = run.header, run.ended
    return {
        "format": {"name": "Battery Data Format", "ontology": "1.3.0"},
        "run": header.run,
        "started": datetime.fromtimestamp(header.stamp.utc, UTC).isoformat(),
        "outcome": None if ended is None else {"outcome": ended.outcome, "reason": ended.reason},
        "simulated": header.instrument.simulated,
        "cell": asdict(header.cell),
        "voltage": header.cell.voltage_label,
        "sign": "positive current charges the cell (oxidises the working electrode)",
        "instrument": asdict(header.instrument),
        "safety": _finite(asdict(header.envelope)),
        "protocol": {
            "name": header.protocol_name,
            "sha256": header.protocol_sha256,
            "text": header.protocol_text,
        },
        "versions": header.versions,
        "units": "the table's are in its labels; everything here is in SI",
        "columns": {
            column.label: {"machine_name": column.machine_name or None, "meaning": column.meaning}
            for column in COLUMNS
        },
    }


def metadata_path(target: Path) -> Path:
    """`x.metadata.json` beside `x.bdf.csv`."""
    name = target.name
    for suffix in (".csv", ".parquet", ".bdf"):
        name = name.removesuffix(suffix)
    return target.with_name(f"{name}.metadata.json")


def write_metadata(run: Source, target: Path) -> None:
    with appearing(metadata_path(target)) as unfinished:
        text = json.dumps(metadata(run), indent=1, ensure_ascii=False, allow_nan=False)
        unfinished.write_text(text + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:  # noqa: ANN401  (any JSON)
    """Limits that are not there are null in JSON, which knows no infinity."""
    match value:
        case dict():
            return {key: _finite(entry) for key, entry in value.items()}
        case list() | tuple():
            return [_finite(entry) for entry in value]
        case float() if not np.isfinite(value):
            return None
        case _:
            return value


def source_of(run: Path | Source) -> Source:
    """The run itself, or the one in that file."""
    if not isinstance(run, Path):
        return run
    from hilcycler.journal import open_run

    return open_run(run)


@contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """A path beside `target` to write to, which takes its place when all is written."""
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        yield unfinished
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
