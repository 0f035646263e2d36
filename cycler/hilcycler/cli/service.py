"""`cycler serve`, and what people ask of it: status, start, pause, stop, skip, safe, extend, tighten, drop."""

from __future__ import annotations

import getpass
import logging
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hilcycler.cli import app
from hilcycler.cli.bench_file import BENCH
from hilcycler.cli.files import DATA, JSON
from hilcycler.cli.output import inert, print_json, say, table
from hilcycler.engine import Boundary
from hilcycler.errors import RequestError
from hilcycler.protocol import Envelope
from hilcycler.quantities import CHARGE, CURRENT, VOLTAGE, Dimension, duration, engineering, parse
from hilcycler.service.consent import HOLDS_FOR_EVER
from hilcycler.service.folder import data_folder

if TYPE_CHECKING:
    from hilcycler.control.client import Client
    from hilcycler.service.desk import Answer
    from hilcycler.service.status import ChannelStatus

CHANNEL = Annotated[str, typer.Argument(help="Channel, as the bench file names it.")]
ACTOR = Annotated[str, typer.Option(help="Who asks; default: your user name.")]
REASON = Annotated[str, typer.Option(help="Why; it is written into the run and into the bench's chain.")]
AFTER = Annotated[
    Boundary, typer.Option(help="When: now, or after the end of the next step, cycle, plate, strip, ...")
]


class OnStop(StrEnum):
    """What becomes of the runs when the service is told to end."""

    SAFE = "safe"
    LEAVE = "leave"


@app.command()
def serve(
    bench: BENCH = None,
    on_stop: Annotated[
        OnStop,
        typer.Option(
            help="When the service ends: every output off, or leave steps to instruments that end them by themselves."
        ),
    ] = OnStop.SAFE,
    verbose: Annotated[bool, typer.Option("--verbose", help="Say more.")] = False,
) -> None:
    """Keep a bench: all its channels, their queues, and the control sockets. Ends with SIGTERM or Ctrl-C."""
    from hilcycler.bench_file import bench_path, read_bench
    from hilcycler.control.hosting import host
    from hilcycler.journal import Settings
    from hilcycler.journal.store import DiskPolicy
    from hilcycler.links.loop import run
    from hilcycler.service.keeper import Policies
    from hilcycler.service.supervisor import Service

    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(message)s"
    )
    described = read_bench(bench_path(bench))
    kept = described.storage
    disk = DiskPolicy(reserve=kept.reserve, low=kept.low, fallback=kept.fallback)

    def ready(service: Service) -> None:
        say(f"bench {described.name}: {len(service.keepers)} channels, data in {described.data}")

    run(host(described, Policies(Settings(disk=disk), leave=on_stop is OnStop.LEAVE), ready))


@app.command()
def status(bench: BENCH = None, data: DATA = None, as_json: JSON = False) -> None:
    """Say what every channel of a running service is at."""
    with client_of(bench, data) as client:
        found = client.status()
    if as_json:
        print_json(found.model_dump())
        return
    rows = [_row(each) for each in found.channels]
    table(rows, as_json=False, empty="this bench has no channels")
    for each in found.channels:
        if each.failure or each.latched:
            say(f"{inert(each.channel)}: {inert(each.failure or 'latched by ' + each.latched)}")


def _row(channel: ChannelStatus) -> dict[str, Any]:
    return {
        "channel": channel.channel,
        "state": channel.state + (f", {channel.pending}" if channel.pending else ""),
        "run": channel.run,
        "cell": channel.cell,
        "step": f"{channel.step} {channel.step_kind}" if channel.run else "",
        "cycle": channel.cycle if channel.run else "",
        "test time": duration(channel.test_time) if channel.run else "",
        "voltage": "" if channel.voltage is None else engineering(channel.voltage, "V"),
        "current": "" if channel.current is None else engineering(channel.current, "A"),
        "queue": len(channel.queue) or "",
    }


@app.command()
def start(
    channel: CHANNEL,
    protocol: Annotated[Path, typer.Argument(help="Protocol file (YAML).")],
    cell: Annotated[
        Path | None, typer.Option(help="A cell's name (`cycler cell list`), or a file that describes it.")
    ] = None,
    accept: Annotated[
        list[str] | None, typer.Option(help=f"A danger you agree to: {HOLDS_FOR_EVER}.")
    ] = None,
    check_cell: Annotated[
        bool | None, typer.Option("--check-cell/--no-check-cell", help="See first that it is that cell.")
    ] = None,
    actor: ACTOR = "",
    reason: REASON = "",
    bench: BENCH = None,
    data: DATA = None,
    as_json: JSON = False,
) -> None:
    """Put a run into the queue of a channel; it begins when the channel is free."""
    from hilcycler.cell_book import described
    from hilcycler.control.client import new_key
    from hilcycler.language import load
    from hilcycler.service.desk import Command, Verb
    from hilcycler.service.request import RunRequest, plain

    text = load(protocol).text
    with client_of(bench, data, acting=True) as client:
        request = RunRequest(
            protocol=text,
            cell=None if cell is None else plain(described(cell, Path(client.status().data))),
            accept=frozenset(accept or ()),
            check_cell=check_cell,
        )
        command = Command(actor=actor or _me(), reason=reason, key=new_key(), request=request)
        answer = client.ask(channel, Verb.START, command)
        _tell([answer], as_json=as_json)
        _refused_at_once(client, channel, answer.run)


def _refused_at_once(client: Client, channel: str, run: str) -> None:
    """What is refused is mostly refused at once: RequestError, rather than a queue that is empty again."""
    for told in client.events():
        if told.kind != "status":
            continue
        seen = next(each for each in told.data["channels"] if each["channel"] == channel)
        waiting = [each["run"] for each in seen["queue"]]
        being_opened = run in waiting and not seen["run"] and seen["condition"] in {"idle", "busy"}
        if not being_opened:
            break
    seen = client.channel(channel)
    if seen.failure and run not in {seen.run, *(each.run for each in seen.queue)}:
        raise RequestError(f"{channel}: run {run} was not begun: {seen.failure}")


@app.command()
def pause(
    channel: CHANNEL,
    after: AFTER = Boundary.NOW,
    actor: ACTOR = "",
    reason: REASON = "",
    bench: BENCH = None,
    data: DATA = None,
    as_json: JSON = False,
) -> None:
    """Switch a channel's output off and wait for `cycler resume`; parked time is not cycling time."""
    ask(channel, "pause", bench, data, as_json=as_json, after=after, actor=actor, reason=reason)


@app.command()
def stop(
    channel: CHANNEL,
    after: AFTER = Boundary.NOW,
    actor: ACTOR = "",
    reason: REASON = "",
    bench: BENCH = None,
    data: DATA = None,
    as_json: JSON = False,
) -> None:
    """End the run on a channel, its output off."""
    ask(channel, "stop", bench, data, as_json=as_json, after=after, actor=actor, reason=reason)


@app.command()
def skip(
    channel: CHANNEL,
    actor: ACTOR = "",
    reason: REASON = "",
    bench: BENCH = None,
    data: DATA = None,
    as_json: JSON = False,
) -> None:
    """End the step that is under way and go on with the next."""
    ask(channel, "skip", bench, data, as_json=as_json, actor=actor, reason=reason)


@app.command()
def extend(
    channel: CHANNEL,
    cycles: Annotated[int, typer.Argument(min=1, help="How many more, such as +200.")],
    actor: ACTOR = "",
    reason: REASON = "",
    bench: BENCH = None,
    data: DATA = None,
    as_json: JSON = False,
) -> None:
    """Add cycles to the repeat that is running."""
    ask(channel, "extend", bench, data, as_json=as_json, cycles=cycles, actor=actor, reason=reason)


@app.command()
def drop(
    channel: CHANNEL,
    run: Annotated[
        str, typer.Argument(help="Run that waits in the queue; `cycler status --json` lists them.")
    ],
    actor: ACTOR = "",
    reason: REASON = "",
    bench: BENCH = None,
    data: DATA = None,
    as_json: JSON = False,
) -> None:
    """Take a waiting run out of the queue."""
    ask(channel, "drop", bench, data, as_json=as_json, run=run, actor=actor, reason=reason)


@app.command()
def tighten(
    channel: CHANNEL,
    voltage: Annotated[str | None, typer.Option(help='Such as "-0.3 V to 0.3 V".')] = None,
    current: Annotated[str | None, typer.Option(help='Such as "-2 mA to 2 mA".')] = None,
    charge: Annotated[str | None, typer.Option(help='Most in one step, such as "1.2 mAh".')] = None,
    actor: ACTOR = "",
    reason: REASON = "",
    bench: BENCH = None,
    data: DATA = None,
    as_json: JSON = False,
) -> None:
    """Tighten the safety limits of the run on a channel; nothing widens them."""
    limits = _limits(voltage, current, charge)
    ask(channel, "limits", bench, data, as_json=as_json, limits=limits, actor=actor, reason=reason)


@app.command()
def safe(
    channel: Annotated[str | None, typer.Argument(help="Channel; none: all of them.")] = None,
    actor: ACTOR = "",
    reason: REASON = "",
    bench: BENCH = None,
    data: DATA = None,
    as_json: JSON = False,
) -> None:
    """Switch outputs off at once, of all channels or of one; nothing begins there until somebody says so."""
    if channel is not None:
        ask(channel, "safe", bench, data, as_json=as_json, actor=actor, reason=reason)
        return
    with client_of(bench, data, acting=True) as client:
        answers = client.safe_all(actor or _me(), reason)
    _tell(answers, as_json=as_json)
    if not all(each.done for each in answers):
        raise typer.Exit(1)


def ask(
    channel: str,
    verb: str,
    bench: Path | None,
    data: Path | None,
    *,
    as_json: bool,
    **asked: Any,  # noqa: ANN401  (fields of Command, which judges them)
) -> None:
    """Ask for what `status` shows now, and say what became of it."""
    from hilcycler.control.client import command_for
    from hilcycler.service.desk import Verb

    asked["actor"] = asked.get("actor") or _me()
    with client_of(bench, data, acting=True) as client:
        seen = client.channel(channel)
        if verb == Verb.SKIP:
            asked["step"] = seen.step
        _tell([client.ask(channel, Verb(verb), command_for(seen, **asked))], as_json=as_json)


def _tell(answers: list[Answer], *, as_json: bool) -> None:
    if as_json:
        print_json([each.model_dump() for each in answers])
        return
    for each in answers:
        say(inert(f"{each.channel}: {each.answer}" + (f" (run {each.run})" if each.run else "")))


def client_of(bench: Path | None, data: Path | None, *, acting: bool = False) -> Client:
    from hilcycler.bench_file import bench_path, read_bench
    from hilcycler.control.client import Client

    if bench is not None:
        return Client(read_bench(bench).data, acting=acting)
    folder = data_folder(data)
    if data is None and not (folder / "service.json").exists():
        with suppress(
            RequestError
        ):  # no bench file either: the message about the data folder says what to do
            folder = read_bench(bench_path()).data
    return Client(folder, acting=acting)


def _limits(voltage: str | None, current: str | None, charge: str | None) -> Envelope:
    if voltage is None and current is None and charge is None:
        raise RequestError("expected at least one of --voltage, --current, --charge")
    whole = Envelope()
    return Envelope(
        voltage=whole.voltage if voltage is None else _window(voltage, VOLTAGE),
        current=whole.current if current is None else _window(current, CURRENT),
        charge=whole.charge if charge is None else parse(charge, CHARGE),
    )


def _window(text: str, dimension: Dimension) -> tuple[float, float]:
    lowest, to, highest = text.partition(" to ")
    if not to:
        raise RequestError(f"{text!r}: expected two limits, such as -0.5 V to 0.5 V")
    low, high = parse(lowest, dimension), parse(highest, dimension)
    if not low < high:
        raise RequestError(f"{text!r}: the first limit must be the lower one")
    return low, high


def _me() -> str:
    return getpass.getuser()
