"""The plot widget: a `Plan` drawn in braille, each row one strip, redrawn only when it changes."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from hilcycler.tui.picture import COLOURS, Axis, Plan, draw


class Plot(Widget, can_focus=False):
    """Curves over two axes. Set `plan`; colours are component classes `plot--series-0` and so on."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "plot--axis",
        "plot--label",
        "plot--title",
        *(f"plot--series-{n}" for n in range(COLOURS)),
    }

    plan: reactive[Plan] = reactive(Plan(Axis("x"), Axis("y")))

    def __init__(self, plan: Plan, *, id: str | None = None) -> None:  # noqa: A002  (Textual's own name)
        super().__init__(id=id)
        self._strips: list[Strip] | None = None
        self.set_reactive(Plot.plan, plan)

    def watch_plan(self) -> None:
        self._strips = None

    def notify_style_update(self) -> None:
        """See Widget."""
        super().notify_style_update()
        self._strips = None

    def render_line(self, y: int) -> Strip:
        """See Widget."""
        width, height = self.size
        if self._strips is None or len(self._strips) != height or self._strips[0].cell_length != width:
            self._strips = self._draw(width, height)
        return self._strips[y]

    def _draw(self, width: int, height: int) -> list[Strip]:
        style = {name: self.get_component_rich_style(f"plot--{name}") for name in ("axis", "label", "title")}
        style |= {f"series-{n}": self.get_component_rich_style(f"plot--series-{n}") for n in range(COLOURS)}
        rows = draw(self.plan, width, height)
        return [Strip([Segment(text, style[role]) for text, role in row], width) for row in rows]
