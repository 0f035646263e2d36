"""`cycler cell`: cells as records, corrected with who and why, and where each has been."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from hilcycler.catalogue import Catalogue, life
from hilcycler.cell_book import CellBook, CellRecord, read_csv
from hilcycler.cell_book.fields import KEYS, Fields
from hilcycler.cli import app
from hilcycler.cli.files import DATA, JSON
from hilcycler.cli.output import inert, print_json, say, table
from hilcycler.errors import RequestError
from hilcycler.quantities import AMPERE_HOUR, engineering
from hilcycler.service.folder import data_folder

cell_app = typer.Typer(help="Cells as records: what they are made of, and where they have been.")
app.add_typer(cell_app, name="cell")

NAME = Annotated[str, typer.Argument(help="The cell's name.")]
VALUES = Annotated[
    list[str],
    typer.Argument(help='FIELD=VALUE, such as working=Cu "working diameter=15 mm"; see `cell fields`.'),
]
ACTOR = Annotated[str | None, typer.Option(help="Who writes this; default: you.")]


@cell_app.command("fields")
def fields(as_json: JSON = False) -> None:
    """What may be written about a cell."""
    rows = [
        {"field": key, "meaning": Fields.model_fields[name].description}
        for key, name in Fields.key_names().items()
    ]
    table(rows, as_json=as_json, empty="none")


@cell_app.command("add")
def add(name: NAME, values: VALUES, actor: ACTOR = None, data: DATA = None) -> None:
    """Write down a new cell: cycler cell add NP47-01 working=Cu counter=Li "counter diameter=15 mm"."""
    book = CellBook(data_folder(data))
    book.add({name: _given(values)}, _who(actor))
    _say(book.get(name))


@cell_app.command("import")
def take_in(
    file: Annotated[
        Path, typer.Argument(help="CSV: a row a cell, a column a field, units in [] or in values.")
    ],
    actor: ACTOR = None,
    data: DATA = None,
) -> None:
    """Write down the cells of a table, all or none."""
    cells = read_csv(file)
    CellBook(data_folder(data)).add(cells, _who(actor), f"imported from {file.name}")
    say(f"{len(cells)} cells")


@cell_app.command("list")
def list_cells(
    batch: Annotated[str | None, typer.Option(help="Only those of this batch.")] = None,
    data: DATA = None,
    as_json: JSON = False,
) -> None:
    """List the cells, with areas and masses as they are written today."""
    folder = data_folder(data)
    rows = [
        {
            "cell": each.name,
            "batch": each.written.get("batch", ""),
            "electrodes": f"{each.cell.working.material}||{each.cell.counter.material}",
            **_computed(each),
            "channel": each.channel,
        }
        for each in CellBook(folder).cells().values()
        if batch in {None, each.written.get("batch", "")}
    ]
    table(rows, as_json=as_json, empty=f"no cells in {folder}; cycler cell add writes one down")


@cell_app.command("show")
def show(name: NAME, data: DATA = None, as_json: JSON = False) -> None:
    """Print a cell, what follows from it, and every change with who and why."""
    record = CellBook(data_folder(data)).get(name)
    if as_json:
        changes = [
            {"verb": c.verb, "actor": c.actor, "reason": c.reason, "old": c.old, "new": c.new, "utc": c.utc}
            for c in record.changes
        ]
        print_json({"cell": name, **record.written, **_computed(record), "changes": changes})
    else:
        _say(record)


@cell_app.command("edit")
def edit(
    name: NAME,
    values: VALUES,
    reason: Annotated[str, typer.Option(help="Why it was wrong.")],
    actor: ACTOR = None,
    data: DATA = None,
) -> None:
    """Correct a cell (FIELD= takes a value away). What was measured stays; what is computed from it follows."""
    _say(CellBook(data_folder(data)).correct(name, _given(values), _who(actor), reason))


@cell_app.command("move")
def move(
    name: NAME,
    channel: Annotated[str, typer.Argument(help="The channel that it hangs on now.")],
    instrument: Annotated[
        str, typer.Option(help="Who that is, such as 'Keithley 2450 04412345'; default: as in bench.toml.")
    ] = "",
    reason: Annotated[str, typer.Option(help="Why it was moved.")] = "",
    actor: ACTOR = None,
    data: DATA = None,
) -> None:
    """Write down that a cell hangs on another channel now; where it was is kept."""
    folder = data_folder(data)
    who = instrument or _instrument_of(channel)
    moved = CellBook(folder).move(name, channel, who, _who(actor), reason)
    last = moved.changes[-1]
    before = f"{last.old['channel']} ({last.old['instrument']})" if last.old["channel"] else "nowhere"
    say(inert(f"{name}: from {before} to {channel} ({who})"))


@cell_app.command("history")
def history(name: NAME, data: DATA = None, as_json: JSON = False) -> None:
    """The runs of a cell as one life: cycles, hours and charge go on from one to the next.

    Charges with a ">" are at least that: part of a step was not observed, or a run has not ended.
    """
    folder = data_folder(data)
    rows: list[dict[str, Any]] = []
    for visit in life(Catalogue(folder).of_cell(name)):
        of, more = visit.known.summary, "" if visit.complete else "> "
        rows.append(
            {
                "run": of.run,
                "channel": visit.known.channel,
                "instrument": visit.known.instrument,
                "protocol": of.protocol,
                "state": of.outcome.value if of.outcome is not None else str(of.state),
                "cycles": visit.cycle,
                "hours": round(visit.hours, 3),
                "charged": more + engineering(visit.charged / AMPERE_HOUR, "Ah"),
                "discharged": more + engineering(visit.discharged / AMPERE_HOUR, "Ah"),
            }
        )
    table(rows, as_json=as_json, empty=f"no runs of cell {name} in {folder}")


def _instrument_of(channel: str) -> str:
    """Who hangs on a channel, as the bench file says; "" where there is none."""
    from hilcycler.bench_file import bench_path, read_bench

    try:
        bench = read_bench(bench_path())
    except RequestError:
        return ""
    if channel not in bench.channels:
        raise RequestError(f"no channel {channel!r} in {bench.file}; there are: {', '.join(bench.channels)}")
    at = bench.channels[channel]
    if at.instrument is not None:
        return " ".join(filter(None, (at.instrument.model or at.instrument.name, at.instrument.serial)))
    return f"simulated {at.simulated.model}" if at.simulated is not None else ""


def _given(values: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for each in values:
        key, equals, value = each.partition("=")
        if not equals or key.strip() in pairs:
            raise RequestError(f"{each!r}: expected FIELD=VALUE, each field once; fields: {', '.join(KEYS)}")
        pairs[key.strip()] = value
    return pairs


def _computed(record: CellRecord) -> dict[str, str]:
    cell = record.cell
    mass, capacity = cell.working.active_mass, cell.nominal_capacity
    return {
        "area": "" if cell.area is None else f"{cell.area * 1e4:.5g} cm2",
        "active": "" if mass is None else engineering(mass * 1e3, "g", 5),
        "capacity": "" if capacity is None else engineering(capacity / AMPERE_HOUR, "Ah", 5),
    }


def _say(record: CellRecord) -> None:
    say(inert(record.name))
    for key, value in record.written.items():
        say(f"  {key:<22}{inert(value)}")
    for key, value in _computed(record).items():
        if value:
            say(f"  {key:<22}{value}  (computed)")
    if record.channel:
        say(inert(f"  on channel            {record.channel} ({record.instrument})"))
    for change in record.changes[1:]:
        parts = ", ".join(
            f"{key}: {change.old.get(key) or 'nothing'} -> {value or 'nothing'}"
            for key, value in change.new.items()
        )
        say(inert(f"  {change.verb} by {change.actor}: {parts} ({change.reason or 'no reason given'})"))


def _who(actor: str | None) -> str:
    if actor is not None:
        return actor
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise RequestError("who are you? --actor NAME") from None
