"""`cycler simulate` and `cycler cells`: the twin, for anyone's software."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Annotated, Any

import typer

from hilcycler import registry
from hilcycler.cli import app
from hilcycler.cli.output import inert, print_json, say, table
from hilcycler.errors import RequestError
from hilcycler.links.loop import run
from hilcycler.service.signals import on_ending
from hilcycler.twin import CellCatalogue, Twin, TwinRequest


@app.command()
def simulate(
    instrument: Annotated[str, typer.Argument(help="Model to simulate, such as emstat4-hr.")],
    cell: Annotated[
        str, typer.Option(help="Profile of the simulated cell; `cycler cells` lists them.")
    ] = "li-li/bn-pp",
    tcp: Annotated[
        int | None, typer.Option(help="Serve on this TCP port of 127.0.0.1 (0: any) instead of a pty.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Two simulations of one seed are identical.")] = 1,
    pace: Annotated[
        float | None, typer.Option(help="Simulated seconds per second; default: as fast as possible.")
    ] = None,
) -> None:
    """Serve a simulated instrument with a cell on it until Ctrl-C. Prints where it listens."""
    twin = registry.twin_family(instrument).make(
        TwinRequest(model=instrument, cell=cell, seed=seed, pace=pace)
    )
    run(_serve(twin, "pty" if tcp is None else f"tcp://127.0.0.1:{tcp}", instrument))


async def _serve(twin: Twin, where: str, instrument: str) -> None:
    over = asyncio.Event()
    with on_ending(lambda _: over.set()):
        async with twin.listen(where) as address:
            say(f"{instrument} with {twin.cell.name} at {address}  (Ctrl-C ends it)")
            await over.wait()


cells_app = typer.Typer(help="Profiles of simulated cells.", invoke_without_command=True)
app.add_typer(cells_app, name="cells")


@cells_app.callback()
def list_cells(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """List the profiles, or show one with its truth: `cycler cells show NAME`."""
    if context.invoked_subcommand is not None:
        return
    rows = [
        {"cell": name, "description": catalogue.describe(name).get("description", "")}
        for catalogue in registry.cells()
        for name in catalogue.names()
    ]
    table(rows, as_json=as_json, empty="no simulated cells are installed")


@cells_app.command("show")
def show_cell(
    name: Annotated[str, typer.Argument(help="Profile, such as li-li/bn-pp, or a file of your own.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print a profile: description, sources, and the truth behind the cell."""
    described = _catalogue([name]).describe(name)
    if as_json:
        print_json(described)
    else:
        _print_tree(described, "")


@cells_app.command("headlines")
def headlines(
    names: Annotated[
        list[str] | None, typer.Argument(help="Profiles, or files of your own; all if none.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Cycle the cells as their papers did: published numbers beside the twin's (all: about a minute).

    Exit code 1 if a number is missed without a reason.
    """
    found = _catalogue(names or []).headlines(names or [])
    missed = 0
    if as_json:
        rows = list(found)
        print_json(rows)
        missed = _missed(rows)
    else:
        for profile, group in groupby(found, key=itemgetter("profile")):
            missed += _print_headlines(profile, list(group))
    if missed:
        raise typer.Exit(1)


def _catalogue(names: Sequence[str]) -> CellCatalogue:
    """That which has all of these; a file is anyone's."""
    catalogues = registry.cells()
    for catalogue in catalogues:
        if all(name in catalogue.names() or name.endswith(".toml") for name in names):
            return catalogue
    known = ", ".join(each for catalogue in catalogues for each in catalogue.names())
    raise RequestError(
        f"no simulated cell named {' '.join(names)!r}; there are: {known}, or your own .toml file"
    )


def _missed(rows: Sequence[Mapping[str, str]]) -> int:
    return sum(row["verdict"] == "missed" for row in rows)


def _print_headlines(profile: str, rows: Sequence[Mapping[str, str]]) -> int:
    """One profile's rows; the number of those missed."""
    say(profile)
    shown = ("verdict", "published", "twin", "tolerance", "quantity")
    table([{key: row[key] for key in shown} for row in rows], as_json=False, empty="")
    for row in rows:
        if row["reason"]:
            say(f"  {inert(row['quantity'])}: {inert(row['reason'])}")
    say("")
    return _missed(rows)


def _print_tree(value: dict[str, Any], indent: str) -> None:
    for key, each in value.items():
        if isinstance(each, dict):
            say(f"{indent}{inert(key)}:")
            _print_tree(each, indent + "  ")
        elif isinstance(each, list | tuple) and any(isinstance(one, dict | str) for one in each):
            say(f"{indent}{inert(key)}:")
            for one in each:
                if isinstance(one, dict):
                    _print_tree(one, indent + "  - ")
                else:
                    say(f"{indent}  - {inert(one)}")
        elif isinstance(each, float):
            say(f"{indent}{inert(key)}: {each + 0.0:.10g}")
        elif each not in ((), []):
            say(f"{indent}{inert(key)}: {inert(each)}")
