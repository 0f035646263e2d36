"""How far the run has come and how long the rest may take."""

from __future__ import annotations

from typing import ClassVar

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from hilcycler.quantities import duration
from hilcycler.tui.happenings import calendar
from hilcycler.tui.live import Advance

_LEAST_BAR = 10


class ProgressLine(Widget):
    """One line; set `advance`."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"progress--done", "progress--left", "progress--label"}

    advance: reactive[Advance] = reactive(Advance())

    def render(self) -> Content:
        """See Widget."""
        label = self.get_visual_style("progress--label")
        fraction = self.advance.fraction
        if fraction is None:
            steps = int(self.advance.done)
            return Content.assemble((f" {steps} step{'s' if steps != 1 else ''} done", label))
        text = f" {int(100 * fraction):3d}%{self._left()} "  # 100 % only when all is done
        bar = max(_LEAST_BAR, self.size.width - len(text) - 1)
        done = round(bar * fraction)
        return Content.assemble(
            " ",
            ("━" * done, self.get_visual_style("progress--done")),
            ("─" * (bar - done), self.get_visual_style("progress--left")),
            (text, label),
        )

    def _left(self) -> str:
        left, ends_at = self.advance.left, self.advance.ends_at
        if left is None:
            return ""
        if left <= 0.0:
            return "  no steps left"
        until = "" if ends_at is None else f", until {calendar(ends_at)} UTC"
        return f"  about {duration(left)} left{until}"
