"""Pictures of whole screens, compared text for text and colour for colour with those in snapshots/.

HILCYCLER_UPDATE_SNAPSHOTS=1 writes them anew: look at them before you commit. The comparison reads
the SVG's texts, places and colours and not its bytes, so that another version of the library that
writes them does not fail it.
"""

import asyncio
import os
import re
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from imagined_run import ImaginedRun

from hilcycler.records import OffState, Record
from hilcycler.steps import Process

SNAPSHOTS = Path(__file__).parent / "snapshots"
UPDATE = "HILCYCLER_UPDATE_SNAPSHOTS"
Viewing = Callable[[tuple[int, int]], AbstractAsyncContextManager[Any]]


def running(run: ImaginedRun) -> Iterable[Record]:
    yield run.started()
    yield from run.cycles(1, 12)
    yield from list(run.half_cycle(13, Process.PLATE))[:4]


def first_cycle(run: ImaginedRun) -> Iterable[Record]:
    yield run.started()
    yield from list(run.half_cycle(1, Process.PLATE))[:3]


def tripped(run: ImaginedRun) -> Iterable[Record]:
    yield run.started()
    yield from run.cycles(1, 3)
    yield from run.tripped(OffState.UNCONFIRMED)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("story", [first_cycle, running, tripped])
def test_screen(
    viewing: Viewing,
    imagined: ImaginedRun,
    size: tuple[int, int],
    story: Callable[[Any], Iterable[Record]],
    tmp_path: Path,
) -> None:
    async def scene() -> str:
        async with viewing(size) as viewer:
            await viewer.sees(*story(imagined))
            return str(viewer.svg)

    svg = asyncio.run(scene())
    stored = SNAPSHOTS / f"{story.__name__}-{size[0]}x{size[1]}.svg"
    if os.environ.get(UPDATE):
        stored.parent.mkdir(exist_ok=True)
        stored.write_text(svg)
    (tmp_path / stored.name).write_text(svg)
    assert elements(svg) == elements(stored.read_text()), (
        f"now: {tmp_path / stored.name}; {UPDATE}=1 keeps it"
    )


def elements(svg: str) -> list[tuple[str, ...]]:
    """What is drawn where in which colour."""
    styles = dict(re.findall(r"\.[\w-]+-(r\d+) \{ ([^}]*)\}", svg))
    found: list[tuple[str, ...]] = []
    for element in ET.fromstring(svg).iter():
        tag = element.tag.rpartition("}")[2]
        place = tuple(element.get(name, "") for name in ("x", "y", "width", "height", "fill"))
        if tag == "text":
            style = styles.get((element.get("class") or "").rpartition("-")[2], "")
            found.append((*place, element.text or "", style.strip()))
        elif tag == "rect":
            found.append(place)
    return found
