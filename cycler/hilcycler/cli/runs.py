"""`cycler demo`, `check`, `run`, `reset`: protocols on channels."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from hilcycler import registry
from hilcycler.bench_state import BenchState
from hilcycler.cell import Cell
from hilcycler.cell_book import described as cell_meant
from hilcycler.cli import app
from hilcycler.cli.files import DATA, JSON, drawn, run_path
from hilcycler.cli.output import inert, print_json, say
from hilcycler.cli.progress import Progress
from hilcycler.cli.summary import TruthAtSpectra, summarise
from hilcycler.cli.viewing import watched
from hilcycler.cli.worker import beside
from hilcycler.errors import CyclerError, RequestError
from hilcycler.export.bdf import export_csv
from hilcycler.flight.recording import LIMIT
from hilcycler.journal import open_run
from hilcycler.language import Document, load, load_cell, loads
from hilcycler.links import Connect
from hilcycler.links.address import connect
from hilcycler.links.loop import run as run_loop
from hilcycler.protocol import Protocol, count_steps
from hilcycler.quantities import duration
from hilcycler.records import Outcome
from hilcycler.service.consent import HOLDS_FOR_EVER
from hilcycler.service.exclusive import alone
from hilcycler.service.folder import data_folder
from hilcycler.service.foreground import Order, Performed
from hilcycler.sink import Sink
from hilcycler.twin import Twin, TwinRequest

ACCEPT = Annotated[
    list[str] | None,
    typer.Option(help=f"A danger you agree to: {HOLDS_FOR_EVER} (what happens when this computer dies)."),
]
LINKS = {"pty": "pty", "tcp": "tcp://127.0.0.1:0", "memory": ""}
DEMO_MODEL = "emstat4-hr"
USUAL_CELL = "li-li/bn-pp"
DEMO = """\
# What `cycler demo` runs: symmetric cycling of lithium on lithium.
protocol: demo, Li||Li at 1 mA/cm2 and 1 mAh/cm2
safety: {{voltage: -1 V to 1 V, current: -10 mA to 10 mA, charge: 2 mAh}}
record: {{every: 10 s, voltage change: 5 mV}}
steps:
  - rest: {{for: 10 min}}
  - repeat: {cycles}
    name: cycling
    steps:
      - plate: {{current: 1 mA/cm2, until: {{charge: 1 mAh/cm2, voltage: below -0.5 V -> stop}}}}
      - strip: {{current: 1 mA/cm2, until: {{charge: 1 mAh/cm2, voltage: above 0.5 V -> stop}}}}
      - every: 20 cycles
        steps:
          - rest: {{for: 30 min}}
          - peis: {{amplitude: 5 mV rms, from: 200 kHz, to: 10 mHz}}
"""


@app.command()
def demo(
    cycles: Annotated[int, typer.Option(min=1, max=100_000, help="Plating and stripping cycles.")] = 100,
    cell: Annotated[str, typer.Option(help="Profile of the simulated cell.")] = "li-li/bn-pp",
    seed: Annotated[int, typer.Option(help="Two demos of one seed give identical exports.")] = 1,
    link: Annotated[str, typer.Option(help="How driver and simulator talk: pty, tcp or memory.")] = "pty",
    view: Annotated[bool, typer.Option(help="In a terminal, open the live view.")] = True,
    data: DATA = None,
    as_json: JSON = False,
) -> None:
    """Cycle a simulated cell behind a simulated potentiostat on a real serial line: no hardware, no set-up."""
    if link not in LINKS:
        raise RequestError(f"--link {link}: expected one of {', '.join(LINKS)}")
    text = DEMO.format(cycles=cycles)
    family = registry.twin_family(DEMO_MODEL)
    twin = family.make(TwinRequest(model=DEMO_MODEL, cell=cell, seed=seed))
    bound = loads(text, "demo").bind(twin.cell)
    folder = data_folder(data)
    if not as_json:
        say(
            f"{twin.cell.name} behind a simulated {DEMO_MODEL} over {link}; {cycles} cycles, {duration(cycles * 7200.0)} of cell time"
        )
    truth = TruthAtSpectra(twin)
    performed = run_loop(
        _on_twin(twin, family.driver, bound, text, folder, link, quiet=as_json, view=view, truth=truth)
    )
    summary: list[str] = []
    exported = None
    try:
        exported = export_csv(performed.path, performed.path.parent / f"{performed.run}.bdf.csv")
        with beside() as worker:
            summary += worker.submit(summarise, performed.path, truth.latest).result()
            if find_spec("matplotlib") is not None:
                folder = performed.path.parent
                figures = worker.submit(drawn, performed.path, folder, ("png", "svg")).result()
                summary += [f"figure         {each}" for each in figures if each.suffix == ".png"]
    except (CyclerError, OSError) as error:  # the run is whole whatever becomes of what is made from it
        summary.append(f"not written    {error}")
    finish(performed, as_json=as_json, exported=exported, summary=summary)


def _simulated(
    document: Document,
    described: Cell | None,
    on: str,
    profile: str,
    folder: Path,
    *,
    quiet: bool,
    view: bool,
) -> Performed:
    """`document` on the twin of a model, with the cell as it is described or as the profile's label says."""
    model = DEMO_MODEL if on == "twin" else on
    family = registry.twin_family(model)
    twin = family.make(TwinRequest(model=model, cell=profile))
    cell = described or twin.cell
    if not quiet:
        say(f"{cell.name} behind a simulated {model}; the cell is {profile}")
    return run_loop(
        _on_twin(
            twin, family.driver, document.bind(cell), document.text, folder, "memory",
            quiet=quiet, view=view, described=cell,
        )
    )  # fmt: skip


async def _on_twin(
    twin: Twin,
    driver: str,
    protocol: Protocol,
    text: str,
    folder: Path,
    link: str,
    *,
    quiet: bool,
    view: bool,
    truth: Sink | None = None,
    described: Cell | None = None,
) -> Performed:
    family = registry.driver(driver)
    async with AsyncExitStack() as stack:
        reach: Connect = twin.connect
        if link != "memory":
            address = await stack.enter_async_context(twin.listen(LINKS[link]))
            reach = connect(address, family.serial)
        order = Order(
            protocol=protocol,
            text=text,
            cell=described or twin.cell,
            driver=family,
            connect=reach,
            channel=f"demo-{secrets.token_hex(3)}",
            folder=folder,
            simulated=True,
            truth=twin.truth,
            listens=True,
        )
        return await shown(order, quiet=quiet, view=view, also=truth)


@app.command("run")
def run_protocol(
    protocol: Annotated[Path, typer.Argument(help="Protocol file (YAML).")],
    port: Annotated[
        str | None, typer.Option(help="Where the instrument is: /dev/ttyACM0, COM3 or tcp://HOST:PORT.")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option("--on", help="In place of --port: run it on a simulated one, 'twin' or a model."),
    ] = None,
    driver: Annotated[str, typer.Option(help="Driver family.")] = "emstat",
    cell: Annotated[
        Path | None,
        typer.Option(help="A cell's name (`cycler cell list`), or a file; default: the protocol's own."),
    ] = None,
    channel: Annotated[str | None, typer.Option(help="Name of the channel; default: the port.")] = None,
    accept: ACCEPT = None,
    check_cell: Annotated[
        bool,
        typer.Option(
            "--check-cell/--no-check-cell",
            help="Before the start, see by a rest and two small pulses that it is the cell that was meant.",
        ),
    ] = True,
    foreground: Annotated[  # noqa: ARG001  (said for the day when a service can be asked instead)
        bool, typer.Option("--foreground", help="Run in this process (the only way so far).")
    ] = True,
    view: Annotated[bool, typer.Option("--view", help="In a terminal, open the live view.")] = False,
    data: DATA = None,
    as_json: JSON = False,
) -> None:
    """Run a protocol on an instrument, or on a simulated one (--on). Ctrl-C ends the run with the cell off.

    With --on, --cell may also name a simulated cell (`cycler cells`); a potentiostat's twin does not wait:
    hours pass in seconds.
    """
    document = load(protocol)
    if (port is None) == (on is None):
        raise RequestError("expected --port (where the instrument is) or --on (a simulated one: twin)")
    if port is None:
        profile = str(cell) if cell is not None and not cell.exists() else USUAL_CELL
        described = load_cell(cell) if cell is not None and cell.exists() else document.cell
        finish(
            _simulated(document, described, on or "", profile, data_folder(data), quiet=as_json, view=view),
            as_json=as_json,
            evaluations=document.evaluations,
        )
        return
    described = document.cell if cell is None else cell_meant(cell, data_folder(data))
    if described is None:
        raise RequestError(f"{protocol} describes no cell; add `cell:` to it or give --cell FILE")
    bound = document.bind(described)
    family = registry.driver(driver)
    order = Order(
        protocol=bound,
        text=document.text,
        cell=described,
        driver=family,
        connect=connect(port, family.serial),
        channel=channel or port,
        folder=data_folder(data),
        accepts=_accepted(accept),
        announce=None if as_json else say,
        check_cell=check_cell,
        listens=True,
        flight=LIMIT,
    )
    with alone(port, order.folder):
        performed = run_loop(shown(order, quiet=as_json, view=view))
        finish(performed, as_json=as_json, evaluations=document.evaluations)


@app.command()
def resume(
    run: Annotated[str, typer.Argument(help="Channel of a service that waits; with --port: a run.")],
    port: Annotated[
        str | None,
        typer.Option(help="Go on in this process with a run whose own has ended: /dev/ttyACM0, tcp://..."),
    ] = None,
    accept: ACCEPT = None,
    actor: Annotated[str, typer.Option(help="Who asks a service; default: your user name.")] = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    data: DATA = None,
    as_json: JSON = False,
) -> None:
    """Let a parked channel of a service go on, or go on here with a run whose process has ended (--port).

    What an instrument did while nobody watched is declared as a gap.
    """
    if port is None:
        from hilcycler.cli.service import ask

        ask(run, "resume", None, data, as_json=as_json, actor=actor, reason=reason)
        return
    path = run_path(run, data)
    header = open_run(path).header
    family = registry.driver(header.instrument.driver)
    order = Order(
        protocol=loads(header.protocol_text, f"protocol of run {header.run}").bind(header.cell),
        text=header.protocol_text,
        cell=header.cell,
        driver=family,
        connect=connect(port, family.serial),
        channel=header.channel or port,
        folder=path.parent,
        simulated=header.instrument.simulated,
        accepts=_accepted(accept),
        announce=None if as_json else say,
        listens=True,
        flight=LIMIT,
    )
    with alone(port, order.folder):
        finish(run_loop(shown(order, quiet=as_json, interrupted=path)), as_json=as_json)


def _accepted(accept: list[str] | None) -> frozenset[str]:
    unknown = set(accept or ()) - {HOLDS_FOR_EVER}
    if unknown:
        raise RequestError(f"--accept {', '.join(sorted(unknown))}: expected {HOLDS_FOR_EVER}")
    return frozenset(accept or ())


@app.command()
def reset(
    channel: Annotated[str, typer.Argument(help="Channel that a trip has latched.")],
    actor: Annotated[str, typer.Option(help="Who has looked at the cell.")],
    reason: Annotated[str, typer.Option(help="What was found.")],
    data: DATA = None,
) -> None:
    """Release a channel that a trip has latched."""
    BenchState(data_folder(data)).reset(channel, actor, reason)
    say(f"{inert(channel)} is released")


async def shown(
    order: Order,
    *,
    quiet: bool,
    view: bool = False,
    interrupted: Path | None = None,
    also: Sink | None = None,
) -> Performed:
    """Perform `order`, or go on with it, and show it as fits where we are."""
    terminal = sys.stdout.isatty() and sys.stderr.isatty()
    how = "quiet" if quiet else "plain" if not terminal else "view" if view else "live"
    progress = Progress(count_steps(order.protocol.body), plain=how == "plain")
    return await watched(order, progress, how=how, interrupted=interrupted, also=also)


def finish(
    performed: Performed,
    *,
    as_json: bool,
    exported: Path | None = None,
    summary: list[str] | None = None,
    evaluations: Sequence[str] = (),
) -> None:
    """Say how it ended and where everything is; exit code 1 unless the run completed or was stopped.

    `evaluations` belong to the protocol that ran: how to ask for them is said.
    """
    ended = performed.ended
    if as_json:
        print_json(
            {
                "run": performed.run,
                "outcome": ended.outcome.value,
                "reason": ended.reason,
                "output": ended.off.value,
                "file": str(performed.path),
                "export": None if exported is None else str(exported),
                "summary": summary,
            }
        )
    else:
        say(f"{ended.outcome.value}: {inert(ended.reason)}; output {ended.off.value.upper()}")
        for line in summary or ():
            say(line)
        say(f"run file   {performed.path}")
        if exported is not None:
            say(f"BDF CSV    {exported}")
        for name in evaluations:
            say(f"evaluate   cycler evaluate {performed.run} --as {name}")
    if ended.outcome in {Outcome.TRIPPED, Outcome.FAILED}:
        raise typer.Exit(1)
