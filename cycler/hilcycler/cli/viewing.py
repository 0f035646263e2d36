"""Watching a run from the command line: lines, a few live lines, or the view in a process of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from hilcycler.cli.progress import Progress
from hilcycler.journal import run_path
from hilcycler.records import Outcome, Record, RunStarted
from hilcycler.service.foreground import Order, Performed, go_on, perform
from hilcycler.sink import Fanout, Sink

GLANCE = 0.25
"""How often we look whether the view was closed, in seconds."""


class View:
    """The live view of the run that begins, as a process of its own: closing it never touches the run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def put(self, record: Record) -> None:
        """Open the view when the run begins."""
        if isinstance(record, RunStarted) and self._process is None:
            path = run_path(self._folder, record.run)
            self._process = subprocess.Popen([sys.executable, "-m", "hilcycler", "watch", str(path)])  # noqa: S603

    async def commit(self) -> None:
        """See Sink; this one promises nothing."""

    @property
    def closed(self) -> bool:
        """Whether the person at the terminal has closed it."""
        return self._process is not None and self._process.poll() is not None

    def close(self) -> None:
        """Take it away."""
        if self._process is not None:
            self._process.terminate()

    async def until_closed(self) -> None:
        """Wait for the person at the terminal."""
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)


async def watched(
    order: Order, progress: Progress, *, how: str, interrupted: Path | None = None, also: Sink | None = None
) -> Performed:
    """Perform `order`, or go on with the run in `interrupted`; `also` sees every record too.

    `how`: `quiet`; `plain` lines; `live` lines; `view`: the live view, and live lines once it is closed.
    """
    view = View(order.folder)
    seen_by: dict[str, list[Sink]] = {
        "quiet": [],
        "plain": [progress],
        "live": [progress],
        "view": [progress, view],
    }
    sink = Fanout(*seen_by[how], *([] if also is None else [also]))
    watch = lambda _: sink  # noqa: E731  (what `perform` asks for)
    run = asyncio.ensure_future(
        perform(order, watch) if interrupted is None else go_on(interrupted, order, watch)
    )
    with ExitStack() as stack:
        lines = False
        while not run.done():  # signals end the run in good order, from within it: nothing is cancelled here
            if not lines and (how == "live" or (how == "view" and view.closed)):
                stack.enter_context(progress.live())
                lines = True
            await asyncio.wait({run}, timeout=GLANCE)
    if run.exception() is not None or run.result().ended.outcome is Outcome.STOPPED:
        view.close()  # whoever stopped the run, or the terminal that is gone, will not close it
    await view.until_closed()
    return run.result()
