"""The terminal view of a run: reads its file, never touches the run."""

from __future__ import annotations

from pathlib import Path


def watch(path: Path) -> None:
    """Show the run in the file at `path`, live, until the person at the terminal closes the view.

    The file need not exist yet. After the end of the run the view stays and shows the outcome.
    """
    from hilcycler.tui.app import ViewApp
    from hilcycler.tui.file_feed import FileFeed
    from hilcycler.tui.run_screen import RunScreen

    ViewApp(RunScreen(FileFeed(path))).run()


__all__ = ["watch"]
