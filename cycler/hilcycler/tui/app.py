"""The view as a program of its own: it may use a core, be frozen or be killed; the run goes on."""

from __future__ import annotations

from typing import ClassVar

from textual.app import App

from hilcycler.tui.run_screen import RunScreen


class ViewApp(App[None]):
    """One screen for one run."""

    CSS_PATH = "view.tcss"
    ENABLE_COMMAND_PALETTE: ClassVar[bool] = False
    TITLE = "cycler"

    def __init__(self, screen: RunScreen) -> None:
        super().__init__()
        self._first = screen

    def on_mount(self) -> None:
        self.push_screen(self._first)
