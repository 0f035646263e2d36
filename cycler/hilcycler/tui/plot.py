"""The plot widget: a `Plan` drawn in braille, each row one strip, redrawn only when it changes."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from hilcycler.tui.picture import AXIS, COLOURS, LABEL, TITLE, Axis, Plan, draw


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
        self._strips: list[Strip] = []
        self._drawn: tuple[int, int] | None = None  # the size of what is in _strips; None: out of date
        self._styles_of: dict[str, Style] = {}
        self.set_reactive(Plot.plan, plan)

    def watch_plan(self) -> None:
        self._drawn = None

    def notify_style_update(self) -> None:
        """See Widget."""
        super().notify_style_update()
        self._drawn, self._styles_of = None, {}

    def render_line(self, y: int) -> Strip:
        """See Widget."""
        if y == 0 or self._drawn is None:
            size = self.size
            if self._drawn != size:
                self._strips, self._drawn = self._draw(*size), size
        return self._strips[y]

    def _draw(self, width: int, height: int) -> list[Strip]:
        style = self._styles_of = self._styles_of or self._styled()
        rows = draw(self.plan, width, height)
        return [Strip([Segment(text, style[role]) for text, role in row], width) for row in rows]

    def _styled(self) -> dict[str, Style]:
        roles = [AXIS, LABEL, TITLE, *(f"series-{n}" for n in range(COLOURS))]
        return {role: self.get_component_rich_style(f"plot--{role}") for role in roles}
