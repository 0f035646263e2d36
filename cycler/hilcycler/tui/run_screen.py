"""One run on one screen. It reads; nothing here can touch the run."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer

from hilcycler.errors import CyclerError
from hilcycler.quantities import Second
from hilcycler.tui import figures
from hilcycler.tui.event_list import EventList
from hilcycler.tui.feed import Feed, Look
from hilcycler.tui.live import Live, PerCycle, Phase
from hilcycler.tui.now import NowPanel
from hilcycler.tui.plot import Plot
from hilcycler.tui.progress import ProgressLine
from hilcycler.tui.title import Title

EVERY: Second = 0.5
"""Between looks: the journal commits about once a second."""

PART = 200
"""Records that are taken in one go."""

SPANS = (3, 10, 30, 1)
"""Numbers of cycles that the plots against time can show."""


class RunScreen(Screen[None]):
    """The view of the run behind `feed`; `per_cycle` is the evaluation that runs along."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "app.quit", "close the view (the run goes on)"),
        Binding("w", "span", "more or fewer cycles"),
        Binding("i", "current", "current"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]  # noqa: RUF012  (Screen declares it so)

    span: reactive[int] = reactive(SPANS[0], init=False)

    def __init__(self, feed: Feed, per_cycle: PerCycle | None = None) -> None:
        super().__init__()
        self._feed = feed
        self._live = Live(per_cycle)
        self._title, self._now = Title(), NowPanel()
        self._progress, self._events = ProgressLine(), EventList()
        self._voltage = Plot(figures.voltage(self._live, self.span), id="voltage")
        self._current = Plot(figures.current(self._live, self.span), id="current")
        self._nyquist = Plot(figures.nyquist(self._live), id="nyquist")
        self._per_cycle = Plot(figures.per_cycle(self._live), id="per-cycle")
        self._nyquist.display = False

    def compose(self) -> ComposeResult:
        """See Screen."""
        yield from (self._title, self._now, self._progress, self._voltage, self._current)
        yield Horizontal(self._nyquist, self._per_cycle, id="below")
        yield self._events
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._follow()

    @work(exclusive=True)
    async def _follow(self) -> None:
        """Look at the file for as long as the view is open; an ended run may yet be resumed."""
        while True:
            try:
                look = await asyncio.to_thread(self._feed.look)
            except CyclerError as error:
                self._events.trouble = f"cannot be read: {error}"
            else:
                self._events.trouble = ""
                await self._take_in_parts(look)
            await asyncio.sleep(EVERY)

    async def _take_in_parts(self, look: Look) -> None:
        """A month of records comes at once when a view opens late; keys must work meanwhile."""
        for start in range(0, max(len(look.records), 1), PART):
            self.take(Look(look.records[start : start + PART], look.recording))
            await asyncio.sleep(0)

    def take(self, look: Look) -> None:
        """Show what `look` brought."""
        for record in look.records:
            self._live.put(record)
        now = self._live.now
        ended = now.off is not None
        if not look.recording and not ended and self._live.started is not None:
            now = replace(now, phase=Phase.INTERRUPTED)
        self._now.now = now
        if look.records:
            self._show()

    def watch_span(self) -> None:
        self._draw_against_time()

    def action_span(self) -> None:
        """Show the next number of cycles."""
        self.span = SPANS[(SPANS.index(self.span) + 1) % len(SPANS)]

    def action_current(self) -> None:
        """Show or hide the current; on a low screen it takes the place of the plots below."""
        self.toggle_class("-swapped")

    def _show(self) -> None:
        live = self._live
        self._title.started = live.started
        self._now.planned = None if live.started is None else live.started.planned_steps
        self._progress.advance = live.advance
        self._events.happenings = live.happenings
        self._draw_against_time()
        self._nyquist.display = bool(live.spectra.kept())
        self._nyquist.plan = figures.nyquist(live)
        self._per_cycle.plan = figures.per_cycle(live)

    def _draw_against_time(self) -> None:
        self._voltage.plan = figures.voltage(self._live, self.span)
        self._current.plan = figures.current(self._live, self.span)
