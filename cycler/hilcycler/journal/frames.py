"""Runs as pandas frames: the only module here that knows pandas, which the service must not load."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import pandas as pd

from hilcycler.journal.executed import ExecutedStep
from hilcycler.journal.reading import Run
from hilcycler.quantities import Second

POINT = {
    "step_count": "int64",
    "test_time": "float64",
    "frequency": "float64",
    "real": "float64",
    "imaginary": "float64",
    "current_range": "int64",
    "voltage_range": "int64",
    "status": "int64",
}


def samples(run: Run, names: Sequence[str] | None, t0: Second | None, t1: Second | None) -> pd.DataFrame:
    """See Run.samples."""
    return pd.DataFrame(run.columns(names, t0, t1), copy=False)


def steps(run: Run) -> pd.DataFrame:
    """See Run.step_table."""
    columns = [field.name for field in fields(ExecutedStep)]
    return pd.DataFrame([asdict(step) for step in run.steps()], columns=columns)


def cycles(run: Run) -> pd.DataFrame:
    """See Run.cycles. Charges are sums over finished steps, in coulombs, both positive numbers."""
    table = steps(run)
    charge = table["charge"].astype("float64")
    table["charged"] = charge.clip(lower=0.0)
    table["discharged"] = -charge.clip(upper=0.0)
    table["stop"] = table["start"] + table["duration"].astype("float64")
    frame = table.groupby("cycle", as_index=False).agg(
        start=("start", "min"),
        stop=("stop", "max"),
        steps=("count", "size"),
        first=("first", "min"),
        rows=("rows", "sum"),
        charged=("charged", "sum"),
        discharged=("discharged", "sum"),
        partial=("partial", "any"),
    )
    frame.insert(2, "duration", frame["stop"] - frame["start"])
    return frame.drop(columns="stop")


def spectra(run: Run, t0: Second | None, t1: Second | None) -> pd.DataFrame:
    """See Run.spectra."""
    points = [json.loads(link.record) for link in run.links() if link.kind == "impedance-point"]
    frame = pd.DataFrame(points, columns=[*POINT]).astype(POINT)
    low, high = -np.inf if t0 is None else t0, np.inf if t1 is None else t1
    frame = frame[(frame["test_time"] >= low) & (frame["test_time"] <= high)]
    place = {step.count: (step.index, step.cycle) for step in run.steps()}
    where = [place.get(count, (0, 0)) for count in frame["step_count"]]
    frame.insert(1, "step_index", [index for index, _ in where])
    frame.insert(2, "cycle", [cycle for _, cycle in where])
    return frame.reset_index(drop=True)


def events(run: Run) -> pd.DataFrame:
    """See Run.event_table."""
    rows: list[dict[str, Any]] = []
    for link in run.links():
        if link.kind != "impedance-point":
            record = json.loads(link.record)
            stamp = record.pop("stamp")
            record.pop("kind")
            rows.append(
                {
                    "number": link.number,
                    "utc": pd.Timestamp(stamp["utc"], unit="s", tz="UTC"),
                    "sequence": link.rows,
                    "kind": link.kind,
                    "detail": json.dumps(record),
                }
            )
    return pd.DataFrame(rows, columns=["number", "utc", "sequence", "kind", "detail"])
