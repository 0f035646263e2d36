"""What a plating and stripping run came to, in a few lines, beside what a twin really was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hilcycler import registry
from hilcycler.evaluation import Finding, evaluate
from hilcycler.journal import Run, open_run
from hilcycler.quantities import duration
from hilcycler.records import ImpedancePoint, Record, StepEnded
from hilcycler.twin import Twin, published


class TruthAtSpectra:
    """A sink that asks a twin what its cell is, each time a spectrum ends: to be compared with its fit."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self._points = 0
        self.latest = dict(twin.truth)

    def put(self, record: Record) -> None:
        """See Sink."""
        match record:
            case ImpedancePoint():
                self._points += 1
            case StepEnded() if self._points:
                self._points, self.latest = 0, dict(self._twin.truth)
            case _:
                pass

    async def commit(self) -> None:
        """See Sink; this one promises nothing."""


def summarise(path: Path, truth: Mapping[str, Any], last: int = 10) -> list[str]:
    """How far a run came, the overpotential of its `last` cycles, and its latest spectrum.

    `truth` is the twin's when that spectrum ended; empty for a real cell.
    """
    run = open_run(path)
    lines = [f"{run.cycle} cycles, {run.rows} samples, {duration(run.last_test_time)} of test time"]
    lines += _overpotential(_found(run, "overpotential", last), truth)
    lines += _impedance(_found(run, "impedance"), truth)
    return [
        *lines,
        *(f"published      {each}" for each in published(run.header.cell.name) if "overpotential" in each),
    ]


def _found(run: Run, name: str, last: int | None = None) -> Sequence[Finding]:
    if name not in registry.names("evaluations"):
        return []
    return evaluate(run, registry.evaluation(name))[0].summary(last)


def _overpotential(findings: Sequence[Finding], truth: Mapping[str, Any]) -> list[str]:
    if not findings:
        return ["no cycle was completed, so there is no overpotential"]
    told = findings[0].as_dict()
    inputs = told["inputs"]
    beside = (
        f", the cell's truth {truth['overpotential_V'] * 1e3:.2f} mV" if "overpotential_V" in truth else ""
    )
    return [
        f"overpotential  {told['value'] * 1e3:.2f} mV, cycles {inputs['cycles']}{beside}",
        f"               {inputs['definition']} (50 %), plating and stripping, {inputs['electrodes']}",
    ]


def _impedance(findings: Sequence[Finding], truth: Mapping[str, Any]) -> list[str]:
    """R_b in ohm, as leads are in it; the interfaces in ohm cm2, both electrodes together."""
    lines = []
    for found in findings:
        told = found.as_dict()
        areal = "area" in told["inputs"]
        if areal == (found.name == "R_b"):
            continue
        value = truth.get(f"{found.name}_ohm_cm2" if areal else f"{found.name}_ohm")
        beside = f", the cell's truth {value:.3f}" if value is not None else ""
        lines.append(f"{found.name:<15}{found.text()}{beside}")
    if lines:
        lines.append(
            f"               two electrodes, standard uncertainty, spectrum of cycle {int(told['inputs']['cycle'])}"
        )
    return lines
