"""`cycler lab`: every channel of the lab, or of one bench, through the broker. It looks on, and can do no more."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Annotated

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hilcycler.cli import app
from hilcycler.cli.files import JSON
from hilcycler.cli.output import inert, say
from hilcycler.cli.telemetry import BROKER, CA, CERT, KEY, PASSWORD, ROOT, TIMEOUT, USER, until_ended
from hilcycler.clock import loop_time
from hilcycler.quantities import Second, duration, engineering
from hilcycler.telemetry.board import LEAVES, Board, Seen, follow
from hilcycler.telemetry.broker import Broker
from hilcycler.telemetry.topics import Topics

BARS = "▁▂▃▄▅▆▇█"
EVERY = 0.5
"""Seconds between two pictures."""


@app.command()
def lab(
    broker: BROKER,
    site: Annotated[str | None, typer.Option(help="Only this laboratory.")] = None,
    bench: Annotated[str | None, typer.Option(help="Only benches of this name.")] = None,
    user: USER = None,
    password_file: PASSWORD = None,
    ca: CA = None,
    cert: CERT = None,
    key: KEY = None,
    root: ROOT = "cycler",
    timeout: TIMEOUT = 10.0,
    as_json: JSON = False,
) -> None:
    """Look on: all channels of the lab, live, through the broker alone. Ends with Ctrl-C; touches nothing."""
    topics = Topics(root)
    reach = Broker.at(
        broker,
        user=user,
        password_file=password_file,
        authority=ca,
        certificate=cert,
        key=key,
        patience=timeout,
    )
    reach.context()
    filters = [topics.within(leaf, site, bench) for leaf in LEAVES]
    shown = _drawn if sys.stdout.isatty() and not as_json else _told_as_json if as_json else _told
    until_ended(lambda: shown(reach, Board(topics), filters))


async def _drawn(reach: Broker, board: Board, filters: list[str]) -> None:
    with ExitStack() as stack:
        live = stack.enter_context(Live(auto_refresh=False, screen=True))
        async with asyncio.TaskGroup() as group:
            group.create_task(follow(reach, board, filters, lambda _: None))
            while True:
                live.update(picture(board, loop_time()), refresh=True)
                await asyncio.sleep(EVERY)


async def _told(reach: Broker, board: Board, filters: list[str]) -> None:
    """A line whenever a channel has something new."""
    await follow(reach, board, filters, lambda seen: say("  ".join(filter(None, cells(board, seen, None)))))


async def _told_as_json(reach: Broker, board: Board, filters: list[str]) -> None:
    """A line of JSON for each new row."""

    def changed(seen: Seen) -> None:
        if seen.latest is not None:
            online = seen.reachable(board.benches)
            say(json.dumps(seen.latest.model_dump(mode="json") | {"online": online, "told": seen.told}))

    await follow(reach, board, filters, changed)


def picture(board: Board, now: Second) -> Table:
    """All channels, one line each."""
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for name in (
        "bench",
        "channel",
        "run",
        "state",
        "step",
        "cycle",
        "voltage",
        "current",
        "test time",
        "age",
    ):
        table.add_column(name, no_wrap=True)
    table.add_column("voltage, newest right", no_wrap=True)
    table.add_column("told", ratio=1, overflow="ellipsis", no_wrap=True)
    for seen in board.channels:
        style = "" if seen.reachable(board.benches) else "dim"
        *plain, told = cells(board, seen, now)
        table.add_row(*(Text(each) for each in plain), Text(trail(seen.trail)), Text(told), style=style)
    if not board.channels:
        table.add_row(Text("nothing has been heard yet"))
    return table


def cells(board: Board, seen: Seen, now: Second | None) -> list[str]:
    """What is said of a channel, as texts that a terminal does not obey."""
    place, state, latest = seen.place, seen.state, seen.latest
    words = [inert(place.bench), inert(place.channel)]
    if not seen.reachable(board.benches):
        standing = "SILENT" if state is None or state.state == "running" else state.outcome or state.state
    else:
        standing = "" if state is None else state.outcome or state.state
    if latest is None:
        return [*words, "", inert(standing), *[""] * 5, *([] if now is None else [""]), inert(seen.told)]
    words += [inert(latest.run), inert(standing), inert(latest.step_type), str(latest.cycle_count)]
    words += [engineering(latest.voltage_volt, "V"), engineering(latest.current_ampere, "A")]
    words.append(duration(latest.test_time_second))
    if now is not None:
        words.append("" if seen.came is None else duration(now - seen.came))
    return [*words, inert(seen.told)]


def trail(values: Sequence[float]) -> str:
    """The course of a number in one line, between its own extremes."""
    known = [value for value in values if value == value and abs(value) != float("inf")]  # noqa: PLR0124
    if not known:
        return ""
    lowest, highest = min(known), max(known)
    span = (highest - lowest) or 1.0
    return "".join(BARS[round((value - lowest) / span * (len(BARS) - 1))] for value in known)
