"""All channels of a bench on one screen, and each on a screen of its own. It looks; it asks for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar, Protocol

from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.coordinate import Coordinate
from textual.widgets import DataTable, Footer, Static

from hilcycler.errors import CyclerError
from hilcycler.quantities import Second, duration, engineering
from hilcycler.service.status import BenchStatus, ChannelStatus
from hilcycler.tui.plain import plain
from hilcycler.tui.run_screen import RunScreen

EVERY: Second = 1.0
COLUMNS = {
    "channel": 7, "state": 11, "cell": 12, "cycle": 5, "voltage": 9, "current": 9, "test time": 11, "step": 24
}  # fmt: skip
"""The columns and their widths: what is measured fits 80 characters; the step stands beyond them."""
WIDE = 110


class Bench(Protocol):
    """Where the overview gets what it shows."""

    def look(self) -> BenchStatus:
        """The bench now. Blocks for a moment; CyclerError if the service does not answer."""
        ...


class ChannelScreen(RunScreen):
    """The run of one channel; Escape goes back to all of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.pop_screen", "all channels"),
        Binding("q", "app.quit", "close (runs go on)"),
        Binding("w", "span", "more or fewer cycles"),
        Binding("i", "current", "current"),
    ]


class Overview(App[None]):
    """One row a channel. `channel_screen` makes the screen for the run of one."""

    CSS_PATH = "view.tcss"
    CSS = """
    #bench { height: 1; padding: 0 1; background: $panel; }
    #channels { height: 1fr; padding: 0 1; background: $background; }
    #said { height: 2; padding: 0 1; color: $text-muted; }
    .bench--alarm { background: #e5484d; color: $text; text-style: bold; }
    """
    ENABLE_COMMAND_PALETTE: ClassVar[bool] = False
    TITLE = "cycler"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "close (runs go on)"),
    ]

    def __init__(
        self, bench: Bench, channel_screen: Callable[[BenchStatus, ChannelStatus], RunScreen]
    ) -> None:
        super().__init__()
        self._bench, self._screen_of = bench, channel_screen
        self._shown: BenchStatus | None = None
        self._trouble = ""

    def compose(self) -> ComposeResult:
        """See App."""
        yield Static(id="bench")
        yield DataTable[Content](id="channels", cursor_type="row", zebra_stripes=False)
        yield Static(id="said")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """See App."""
        table = self._table
        for name, width in COLUMNS.items():
            if name != "step" or self.size.width >= WIDE:
                table.add_column(name, key=name, width=width)
        table.focus()
        self._follow()

    @property
    def _table(self) -> DataTable[Content]:
        return self.screen_stack[0].query_one("#channels", DataTable)

    @work(exclusive=True)
    async def _follow(self) -> None:
        """Look for as long as the view is open; a service that is gone may come back."""
        while True:
            try:
                status = await asyncio.to_thread(self._bench.look)
            except CyclerError as error:
                self._trouble = str(error)
                self._say()
            else:
                self._trouble = ""
                self.take(status)
            await asyncio.sleep(EVERY)

    def take(self, status: BenchStatus) -> None:
        """Show the bench as it is now."""
        self._shown = status
        table = self._table
        if [row.value for row in table.rows] != [each.channel for each in status.channels]:
            table.clear()
            for each in status.channels:
                table.add_row(*self._row(each), key=each.channel)
        else:
            for at, each in enumerate(status.channels):
                for column, cell in enumerate(self._row(each)):
                    table.update_cell_at(Coordinate(at, column), cell)
        self._say()

    def on_data_table_row_selected(self, chosen: DataTable.RowSelected) -> None:
        """Enter, or a click: the run of that channel."""
        if self._shown is None:
            return
        channel = next((e for e in self._shown.channels if e.channel == chosen.row_key.value), None)
        if channel is not None and channel.run:
            self.push_screen(self._screen_of(self._shown, channel))

    def on_data_table_row_highlighted(self) -> None:
        """Say more of the channel under the cursor."""
        self._say()

    def _row(self, channel: ChannelStatus) -> list[Content]:
        return _row(channel)[: len(self._table.columns)]

    def _say(self) -> None:
        base = self.screen_stack[0]
        base.query_one("#bench", Static).update(self._heading())
        base.query_one("#said", Static).update(Content(self._more()))

    def _heading(self) -> Content:
        if self._shown is None:
            return Content(plain(self._trouble) or "waiting for the service")
        status = self._shown
        busy = sum(bool(each.run) for each in status.channels)
        alarms = sum(bool(each.latched or each.failure) for each in status.channels)
        heading = Content(
            f"{plain(status.bench)} at {plain(status.site)}   {busy} of {len(status.channels)} channels run"
        )
        if alarms:
            heading = Content.assemble(heading, "   ", (f" {alarms} need a person ", "bold $text on #e5484d"))
        if self._trouble:
            heading = Content.assemble(heading, "   ", (f" {plain(self._trouble)} ", "bold $text on #e5484d"))
        return Content.assemble(heading, "   Enter: one of them")

    def _more(self) -> str:
        if self._shown is None or not self._shown.channels:
            return ""
        at = min(max(self._table.cursor_row, 0), len(self._shown.channels) - 1)
        return plain(_in_words(self._shown.channels[at]))


def _row(channel: ChannelStatus) -> list[Content]:
    alarm = bool(channel.latched or channel.failure)
    state = "latched" if channel.latched else channel.state
    reading = [
        "" if value is None else engineering(value, unit, 4)
        for value, unit in ((channel.voltage, "V"), (channel.current, "A"))
    ]
    running = bool(channel.run)
    values = (
        channel.channel,
        state + (", queue" if channel.queue and not running else ""),
        channel.cell,
        str(channel.cycle) if running else "",
        *reading,
        duration(channel.test_time) if running else "",
        channel.step_kind,
    )
    style = "bold #e5484d" if alarm else ""
    return [Content.styled(plain(value), style if at == 1 else "") for at, value in enumerate(values)]


def _in_words(channel: ChannelStatus) -> str:
    """What the table has no room for."""
    if channel.latched:
        return f"{channel.channel}: latched by {channel.latched}"
    if channel.failure:
        return f"{channel.channel}: {channel.failure}"
    parts = [channel.protocol, channel.doing, channel.pending, channel.remark]
    if channel.queue:
        parts.append(f"{len(channel.queue)} waiting")
    if channel.gaps:
        parts.append(f"{channel.gaps} gaps")
    who = f"{channel.instrument}{', simulated' if channel.simulated else ''}"
    return f"{channel.channel}: " + "; ".join(filter(None, [who.strip(", "), *parts]))
