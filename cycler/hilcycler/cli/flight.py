"""`cycler decode` and `replay`: what was said on the line, in words, and once more."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from hilcycler import registry
from hilcycler.cli import app
from hilcycler.cli.files import DATA, JSON, run_path
from hilcycler.cli.output import inert, print_json, say
from hilcycler.errors import JournalError
from hilcycler.flight import Transcript, in_words, read_transcript
from hilcycler.links.loop import run as run_loop
from hilcycler.service.signals import on_ending

RECORDING = Annotated[
    str, typer.Argument(help="Run (its id, the beginning of it, its file), or a flight recorder's file.")
]


def _recording(which: str, data: Path | None) -> Path:
    return Path(which) if Path(which).is_file() else run_path(which, data)


@app.command()
def decode(recording: RECORDING, data: DATA = None) -> None:
    """Say in words what passed over the line between the computer and the instrument of a run."""
    transcript = read_transcript(_recording(recording, data))
    about = transcript.about
    say(
        f"run {inert(about.run)}, driver {inert(about.driver)}{'' if transcript.whole else '; parts of it are gone'}"
    )
    for line in in_words(transcript):
        say(inert(line))


@app.command()
def replay(
    recording: RECORDING,
    tcp: Annotated[
        int | None, typer.Option(help="Serve on this TCP port of 127.0.0.1 (0: any) instead of a pty.")
    ] = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare", help="Run its protocol on it in virtual time; exit code 1 if other records come out."
        ),
    ] = False,
    data: DATA = None,
    as_json: JSON = False,
) -> None:
    """Serve a recorded instrument until Ctrl-C: it answers what it answered then, when it did."""
    path = _recording(recording, data)
    transcript = read_transcript(path)
    if compare:
        _compare(
            transcript,
            run_path(str(path) if ".run." in path.name else transcript.about.run, path.parent),
            as_json=as_json,
        )
    else:
        run_loop(_serve(transcript, "pty" if tcp is None else f"tcp://127.0.0.1:{tcp}"))


async def _serve(transcript: Transcript, where: str) -> None:
    instrument, over = registry.replays().make(transcript), asyncio.Event()
    with on_ending(lambda _: over.set()):
        async with instrument.listen(where) as address:
            about = transcript.about
            say(f"{inert(about.driver)} of run {inert(about.run)} at {address}  (Ctrl-C ends it)")
            await over.wait()
    if instrument.diverged:
        say(inert(instrument.diverged))
        raise typer.Exit(1)


def _compare(transcript: Transcript, path: Path, *, as_json: bool) -> None:
    from hilcycler.flight.again import again
    from hilcycler.journal import open_run

    first = open_run(path)
    if first.ended is None:
        raise JournalError(f"{path.name}: the run has not ended")
    with tempfile.TemporaryDirectory(prefix="cycler-replay-") as folder:
        found = again(first, transcript, Path(folder))
    if as_json:
        print_json({"rows": found.rows, "events": found.events, "differences": found.differences})
    elif found.differences:
        for difference in found.differences:
            say(inert(difference))
    else:
        say(f"{found.rows} rows and {found.events} events: the same, byte for byte")
    if found.differences:
        raise typer.Exit(1)
