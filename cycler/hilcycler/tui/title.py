"""The title of a run's screen: which run, which cell, which instrument, and whether it is simulated."""

from __future__ import annotations

from typing import ClassVar

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from hilcycler.records import RunStarted
from hilcycler.tui.plain import plain


class Title(Widget):
    """One line; set `started`."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"title--run", "title--simulated"}

    started: reactive[RunStarted | None] = reactive(None)

    def render(self) -> Content:
        """See Widget."""
        if self.started is None:
            return Content("waiting for the run")
        who = self.started.instrument
        instrument = f"{who.model} {who.serial}".strip()
        run = (plain(self.started.run), self.get_visual_style("title--run"))
        title = Content.assemble(run, f"   {plain(self.started.cell.name)}   {plain(instrument)}")
        if not who.simulated:
            return title
        return Content.assemble(title, "   ", (" SIMULATED ", self.get_visual_style("title--simulated")))
