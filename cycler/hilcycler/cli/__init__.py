"""The command `cycler`. Exit codes: 0 done, 1 the run ended by trip or failure, 2 the request was wrong."""

from __future__ import annotations

import sys

import typer

from hilcycler import __version__
from hilcycler.cli.output import complain, inert, say
from hilcycler.errors import CyclerError, RequestError

app = typer.Typer(
    help="Cycle battery cells: potentiostats and battery testers, or their simulated twins.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def _options(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        say(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; every expected error is one line on standard error."""
    from hilcycler.cli import (  # noqa: F401  (they add their commands)
        bench,
        bench_file,
        catalogue,
        cell_records,
        evaluation,
        exchange,
        exports,
        files,
        flight,
        lab,
        protocols,
        runs,
        service,
        simulate,
        telemetry,
        tui,
    )

    try:
        app()
    except RequestError as error:
        complain(f"cycler: {inert_lines(error)}")
        sys.exit(2)
    except CyclerError as error:
        complain(f"cycler: {inert_lines(error)}")
        sys.exit(1)


def inert_lines(error: Exception) -> str:
    """A message with its line breaks kept and everything else that a terminal obeys removed."""
    return "\n".join(inert(line) for line in str(error).split("\n"))
