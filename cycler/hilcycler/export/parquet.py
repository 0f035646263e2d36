"""The Battery Data Format as Parquet: the columns of the CSV, typed, with page checksums.

Needs the extra `parquet`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from hilcycler.errors import RequestError
from hilcycler.export.bdf import COLUMNS, appearing, source_of, write_metadata
from hilcycler.export.table import Piece, Source, Table

if TYPE_CHECKING:
    import pyarrow as pa


ROW_GROUP: Final = 262_144
"""Rows, at most, that are compressed together."""


def export_parquet(run: Path | Source, target: Path) -> Path:
    """As `export_csv`, as Parquet with page checksums (needs the extra `parquet`)."""
    source = source_of(run)
    try:
        from pyarrow import parquet
    except ImportError:
        raise RequestError("Parquet needs pyarrow: pip install 'hilcycler[parquet]'") from None
    table = Table(source)
    with appearing(target) as unfinished:
        options = {"compression": "zstd", "write_page_checksum": True}
        with parquet.ParquetWriter(unfinished, _schema(), **options) as writer:
            for piece in table.pieces(ROW_GROUP):
                writer.write_table(_arrow(piece, table))
    write_metadata(source, target)
    return target


def _schema() -> pa.Schema:
    import pyarrow as pa

    numbers = {"cycle_count": pa.int64(), "step_count": pa.int64(), "": pa.int64()}
    words = {"Step ID", "Step Type", "Process", "Step Name"}
    kinds = [
        pa.string() if column.label in words else numbers.get(column.machine_name, pa.float64())
        for column in COLUMNS
    ]
    return pa.schema([(column.label, kind) for column, kind in zip(COLUMNS, kinds, strict=True)])


def _arrow(piece: Piece, table: Table) -> pa.Table:
    import pyarrow as pa

    arrays = [
        pa.array(column.values(piece, table), type=field.type, from_pandas=True)
        for column, field in zip(COLUMNS, _schema(), strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=_schema())
