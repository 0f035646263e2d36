"""PyProBE's own Parquet: the columns that its `Cell.import_data` takes without conversion.

Its sign is ours: positive current charges. `Capacity [Ah]` is the net charge since the run began.
Needs the extra `parquet`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hilcycler.errors import RequestError
from hilcycler.export.bdf import appearing, source_of
from hilcycler.export.parquet import ROW_GROUP
from hilcycler.export.table import Source, Table


def export_pyprobe(run: Path | Source, target: Path) -> Path:
    """Write `run` to `target` (`*.pyprobe.parquet`). Returns `target`."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise RequestError("PyProBE's Parquet needs pyarrow: pip install 'hilcycler[parquet]'") from None
    table = Table(source_of(run))
    index = np.array([step.step_index for step in table.steps], np.int64)
    schema = pa.schema(
        [
            ("Date", pa.timestamp("us")),
            ("Time [s]", pa.float64()),
            ("Step", pa.int64()),
            ("Event", pa.int64()),
            ("Current [A]", pa.float64()),
            ("Voltage [V]", pa.float64()),
            ("Capacity [Ah]", pa.float64()),
            ("Temperature [C]", pa.float64()),
        ]
    )
    with (
        appearing(target) as unfinished,
        parquet.ParquetWriter(unfinished, schema, compression="zstd") as writer,
    ):
        for piece in table.pieces(ROW_GROUP):
            columns = [
                np.round(piece.unix_time * 1e6).astype("datetime64[us]"),
                piece.test_time,
                index[piece.step],
                piece.step_count - 1,
                piece.current,
                piece.voltage,
                np.round(piece.net_charge, 12),
                piece.temperature,
            ]
            arrays = [
                pa.array(c, type=f.type, from_pandas=True) for c, f in zip(columns, schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return target
