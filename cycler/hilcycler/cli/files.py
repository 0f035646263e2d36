"""Run files from the command line: runs, show, watch, report, verify."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hilcycler.cli import app
from hilcycler.cli.output import inert, print_json, say, table
from hilcycler.errors import RequestError
from hilcycler.quantities import duration, engineering
from hilcycler.records import Event, Instrument, RunEnded, StepEnded, StepStarted, Tripped, to_json
from hilcycler.service.folder import data_folder

if TYPE_CHECKING:
    from hilcycler.journal import Run, RunSummary

DATA = Annotated[
    Path | None, typer.Option("--data", help="Data folder; default $HILCYCLER_DATA or your own.")
]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_COLUMNS = ("protocol", "cell", "instrument", "rows", "cycle", "test time")
RUN = Annotated[str, typer.Argument(help="Run: its id, the beginning of it, or a path to its file.")]


def run_path(run: str, data: Path | None) -> Path:
    """The file of `run`, which is a path, an id or the unambiguous beginning of one."""
    from hilcycler.journal import find_run

    if Path(run).is_file():
        return Path(run)
    return find_run(data_folder(data), run)


@app.command()
def runs(data: DATA = None, as_json: JSON = False) -> None:
    """List the runs in the data folder, oldest first."""
    from hilcycler.catalogue import Catalogue

    folder = data_folder(data)
    known = Catalogue(folder).runs()
    table([_listed(each.summary) for each in known], as_json=as_json, empty=f"no runs in {folder}")


@app.command()
def show(
    run: RUN,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on printing what comes until the run ends.")
    ] = False,
    data: DATA = None,
    as_json: JSON = False,
) -> None:
    """Print what a run was, how far it came, and everything that happened besides samples."""
    from hilcycler.journal import open_run

    opened = open_run(run_path(run, data))
    if follow:
        asyncio.run(_follow(opened, as_json=as_json))
        return
    header, events = opened.header, opened.events()
    if as_json:
        print_json(
            {
                "run": header.run,
                "state": opened.state.value,
                "rows": opened.rows,
                "test time s": opened.last_test_time,
                "events": [json.loads(to_json(event)) for event in events],
            }
        )
        return
    facts = {
        "run": header.run,
        "state": opened.state.value,
        "protocol": header.protocol_name,
        "cell": header.cell.name,
        "instrument": _instrument(header.instrument),
        "rows": opened.rows,
        "test time": duration(opened.last_test_time),
    }
    for name, value in facts.items():
        say(f"{name:<12}{inert(value)}")
    steps = [event for event in events if event.kind in {"step-started", "step-ended"}]
    say(f"{'steps':<12}{sum(event.kind == 'step-ended' for event in steps)} ended")
    for event in events:
        if event.kind not in {"step-started", "step-ended", "run-started", "impedance-point"}:
            say("  " + in_words(event))


async def _follow(run: Run, *, as_json: bool) -> None:
    async for news in run.follow():
        for event in news.events:
            say(to_json(event) if as_json else in_words(event))
        rows = len(news.columns["test_time"])
        if rows and not as_json:
            last = {name: float(news.columns[name][-1]) for name in ("test_time", "voltage", "current")}
            reading = f"{engineering(last['voltage'], 'V')}  {engineering(last['current'], 'A')}"
            say(f"{duration(last['test_time']):>12}  {reading}  (+{rows} rows)")
        elif rows:
            columns = {name: column.tolist() for name, column in news.columns.items()}
            say(json.dumps({"kind": "samples", "columns": columns}))


@app.command()
def watch(run: RUN, data: DATA = None) -> None:
    """Show a run in the live view. Closing the view never touches the run."""
    from hilcycler.tui import watch as view

    view(run_path(run, data))


@app.command()
def report(
    run: RUN,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files; default: beside the run file.")
    ] = None,
    formats: Annotated[str, typer.Option(help="Comma-separated: png, svg, pdf.")] = "png,svg",
    html: Annotated[
        bool, typer.Option("--html", help="One page with everything in it instead of figures.")
    ] = False,
    data: DATA = None,
) -> None:
    """Draw a run's figures, or its page: results with uncertainties, figures, methods, events, provenance."""
    path = run_path(run, data)
    folder = out or path.parent
    if html:
        from hilcycler.report import page

        target = folder / (path.name.removesuffix(".run.sqlite") + ".html")
        say(f"page       {page(path, target)}")
        return
    for figure in drawn(path, folder, tuple(each.strip() for each in formats.split(","))):
        say(f"figure     {figure}")


def drawn(path: Path, out: Path, formats: tuple[str, ...]) -> list[Path]:
    """The figures of a run; RequestError where the `report` extra is not installed."""
    try:
        from hilcycler.report import report as draw

        return draw(path, out, formats=formats)
    except ImportError as error:
        raise RequestError(
            f"figures need the `report` extra (pip install 'hilcycler[report]'): {error}"
        ) from error


@app.command()
def verify(run: RUN, data: DATA = None, as_json: JSON = False) -> None:
    """Read every byte of a run file and say whether it is whole. Exit code 1 if it is corrupt."""
    from hilcycler.journal import Verdict
    from hilcycler.journal import verify as prove

    path = run_path(run, data)
    found = prove(path)
    if as_json:
        print_json(
            {
                "file": str(path),
                "verdict": found.verdict.value,
                "rows": found.rows,
                "events": found.events,
                "detail": found.detail,
            }
        )
    else:
        say(f"{found.verdict.value}: {inert(found.detail)}")
    if found.verdict is Verdict.CORRUPT:
        raise typer.Exit(1)


def in_words(event: Event) -> str:
    """One event in one line for a person."""
    what = json.loads(to_json(event))
    kind, _ = what.pop("kind"), what.pop("stamp", None)
    match event:
        case StepStarted():
            return (
                f"step {event.step_count} started: {event.step.name or event.step.kind}, cycle {event.cycle}"
            )
        case StepEnded():
            result = event.result
            partial = ", only partly observed" if result.partial else ""
            return f"step {event.step_count} ended after {duration(result.elapsed)}, {engineering(result.charge / 3600.0, 'Ah')}{partial}"
        case RunEnded():
            return (
                f"run ended: {event.outcome.value}; {inert(event.reason)}; output {event.off.value.upper()}"
            )
        case Tripped():
            return f"TRIPPED in step {event.step_count}, seen by the {event.seen_by}: {event.violation}; output {event.off.value.upper()}"
        case _:
            return f"{kind}: " + ", ".join(
                f"{key} {inert(value)}" for key, value in what.items() if value not in (None, "", {})
            )


def _instrument(instrument: Instrument) -> str:
    simulated = "  SIMULATED" if instrument.simulated else ""
    return f"{instrument.model} {instrument.serial} ({instrument.firmware}){simulated}"


def _listed(each: RunSummary) -> dict[str, Any]:
    if each.problem:
        return {"run": each.run, "state": f"unreadable: {each.problem}"} | dict.fromkeys(_COLUMNS, None)
    state = each.outcome.value if each.outcome is not None else str(each.state)
    values = (each.protocol, each.cell, each.instrument, each.rows, each.cycle, duration(each.test_time))
    return {"run": each.run, "state": state} | dict(zip(_COLUMNS, values, strict=True))
