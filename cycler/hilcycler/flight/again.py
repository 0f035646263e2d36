"""A recorded run once more, on its recording, in virtual time: and what comes out beside what came out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hilcycler import registry
from hilcycler.errors import RequestError
from hilcycler.flight.transcript import Transcript
from hilcycler.journal import Run, Settings, open_run
from hilcycler.language import loads
from hilcycler.records import OperatorAction, Resumed, to_json
from hilcycler.service.foreground import Order, perform


@dataclass(frozen=True, slots=True)
class Compared:
    """Two runs beside each other; `differences` is empty if they hold the same, byte for byte."""

    rows: int
    events: int
    differences: tuple[str, ...]


def again(first: Run, transcript: Transcript, folder: Path) -> Compared:
    """Run what `first` ran on what was recorded then, into a new file in `folder`, and compare."""
    header = first.header
    if any(isinstance(each, Resumed | OperatorAction) for each in first.events()):
        raise RequestError(
            f"run {header.run}: people took part in it, or a restart, which a recording does not redo"
        )
    replays = registry.replays()
    instrument = replays.make(transcript)
    order = Order(
        protocol=loads(header.protocol_text, f"protocol of run {header.run}").bind(header.cell),
        text=header.protocol_text,
        cell=header.cell,
        driver=registry.driver(transcript.about.driver),
        connect=instrument.connect,
        channel=header.channel,
        folder=folder,
        simulated=header.instrument.simulated,
        truth=header.truth,
    )
    performed = replays.in_virtual_time(perform(order, None, Settings(inline=True)))
    second = open_run(performed.path)
    found = [instrument.diverged] if instrument.diverged else []
    found += list(_differences(first, second))
    return Compared(second.rows, second.event_count, tuple(found))


def _differences(first: Run, second: Run) -> Iterator[str]:
    """What the two hold otherwise, but for the run's name, and for clocks that were the host's."""
    if first.rows != second.rows:
        yield f"{first.rows} and {second.rows} rows"
    else:
        ours, theirs = first.columns(), second.columns()
        for name, column in ours.items():
            if column.tobytes() != theirs[name].tobytes():
                yield f"{name} differs by up to {np.nanmax(np.abs(column - theirs[name])):.3g}"
    before, after = list(_events(first)), list(_events(second))
    if len(before) != len(after):
        yield f"{len(before)} and {len(after)} events"
    for number, (one, other) in enumerate(zip(before, after, strict=False)):
        if one != other:
            yield f"event {number}: {_parted(one, other)}"
            return


def _events(run: Run) -> Iterator[str]:
    simulated = run.header.instrument.simulated
    for event in run.events():
        plain = json.loads(to_json(event))
        if not simulated:
            plain.pop("stamp", None)
        for name in ("run", "versions"):
            plain.pop(name, None)
        yield json.dumps(plain, sort_keys=True)


def _parted(one: str, other: str) -> str:
    at = next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    return f"...{one[max(at - 20, 0) : at + 40]}... and ...{other[max(at - 20, 0) : at + 40]}..."
