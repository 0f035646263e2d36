"""`cycler tui`: all channels of the bench, and each by itself. Closing it touches no run."""

from __future__ import annotations

from pathlib import Path

from hilcycler.cli import app
from hilcycler.cli.bench_file import BENCH
from hilcycler.cli.files import DATA
from hilcycler.cli.service import client_of


@app.command()
def tui(bench: BENCH = None, data: DATA = None) -> None:
    """Show every channel of the bench that `cycler serve` keeps; Enter shows one, q closes. Runs go on."""
    from hilcycler import registry
    from hilcycler.journal import run_path
    from hilcycler.service.status import BenchStatus, ChannelStatus
    from hilcycler.tui import EVALUATION
    from hilcycler.tui.file_feed import FileFeed
    from hilcycler.tui.hangup import end_with_the_terminal
    from hilcycler.tui.overview import ChannelScreen, Overview
    from hilcycler.tui.per_cycle import FirstOfEachCycle

    class Looking:
        """A connection a look: a service that restarts is found again."""

        def look(self) -> BenchStatus:
            with client_of(bench, data) as client:
                return client.status()

    def screen(status: BenchStatus, channel: ChannelStatus) -> ChannelScreen:
        installed = EVALUATION in registry.names("evaluations")
        along = FirstOfEachCycle(registry.evaluation(EVALUATION)) if installed else None
        return ChannelScreen(FileFeed(run_path(Path(status.data), channel.run)), along)

    Looking().look()  # an error before the screen is taken is an error people can read
    end_with_the_terminal()
    Overview(Looking(), screen).run()
