"""`cycler doctor`, `ports`, `new-bench`: the bench before anything is energised."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hilcycler.bench_file import bench_path, read_bench
from hilcycler.bench_file.template import plugged_in, simulated
from hilcycler.cli import app
from hilcycler.cli.files import JSON
from hilcycler.cli.output import say, table
from hilcycler.links.ports import plugged, visa_resources

if TYPE_CHECKING:
    from hilcycler.bench_file import Bench
    from hilcycler.doctor import Checked

BENCH = Annotated[
    Path | None,
    typer.Option("--bench", help="Bench file; default $HILCYCLER_BENCH, or bench.toml in the data folder."),
]


@app.command()
def doctor(
    bench: BENCH = None,
    ask: Annotated[
        bool, typer.Option("--ask/--no-ask", help="Connect to the instruments and see who answers.")
    ] = True,
    as_json: JSON = False,
) -> None:
    """Examine this computer and this bench without energising anything. Exit code 1 if something is BAD.

    Do not ask while a service runs on the bench: instruments have one line each, and it is the service's.
    """
    from hilcycler.doctor import Verdict

    found = asyncio.run(_examined(read_bench(bench_path(bench)), ask=ask))
    rows = [{"what": each.what, "verdict": each.verdict.value, "found": each.found} for each in found]
    table(rows, as_json=as_json, empty="nothing was looked at")
    if any(each.verdict is Verdict.BAD for each in found):
        raise typer.Exit(1)


async def _examined(bench: Bench, *, ask: bool) -> list[Checked]:
    from hilcycler.doctor import examine_bench, examine_host

    bench.data.mkdir(parents=True, exist_ok=True)
    found = list(examine_host(bench.data, bench.storage.low))
    return found + [each async for each in examine_bench(bench, ask=ask)]


@app.command()
def ports(
    visa: Annotated[
        bool, typer.Option("--visa/--no-visa", help="Look for VISA resources too, which takes a few seconds.")
    ] = True,
    as_json: JSON = False,
) -> None:
    """List what is plugged in: serial ports with their lasting names, and VISA resources."""
    rows = [
        {
            "address": each.by_id or each.port,
            "port": each.port,
            "usb": ""
            if each.vendor is None
            else f"{each.vendor:04X}:{each.product:04X} {each.serial}".strip(),
            "what": each.description,
        }
        for each in plugged()
    ]
    if visa:
        rows += [{"address": each, "port": "", "usb": "", "what": "VISA"} for each in visa_resources()]
    table(
        rows, as_json=as_json, empty="nothing is plugged in; instruments on the network are not listed here"
    )


@app.command("new-bench")
def new_bench(
    simulate: Annotated[
        int | None, typer.Option("--simulate", min=1, max=64, help="So many simulated channels; no hardware.")
    ] = None,
) -> None:
    """Print a bench file to begin with: what is plugged in, or simulated. `cycler new-bench > bench.toml`."""
    say((plugged_in(plugged()) if simulate is None else simulated(simulate)).rstrip("\n"))
