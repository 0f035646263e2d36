"""`cycler simulate` and `cycler cells`: the twin, for anyone's software."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from hilcycler import registry
from hilcycler.cli import app
from hilcycler.cli.output import inert, print_json, say, table
from hilcycler.errors import RequestError
from hilcycler.links.loop import run
from hilcycler.service.signals import on_ending
from hilcycler.twin import Twin, TwinRequest


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
    name: Annotated[str, typer.Argument(help="Profile, such as li-li/bn-pp.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print a profile: description, sources, and the truth behind the cell."""
    for catalogue in registry.cells():
        if name in catalogue.names():
            described = catalogue.describe(name)
            if as_json:
                print_json(described)
            else:
                _print_tree(described, "")
            return
    known = [each for catalogue in registry.cells() for each in catalogue.names()]
    raise RequestError(f"no simulated cell named {name!r}; there are: {', '.join(known)}")


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
        else:
            say(f"{indent}{inert(key)}: {inert(each)}")
