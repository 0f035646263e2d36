"""`cycler bench`: what is promised about speed and memory, measured here and now.

Benchmarks are found by entry points (group `hilcycler.benchmarks`): callables without required
arguments that return rows for a table.
"""

from __future__ import annotations

import os
import platform
from typing import Annotated

import typer

from hilcycler import registry
from hilcycler.cli import app
from hilcycler.cli.files import JSON
from hilcycler.cli.output import print_json, say, table


@app.command()
def bench(
    name: Annotated[str | None, typer.Argument(help="Which; none lists them.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="The whole measurement as documented, not the short one.")
    ] = False,
    as_json: JSON = False,
) -> None:
    """Measure speed and memory on this machine; prints the machine's load beside the figures."""
    if name is None:
        rows = [
            {"benchmark": each, "measures": registry.benchmark(each).__doc__}
            for each in registry.names("benchmarks")
        ]
        table(rows, as_json=as_json, empty="no benchmarks are installed")
        return
    before = _load()
    rows = registry.benchmark(name)(full=full)
    if as_json:
        print_json({"machine": _machine(), "load before": before, "load after": _load(), "rows": rows})
        return
    say(f"{_machine()}; load average {before} before, {_load()} after")
    table(rows, as_json=False, empty="nothing measured")


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _load() -> str:
    return " ".join(f"{each:.2f}" for each in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
