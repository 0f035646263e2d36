"""What the channel does now: state and step in words, then the latest readings."""

from __future__ import annotations

from typing import ClassVar

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from hilcycler.language import describe_step
from hilcycler.quantities import duration
from hilcycler.records import OffState
from hilcycler.tui.happenings import off_in_words
from hilcycler.tui.live import Now, Phase
from hilcycler.tui.plain import plain
from hilcycler.tui.reading import reading

_ALARMING = frozenset({Phase.TRIPPED, Phase.FAILED, Phase.INTERRUPTED})


class NowPanel(Widget):
    """Two lines; set `now`, and `planned`, the number of steps, where it is known."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"now--phase", "now--alarm", "now--label", "now--value"}

    now: reactive[Now] = reactive(Now())
    planned: reactive[int | None] = reactive[int | None](None)

    def render(self) -> Content:
        """See Widget."""
        return Content("\n").join([self._doing(), self._readings()])

    def _doing(self) -> Content:
        now = self.now
        off = "" if now.off is None else f" · {off_in_words(now.off)}"
        alarm = now.phase in _ALARMING or now.off is OffState.UNCONFIRMED
        style = self.get_visual_style("now--alarm" if alarm else "now--phase")
        return Content.assemble((f" {now.phase}{off} ", style), "  ", self._said())

    def _said(self) -> str:
        now = self.now
        if now.phase is Phase.INTERRUPTED:
            return "nobody is recording this run; the output may be on"
        if now.off is not None:
            return plain(now.reason)
        if now.step is None:
            return ""
        of = "" if self.planned is None else f" of {self.planned}"
        step = now.step.step
        words = describe_step(step, usual=getattr(step, "sampling", None))
        return f"step {now.step.step_count}{of}: {plain(words)}"

    def _readings(self) -> Content:
        now = self.now
        label, value = self.get_visual_style("now--label"), self.get_visual_style("now--value")
        return Content.assemble(
            (" V", label), (reading(now.voltage, "V"), value),
            ("   I", label), (reading(now.current, "A"), value),
            ("   test time  ", label), (f"{duration(now.test_time):<12}", value),
            (" cycle  ", label), (str(now.cycle), value),
        )  # fmt: skip
