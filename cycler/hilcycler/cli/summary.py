"""What a plating and stripping run came to, in a few lines."""

from __future__ import annotations

from pathlib import Path

from hilcycler.journal import open_run
from hilcycler.quantities import duration


def summarise(path: Path) -> list[str]:
    """How far a run came."""
    run = open_run(path)
    return [f"{run.cycle} cycles, {run.rows} samples, {duration(run.last_test_time)} of test time"]
