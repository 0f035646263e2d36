"""Every file of the library is read, rehearsed and run on the simulated cell of its paper.

It is run whole: driver, bytes, simulated instrument, journal. What the preflight foretold of rows, points,
duration and extremes is what came. Where the chamber is needed it is only rehearsed: there is none on a wire.

One file a paper by default; all of them with HILCYCLER_LIBRARY=all. Shortened: each repeat runs twice,
and what is inserted in some passes runs in both of them, so that every step as written runs; of the
scans of a voltammogram, one.
"""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from spine import make_twin

from hilcycler import registry
from hilcycler.cell import Cell
from hilcycler.engine import Execution
from hilcycler.journal import Settings, open_run
from hilcycler.language import load
from hilcycler.preflight import Severity, preflight
from hilcycler.preflight.rehearsal import Rehearsed
from hilcycler.protocol import Group, Insert, Node, Protocol, Repeat, steps_of
from hilcycler.records import ImpedancePoint, Outcome, Record, StepStarted
from hilcycler.service.foreground import perform
from hilcycler.service.order import Order
from hilcycler.steps import CyclicVoltammetry, OperatorPause, SetTemperature
from hilcycler_simulators.virtual_time import run

LIBRARY = Path(str(files("hilcycler_protocols"))) / "library"
EVERYTHING = os.environ.get("HILCYCLER_LIBRARY") == "all"
FEW = ("wng/04", "bn-pp/01", "wn-mo2n/03", "limmt/08", "pota/13")
FILES = [
    path
    for path in sorted(LIBRARY.rglob("*.yaml"))
    if EVERYTHING or f"{path.parent.name}/{path.name[:2]}" in FEW
]
MODEL = "nexus"  # the papers' 1 MHz and 10 V are beyond an EmStat4
KINDS = (
    ("cu", "li-cu"), ("ss", "ss-ss"), ("stainless", "ss-ss"), ("lfp", "li-lfp"), ("lifepo", "li-lfp"),
    ("ncm811", "li-ncm811"), ("nmc811", "li-ncm811"), ("lini0.8", "li-ncm811"), ("ncm", "li-ncm523"),
    ("lini0.5", "li-ncm523"), ("lco", "li-lfp"), ("licoo", "li-lfp"), ("s", "li-s"), ("na", "na-na"), ("k", "k-k"),
)  # fmt: skip
"""The kind of simulated cell by the working electrode; where there is none of a kind, a near one."""


def profile(cell: Cell, paper: str) -> str:
    material = cell.working.material.lower()
    kind = next((kind for start, kind in KINDS if material.startswith(start)), "li-li")
    if kind == "ss-ss" and cell.counter.material.lower().startswith("li"):
        kind = "li-ss"
    names = [name for catalogue in registry.cells() for name in catalogue.names()]
    own = [name for name in names if name.startswith(f"{kind}/{paper}")]
    return (own or [name for name in names if name.startswith(f"{kind}/")])[0]


def shortened(node: Node) -> Node:
    match node:
        case Repeat():
            return replace(node, times=min(node.times, 2), body=tuple(map(shortened, node.body)))
        case Group():
            return replace(node, body=tuple(map(shortened, node.body)))
        case Insert():
            return replace(node, every=1, at=(), body=tuple(map(shortened, node.body)))
        case CyclicVoltammetry():
            return replace(node, scans=1)
        case _:
            return node


class Proceeding:
    """The person who says at each pause that it may go on."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    def put(self, record: Record) -> None:
        if isinstance(record, StepStarted) and isinstance(record.step, OperatorPause):
            self._execution.proceed("somebody")

    async def commit(self) -> None:
        pass


def compare(foretold: Rehearsed, protocol: Protocol, cell: Cell, name: str, folder: Path) -> None:
    twin = make_twin(MODEL, name)
    order = Order(
        protocol,
        "",
        cell,
        registry.driver("emstat"),
        twin.connect,
        "one",
        folder,
        simulated=True,
        check_cell=False,
    )
    performed = run(perform(order, Proceeding, Settings(inline=True)))
    assert performed.ended.outcome is Outcome.COMPLETED
    executed = open_run(performed.path)
    points = sum(isinstance(event, ImpedancePoint) for event in executed.events())
    assert (executed.rows, points) == (foretold.rows, foretold.points)
    assert performed.ended.stamp.monotonic == foretold.duration
    columns = executed.columns(("voltage", "current"))
    for quantity, span in (("voltage", foretold.voltage), ("current", foretold.current)):
        if executed.rows:
            assert (columns[quantity].min(), columns[quantity].max()) == (span.lowest, span.highest)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_it_runs_on_its_cell(path: Path, tmp_path: Path) -> None:
    document = load(path)
    protocol, cell = document.bind(), document.cell
    assert cell is not None
    short = replace(protocol, body=tuple(map(shortened, protocol.body)))
    name = profile(cell, path.parent.name)
    report = preflight(short, cell, MODEL, name)
    errors = [each for each in report.findings if each.severity is Severity.ERROR]
    assert errors == []
    assert report.rehearsed is not None
    assert report.rehearsed.outcome is Outcome.COMPLETED
    assert report.rehearsed.rows + report.rehearsed.points > 0
    if not any(isinstance(step, SetTemperature) for step in steps_of(short.body)):
        compare(report.rehearsed, short, cell, name, tmp_path)
