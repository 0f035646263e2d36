"""A run as it goes, in a few lines: a sink that keeps only the latest."""

from __future__ import annotations

import math
from collections import deque
from typing import assert_never

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hilcycler.cli.output import inert, say
from hilcycler.clock import process_time
from hilcycler.quantities import duration, engineering
from hilcycler.records import (
    Failed,
    Gap,
    ImpedancePoint,
    Note,
    OperatorAction,
    Record,
    Resumed,
    RunEnded,
    RunStarted,
    SampleBlock,
    StepEnded,
    StepStarted,
    Tripped,
)

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 60
_LINES_PER_RUN = 10


class Progress:
    """The latest of a run: state, step, voltage, current, cycle, how far, how long still."""

    def __init__(self, planned_steps: int, *, plain: bool) -> None:
        self._planned, self._plain = max(planned_steps, 1), plain
        self._began = process_time()
        self._title, self._state, self._step, self._note = "", "starting", "", ""
        self._voltage = self._current = self._test_time = 0.0
        self._cycle = self._done = self._said = 0
        self._trace: deque[float] = deque(maxlen=_WIDTH)

    def put(self, record: Record) -> None:
        """See Sink."""
        match record:
            case SampleBlock():
                self._samples(record)
            case RunStarted():
                self._title = f"{record.run}  {record.cell.name} on {record.instrument.model}"
            case StepStarted():
                if self._plain and self._state != "running":
                    say(f"{inert(self._title)}: running")
                self._state, self._step = (
                    "running",
                    record.step.name or getattr(record.step, "process", None) or record.step.kind,
                )
                self._cycle = record.cycle
            case StepEnded():
                self._done += 1
                self._report()
            case Tripped() | Failed() | RunEnded():
                self._state = record.kind.replace("run-", "")
            case Note():
                self._note = record.text
                if self._plain:
                    say(f"  note: {inert(record.text)}")
            case ImpedancePoint() | Gap() | Resumed() | OperatorAction():
                pass
            case _:
                assert_never(record)

    async def commit(self) -> None:
        """See Sink; this one promises nothing."""

    def _samples(self, block: SampleBlock) -> None:
        voltage = block.columns["voltage"]
        self._voltage, self._current = float(voltage[-1]), float(block.columns["current"][-1])
        self._test_time = float(block.columns["test_time"][-1])
        self._trace.append(float(voltage[len(voltage) // 2]))

    def _report(self) -> None:
        """Without a terminal: a plain line every tenth of the run."""
        tenth = self._done * _LINES_PER_RUN // self._planned
        if self._plain and tenth > self._said:
            self._said = tenth
            say(
                f"  {min(tenth * 10, 100):3d} %  cycle {self._cycle}  {duration(self._test_time)} of test time  {self._reading()}"
            )

    def _reading(self) -> str:
        return f"{engineering(self._voltage, 'V')}  {engineering(self._current, 'A')}"

    def _eta(self) -> str:
        spent = process_time() - self._began
        if self._done == 0:
            return "estimating"
        return f"{duration(spent * (self._planned - self._done) / self._done)} left"

    def __rich__(self) -> RenderableType:
        facts = Table.grid(padding=(0, 2))
        facts.add_row(
            Text(self._state, style="bold"),
            Text(inert(self._step)),
            f"cycle {self._cycle}",
            self._reading(),
            duration(self._test_time),
        )
        bar = Table.grid(padding=(0, 2))
        share = min(self._done / self._planned, 1.0)
        bar.add_row(ProgressBar(total=1.0, completed=share, width=40), f"{share:4.0%}", self._eta())
        trace = Text(sparkline(list(self._trace)), style="cyan")
        note = [Text(f"note: {inert(self._note)}", style="dim")] if self._note else []
        return Group(Text(inert(self._title)), facts, bar, trace, *note)

    def live(self) -> Live:
        """A live display of this progress; nothing is drawn when there is no terminal."""
        return Live(self, refresh_per_second=4, transient=False)


def sparkline(values: list[float]) -> str:
    """`values` as a row of bars between their minimum and maximum."""
    if not values:
        return ""
    lowest, highest = min(values), max(values)
    span = (highest - lowest) or 1.0
    return "".join(
        _BARS[min(int((v - lowest) / span * len(_BARS)), len(_BARS) - 1)] if math.isfinite(v) else " "
        for v in values
    )
