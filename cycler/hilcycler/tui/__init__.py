"""The terminal view of a run: reads its file, never touches the run."""

from __future__ import annotations

from pathlib import Path

EVALUATION = "overpotential"
"""What runs along with the view, if it is installed."""


def watch(path: Path) -> None:
    """Show the run in the file at `path`, live, until the person at the terminal closes the view.

    The file need not exist yet. After the end of the run the view stays and shows the outcome. It ends
    with the terminal.
    """
    from hilcycler import registry
    from hilcycler.tui.app import ViewApp
    from hilcycler.tui.file_feed import FileFeed
    from hilcycler.tui.hangup import end_with_the_terminal
    from hilcycler.tui.per_cycle import FirstOfEachCycle
    from hilcycler.tui.run_screen import RunScreen

    installed = EVALUATION in registry.names("evaluations")
    along = FirstOfEachCycle(registry.evaluation(EVALUATION)) if installed else None
    end_with_the_terminal()
    ViewApp(RunScreen(FileFeed(path), along)).run()


__all__ = ["watch"]
