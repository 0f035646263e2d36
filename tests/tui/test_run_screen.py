"""What a person at the bench sees and can do; the view is driven by records and keys alone."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from imagined_run import ImaginedRun
from textual import events
from textual.widgets import Static

from hilcycler.errors import JournalError
from hilcycler.records import Gap, Note, OffState, OperatorAction, Outcome, Resumed
from hilcycler.steps import OperatorPause, Process
from hilcycler.tui.app import ViewApp
from hilcycler.tui.event_list import EventList
from hilcycler.tui.feed import Look
from hilcycler.tui.run_screen import SPANS, RunScreen

SMALL, LARGE = (80, 24), (120, 40)
HOSTILE = "\x1b]0;x\x07[red]\u202e[/]"
INERT = "␛]0;x␇[red]\ufffd[/]"
Viewing = Callable[[tuple[int, int]], AbstractAsyncContextManager[Any]]


def acted(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def test_before_the_run_begins_the_view_says_that_it_waits(viewing: Viewing) -> None:
    async def scene() -> None:
        async with viewing(SMALL) as viewer:
            await viewer.sees()
            assert "waiting for the run" in viewer.text
            assert "q close the view (the run goes on)" in viewer.lines[-1]

    acted(scene())


def test_a_running_step_is_shown_in_words_with_readings_and_progress(
    viewing: Viewing, imagined: ImaginedRun
) -> None:
    async def scene() -> None:
        async with viewing(SMALL) as viewer:
            await viewer.sees(imagined.started(planned_steps=20), *imagined.cycles(1, 4))
            await viewer.sees(*list(imagined.half_cycle(5, Process.PLATE))[:3])
            title, doing, readings, progress = viewer.lines[:4]
            assert "20260101-symmetric   Li-Li 07   EmStat4S HR ES4-0012    SIMULATED" in title
            assert "running   step 9 of 20: plate at 1.131 mA; until 1 h" in doing
            assert "I  −1.131 mA" in readings
            assert "test time  8 h 29 min" in readings
            assert "cycle  5" in readings
            assert "42%  about 11 h 31 min left" in progress

    acted(scene())


def test_a_run_on_hardware_is_not_called_simulated_and_has_a_date_for_its_end(viewing: Viewing) -> None:
    async def scene() -> None:
        async with viewing(LARGE) as viewer:
            run = ImaginedRun(simulated=False)
            await viewer.sees(run.started(planned_steps=20), *run.cycles(1, 4))
            assert "SIMULATED" not in viewer.text
            assert "about 12 h left, until 2026-01-01 20:00 UTC" in viewer.text

    acted(scene())


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize(
    ("off", "words"), [(OffState.OFF, "TRIPPED · OFF "), (OffState.UNCONFIRMED, "TRIPPED · OFF UNCONFIRMED ")]
)
def test_a_trip_is_red_and_says_what_is_known_of_the_output(
    viewing: Viewing, imagined: ImaginedRun, size: tuple[int, int], off: OffState, words: str
) -> None:
    async def scene() -> None:
        async with viewing(size) as viewer:
            await viewer.sees(imagined.started(), *imagined.cycles(1, 2), *imagined.tripped(off))
            assert words in viewer.lines[1]
            assert "safety limit: voltage 0.6123 outside -0.5 to 0.5" in viewer.lines[1]
            assert "left" not in viewer.lines[3]
            assert background(viewer, 1, words.strip()) == "#e5484d"
            lines = str(viewer.screen.query_one("#lines", Static).render())
            assert (
                f"TRIP  voltage 0.6123 outside -0.5 to 0.5 (seen by the host); output {words[10:].strip()}"
                in lines
            )

    acted(scene())


def test_after_the_end_the_view_stays_and_shows_the_outcome(viewing: Viewing, imagined: ImaginedRun) -> None:
    async def scene() -> None:
        async with viewing(SMALL) as viewer:
            await viewer.sees(imagined.started(planned_steps=4), *imagined.cycles(1, 2), imagined.ended())
            await viewer.sees(recording=False)
            assert viewer.app.is_running
            assert "completed · OFF   protocol complete" in viewer.lines[1]
            assert "100%" in viewer.lines[3]
            assert background(viewer, 1, "completed") != "#e5484d"

    acted(scene())


def test_a_run_that_nobody_records_any_more_is_not_shown_as_running(
    viewing: Viewing, imagined: ImaginedRun
) -> None:
    async def scene() -> None:
        async with viewing(SMALL) as viewer:
            await viewer.sees(imagined.started(), *list(imagined.half_cycle(1, Process.PLATE))[:2])
            await viewer.sees(recording=False)
            gone = "INTERRUPTED   nobody is recording this run; the output may be on"
            await viewer.until(lambda: gone in viewer.lines[1])
            await viewer.sees(Resumed(1, True, "service restarted", imagined.stamp()), recording=True)
            await viewer.until(lambda: "running" in viewer.lines[1])

    acted(scene())


def test_q_closes_the_view(viewing: Viewing, imagined: ImaginedRun) -> None:
    async def scene() -> None:
        async with viewing(SMALL) as viewer:
            await viewer.sees(imagined.started())
            await viewer.presses("q")
            assert not viewer.app.is_running

    acted(scene())


def test_w_changes_how_many_cycles_are_drawn(viewing: Viewing, imagined: ImaginedRun) -> None:
    async def scene() -> None:
        async with viewing(SMALL) as viewer:
            await viewer.sees(imagined.started(), *imagined.cycles(1, 12))
            assert "─ last 3 cycles" in viewer.lines[4]
            await viewer.presses("w")
            assert "─ last 10 cycles" in viewer.lines[4]
            await viewer.presses("w", "w")
            assert "─ last cycle" in viewer.lines[4]

    acted(scene())


def test_i_shows_and_hides_the_current_at_either_size(viewing: Viewing, imagined: ImaginedRun) -> None:
    async def scene(size: tuple[int, int]) -> None:
        async with viewing(size) as viewer:
            await viewer.sees(imagined.started(), *imagined.cycles(1, 3))
            shown = "Current (mA)" in viewer.text
            assert shown == (size == LARGE)
            await viewer.presses("i")
            assert ("Current (mA)" in viewer.text) != shown
            assert "Voltage WE-CE (mV)" in viewer.text

    for size in (SMALL, LARGE):
        acted(scene(size))


def test_spectra_appear_when_they_arrive(viewing: Viewing, imagined: ImaginedRun) -> None:
    async def scene() -> None:
        async with viewing(SMALL) as viewer:
            await viewer.sees(imagined.started(), *imagined.cycles(1, 4))
            assert "−Z″" not in viewer.text
            await viewer.sees(*list(imagined.spectrum(5))[:10])
            assert "−Z″ (Ω)" in viewer.text
            assert "Z′ (Ω)" in viewer.text

    acted(scene())


def test_waiting_for_the_operator_is_a_state_of_its_own(viewing: Viewing, imagined: ImaginedRun) -> None:
    async def scene() -> None:
        async with viewing(SMALL) as viewer:
            await viewer.sees(imagined.started(), imagined.begin(OperatorPause("turn the cell"), 0))
            assert "wait for the operator: turn the cell" in viewer.lines[1]
            assert "paused" in viewer.lines[1]

    acted(scene())


def test_a_file_that_cannot_be_read_is_said_until_it_can_be_read(imagined: ImaginedRun) -> None:
    looks: list[Look | JournalError] = [
        JournalError(f"block 12: {HOSTILE}"),
        Look((imagined.started(),), recording=True),
    ]

    async def scene() -> None:
        async with following(looks) as (screen, until):
            await until(lambda: screen.query_one(EventList).trouble == f"cannot be read: block 12: {HOSTILE}")
            assert f"cannot be read: block 12: {INERT}" in text_of(screen)
            await until(lambda: screen.query_one(EventList).trouble == "")
            assert "run started" in text_of(screen)

    acted(scene())


def test_the_view_follows_its_feed_by_itself_and_keys_work_while_it_catches_up(imagined: ImaginedRun) -> None:
    month: list[Look | JournalError] = [
        Look((imagined.started(), *imagined.cycles(1, 300)), recording=True),
        Look(tuple(imagined.cycles(301, 301)), recording=True),
    ]

    async def scene() -> None:
        async with following(month) as (screen, until):
            await until(lambda: "cycle  " in text_of(screen) and "cycle  0" not in text_of(screen))
            screen.app.post_message(events.Key("w", "w"))
            await until(lambda: screen.span != SPANS[0])
            assert "cycle  301" not in text_of(screen)
            await until(lambda: "cycle  301" in text_of(screen))

    acted(scene())


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (40, 12), (79, 23), (250, 80)])
def test_no_terminal_is_too_small_or_too_large(
    viewing: Viewing, imagined: ImaginedRun, size: tuple[int, int]
) -> None:
    async def scene() -> None:
        async with viewing(size) as viewer:
            await viewer.sees(imagined.started(), *imagined.cycles(1, 6), *imagined.tripped(OffState.OFF))
            assert {len(line) for line in viewer.lines} == {size[0]}

    acted(scene())


def test_hostile_text_is_shown_as_text_everywhere(viewing: Viewing) -> None:
    """Control bytes that set a title, markup, and characters that turn the writing direction round."""

    async def scene() -> None:
        async with viewing(LARGE) as viewer:
            run = ImaginedRun(name=HOSTILE)
            run.model = run.cell_name = run.protocol_name = HOSTILE
            await viewer.sees(
                run.started(),
                run.begin(OperatorPause(HOSTILE), 0),
                Note(HOSTILE, run.stamp()),
                OperatorAction(HOSTILE, "stop", HOSTILE, run.stamp()),
                Gap(1, 0.0, 60.0, 3.6, HOSTILE, run.stamp()),
            )
            assert viewer.lines[0].count(INERT) == 3
            assert viewer.lines[1].count(INERT) == 1
            assert viewer.text.count(INERT) == 9
            await viewer.sees(run.failed(HOSTILE), run.ended(Outcome.FAILED, HOSTILE))
            assert INERT in viewer.lines[1]
            for character in ("\x1b", "\x07", "\u202e"):
                assert character not in viewer.text
            assert "\x1b]0;x" not in viewer.svg

    acted(scene())


@asynccontextmanager
async def following(looks: list[Look | JournalError]) -> AsyncIterator[tuple[RunScreen, Any]]:
    """The view with a feed that brings `looks`, one at a time, then nothing."""

    class Scripted:
        def look(self) -> Look:
            look = looks.pop(0) if looks else Look((), recording=True)
            if isinstance(look, JournalError):
                raise look
            return look

    screen = RunScreen(Scripted())
    async with ViewApp(screen).run_test(size=SMALL) as pilot:

        async def until(condition: Callable[[], bool]) -> None:
            async with asyncio.timeout(30.0):
                while not condition():
                    await pilot.pause(0.01)

        yield screen, until


def text_of(screen: RunScreen) -> str:
    return "\n".join(strip.text for strip in screen._compositor.render_strips())


def background(viewer: Any, row: int, text: str) -> str:
    """The background of `text` in a row of the screen."""
    for segment in viewer.screen._compositor.render_strips()[row]:
        if text in segment.text:
            return str(segment.style.bgcolor.triplet.hex)
    raise AssertionError(f"{text!r} is not in row {row}")
