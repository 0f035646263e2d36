"""What happened to the run, newest first: trips and failures stand out, nothing scrolls by itself."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.style import Style
from textual.widgets import Static

from hilcycler.tui.happenings import Happening, Tone, calendar
from hilcycler.tui.plain import plain


class EventList(VerticalScroll):
    """Scrolls with the arrow keys. Set `happenings`, and `trouble`: why the file cannot be read now."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"events--time", *(f"events--{tone}" for tone in Tone)}

    happenings: reactive[tuple[Happening, ...]] = reactive[tuple[Happening, ...]](())
    trouble: reactive[str] = reactive("")

    def __init__(self) -> None:
        super().__init__()
        self._lines = Static(id="lines")

    def compose(self) -> ComposeResult:
        """See Widget."""
        yield self._lines

    def watch_happenings(self) -> None:
        self._show()

    def watch_trouble(self) -> None:
        self._show()

    def _show(self) -> None:
        lines = [self._line(each) for each in self.happenings]
        if self.trouble:
            lines.insert(0, Content.assemble((plain(self.trouble), self._tone(Tone.ALARM))))
        self._lines.update(Content("\n").join(lines))

    def _line(self, each: Happening) -> Content:
        hours = f"{each.test_time / 3600.0:.1f} h"
        when = f"{calendar(each.stamp.utc)[5:]} {hours:>9}  "
        return Content.assemble(
            (when, self.get_visual_style("events--time", partial=True)), (each.text, self._tone(each.tone))
        )

    def _tone(self, tone: Tone) -> Style:
        return self.get_visual_style(f"events--{tone}", partial=True)
