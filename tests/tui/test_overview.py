"""The overview of a bench: what a person sees of all channels, and how one is opened and left again."""

from __future__ import annotations

import asyncio
import html
import os
import re
from pathlib import Path

import pytest
from imagined_run import ImaginedRun
from textual.widgets import DataTable

from hilcycler.errors import LinkLost
from hilcycler.service.status import BenchStatus, ChannelStatus, Waiting
from hilcycler.steps import Process
from hilcycler.tui.feed import Look
from hilcycler.tui.overview import ChannelScreen, Overview

SNAPSHOTS = Path(__file__).parent / "snapshots"
UPDATE = "HILCYCLER_UPDATE_SNAPSHOTS"


def cycling(name: str, cycle: int) -> ChannelStatus:
    return ChannelStatus(
        channel=name,
        state="running",
        condition="busy",
        simulated=True,
        run=f"20260101-aaaaaa{name.lower()}",
        protocol="symmetric cycling",
        cell=f"Li-Li {name}",
        instrument="EmStat4S HR ES4-0012",
        step_kind="constant-current",
        doing="plate at 1.131 mA until 1.131 mAh",
        cycle=cycle,
        test_time=7200.0 * cycle,
        voltage=-0.0131,
        current=-1.131e-3,
        rows=720 * cycle,
    )


BENCH = BenchStatus(
    bench="bench-2",
    site="electrochemistry",
    data="/data",
    version="0",
    reconciled=True,
    entry=3,
    channels=[
        *(cycling(f"A{number}", 10 * number) for number in range(1, 6)),
        cycling("A6", 7).model_copy(
            update={"state": "paused", "pending": "", "voltage": None, "current": None}
        ),
        ChannelStatus(
            channel="S1",
            state="idle",
            condition="idle",
            latched="run 20260101-x: voltage 1.2 outside -1 to 1",
        ),
        ChannelStatus(
            channel="S2",
            state="unreachable",
            condition="unreachable",
            failure="tcp://10.0.0.7:5025: no answer within 5 s\x1b[31m[red]",
            queue=[Waiting(run="20260101-y", actor="kigr", reason="", utc=0.0)],
        ),
    ],
)


class Told:
    """A service that says what it is told to say."""

    def __init__(self, status: BenchStatus | None) -> None:
        self.status = status

    def look(self) -> BenchStatus:
        if self.status is None:
            raise LinkLost("the service does not answer")
        return self.status


class OneRun:
    """A feed of one imagined run, all of it at the first look."""

    def __init__(self) -> None:
        run = ImaginedRun()
        self._records = (run.started(), *run.cycles(1, 3), *list(run.half_cycle(4, Process.PLATE))[:3])

    def look(self) -> Look:
        records, self._records = self._records, ()
        return Look(tuple(records), recording=True)


def app_of(bench: Told) -> Overview:
    return Overview(bench, lambda _, __: ChannelScreen(OneRun()))


def text(app: Overview) -> str:
    """What stands on the screen, line by line."""
    lines: dict[float, list[str]] = {}
    for x, y, said in re.findall(
        r'<text[^>]* x="([^"]*)" y="([^"]*)"[^>]*>(.*?)</text>', app.export_screenshot()
    ):
        assert x
        lines.setdefault(float(y), []).append(html.unescape(said).replace("\xa0", " "))
    return "\n".join("".join(parts).rstrip() for _, parts in sorted(lines.items()))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
def test_screen(size: tuple[int, int]) -> None:
    async def scene() -> str:
        app = app_of(Told(BENCH))
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            app.take(BENCH)
            await pilot.pause()
            return text(app)

    kept = asyncio.run(scene()) + "\n"
    stored = SNAPSHOTS / f"overview-{size[0]}x{size[1]}.txt"
    if os.environ.get(UPDATE):
        stored.write_text(kept)
    assert kept == stored.read_text(), f"{UPDATE}=1 keeps what is shown now"


def test_a_person_sees_what_needs_one() -> None:
    async def scene() -> str:
        app = app_of(Told(BENCH))
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.pause()
            app.take(BENCH)
            app.query_one(DataTable).move_cursor(row=7)
            await pilot.pause()
            return text(app)

    shown = asyncio.run(scene())
    assert "2 need a person" in shown
    assert "6 of 8 channels run" in shown
    assert "latched" in shown
    assert "no answer within 5 s" in shown


def test_s18_what_instruments_say_is_shown_inert() -> None:
    async def scene() -> str:
        app = app_of(Told(BENCH))
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.pause()
            app.take(BENCH)
            app.query_one(DataTable).move_cursor(row=7)
            await pilot.pause()
            return text(app)

    shown = asyncio.run(scene())
    assert "\x1b" not in shown
    assert "[red]" in shown


def test_a_channel_is_opened_and_left_again() -> None:
    async def scene() -> None:
        app = app_of(Told(BENCH))
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            app.take(BENCH)
            await pilot.press("down", "enter")
            await pilot.pause()
            assert isinstance(app.screen, ChannelScreen)
            app.take(BENCH)  # the overview goes on behind it
            await pilot.press("escape")
            await pilot.pause()
            assert not isinstance(app.screen, ChannelScreen)
            app.query_one(DataTable).move_cursor(row=6)  # no run there: nothing to open
            await pilot.press("enter")
            await pilot.pause()
            assert not isinstance(app.screen, ChannelScreen)

    asyncio.run(scene())


def test_a_service_that_is_gone_is_said_and_waited_for() -> None:
    async def scene() -> None:
        bench = Told(None)
        app = app_of(bench)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause(0.2)
            assert "the service does not answer" in text(app)
            bench.status = BENCH
            app.take(bench.look())
            await pilot.pause()
            assert "bench-2 at electrochemistry" in text(app)

    asyncio.run(scene())
