"""What a plating and stripping run came to, in a few lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hilcycler import registry
from hilcycler.evaluation import Finding, evaluate
from hilcycler.journal import open_run
from hilcycler.quantities import duration, engineering
from hilcycler.twin import published

EVALUATION = "overpotential"


def summarise(path: Path, last: int = 10) -> list[str]:
    """How far a run came, and the overpotential of its last cycles beside what a twin really was."""
    run = open_run(path)
    lines = [f"{run.cycle} cycles, {run.rows} samples, {duration(run.last_test_time)} of test time"]
    if EVALUATION not in registry.names("evaluations"):
        return lines
    findings = evaluate(run, registry.evaluation(EVALUATION))[0].summary(last)
    if not findings:
        return [*lines, "no cycle was completed, so there is no overpotential"]
    return [*lines, *_overpotential(findings[0], run.header.truth or {}, run.header.cell.name)]


def _overpotential(quoted: Finding, truth: dict[str, Any], cell: str) -> Sequence[str]:
    told = quoted.as_dict()
    inputs = told["inputs"]
    lines = [
        f"overpotential  {told['value'] * 1e3:.2f} mV, cycles {inputs['cycles']}",
        f"               {inputs['definition']} (50 %), plating and stripping, {inputs['electrodes']}",
    ]
    if "overpotential_V" in truth:
        lines.append(f"cell's truth   {engineering(truth['overpotential_V'], 'V')}, aged and settled")
    told_before = [each for each in published(cell) if each.startswith(EVALUATION)]
    return [*lines, *(f"published      {each}" for each in told_before)]
