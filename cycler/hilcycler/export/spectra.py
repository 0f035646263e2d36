"""Impedance spectra: one file a spectrum, in the columns of the Battery Data Format.

`imaginary` has the physical sign, capacitive negative; pyimpspec reads the files as they are. Tools
that want bare numbers (frequency, real, imaginary) take the headerless form.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from hilcycler.export.bdf import appearing, source_of
from hilcycler.export.numbers import floats, integers
from hilcycler.export.table import Source
from hilcycler.records import ImpedancePoint, StepStarted

HEADER: Final = (
    "Frequency / Hz,Real Impedance / ohm,Imaginary Impedance / ohm,Absolute Impedance / ohm,Phase / deg,"
    "Test Time / s,Unix Time / s,Cycle Count / 1,Step Count / 1,Step ID,Current Range,Status"
)


def export_spectra(run: Path | Source, stem: Path, *, headerless: bool = False) -> list[Path]:
    """Write each spectrum of `run` to `<stem>.eis-<step count>.csv`; returns the files, oldest first.

    `headerless`: only frequency, real and imaginary part, without a header.
    """
    written = []
    for started, points in spectra(source_of(run)):
        target = stem.with_name(f"{stem.name}.eis-{started.step_count:04d}.csv")
        text = _bare(points) if headerless else _table(started, points)
        with appearing(target) as unfinished:
            unfinished.write_text(text, encoding="utf-8", newline="")
        written.append(target)
    return written


def spectra(run: Source) -> Iterator[tuple[StepStarted, list[ImpedancePoint]]]:
    """Every step that measured impedance, with its points in the order in which they were measured."""
    steps: dict[int, StepStarted] = {}
    points: dict[int, list[ImpedancePoint]] = {}
    for event in run.events():
        match event:
            case StepStarted():
                steps[event.step_count] = event
            case ImpedancePoint():
                points.setdefault(event.step_count, []).append(event)
            case _:
                pass
    for count, measured in points.items():
        yield steps[count], measured


def _table(started: StepStarted, points: list[ImpedancePoint]) -> str:
    time = np.array([point.test_time for point in points])
    real, imaginary = (np.array([getattr(point, part) for point in points]) for part in ("real", "imaginary"))
    whole = [np.full(len(points), value) for value in (started.cycle, started.step_count, started.step_index)]
    columns = [
        floats(np.array([point.frequency for point in points])),
        floats(real),
        floats(imaginary),
        floats(np.hypot(real, imaginary)),
        floats(np.degrees(np.arctan2(imaginary, real))),
        floats(time),
        floats(np.round(started.stamp.utc + (time - started.test_time), 6)),
        *map(integers, whole),
        integers(np.array([point.current_range for point in points])),
        integers(np.array([point.status for point in points])),
    ]
    return "\n".join([HEADER, *map(",".join, zip(*columns, strict=True))]) + "\n"


def _bare(points: list[ImpedancePoint]) -> str:
    good = [point for point in points if math.isfinite(point.real) and math.isfinite(point.imaginary)]
    columns = [
        floats(np.array([getattr(p, part) for p in good])) for part in ("frequency", "real", "imaginary")
    ]
    return "".join(",".join(row) + "\n" for row in zip(*columns, strict=True))
