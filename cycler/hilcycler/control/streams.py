"""Event streams (server-sent events) that can be taken up again where they broke off.

`bench`: entries of the bench's chain, each with its number as its id, and the status about once a second,
which is only ever the latest. `of_run`: samples and events of one run, from its file; the id says how far.
A client that does not read is waited for by its own stream alone, and misses no entry: what it has not
taken is read from the disk when it comes back.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Final

from hilcycler.errors import CyclerError, RequestError
from hilcycler.journal import News, Run, State, open_run
from hilcycler.quantities import Second
from hilcycler.records import to_json
from hilcycler.service.apart import apart
from hilcycler.service.supervisor import Service

EVERY: Final[Second] = 1.0
MOST: Final = 4096
"""Rows in one event of a run's stream."""


def event(kind: str, data: str, cursor: str = "") -> bytes:
    """One event of a stream. `data` is JSON, so it has no line breaks."""
    told = f"id: {cursor}\n" if cursor else ""
    return f"{told}event: {kind}\ndata: {data}\n\n".encode()


async def bench(service: Service, since: int | None) -> AsyncIterator[bytes]:
    """Entries from number `since` on (None: from now), and what the bench is at."""
    books = service.books
    at = books.next if since is None else min(since, books.next)
    while not service.ending.is_set():
        if at < books.next:
            first = at
            for number, entry in await apart(lambda: books.state.since(first, 200)):  # noqa: B023
                yield event("entry", json.dumps(asdict(entry), default=str), str(number + 1))
                at = number + 1
            continue
        yield event("status", service.status_json())
        await _pause(service, books.grown)
    yield event("end", '"the service ends"')


async def of_run(service: Service, path: Path, sequence: int, number: int) -> AsyncIterator[bytes]:
    """What is written of a run, from sample `sequence` and event `number` on, until it has ended."""
    run: Run = await apart(lambda: open_run(path))
    while not service.ending.is_set():
        try:
            news = await apart(lambda: run.since(sequence, number, most=MOST))  # noqa: B023
        except CyclerError as error:
            yield event("error", json.dumps(str(error)))
            return
        if (news.next_sequence, news.next_event) != (sequence, number):
            sequence, number = news.next_sequence, news.next_event
            yield event("news", _news(news), f"{sequence}.{number}")
        elif news.state is not State.RUNNING:
            yield event("end", json.dumps(news.state.value))
            return
        else:
            await _pause(service, None)
    yield event("end", '"the service ends"')


def cursor(text: str) -> tuple[int, int]:
    """Where a run's stream is to be taken up; RequestError for what is none."""
    try:
        sequence, number = (int(each) for each in text.split("."))
    except ValueError:
        raise RequestError(f"{text!r} is no place in a run; expected ROWS.EVENTS") from None
    if sequence < 0 or number < 0:
        raise RequestError(f"{text!r} is no place in a run; expected ROWS.EVENTS")
    return sequence, number


def _news(news: News) -> str:
    columns = {name: column.tolist() for name, column in news.columns.items()}
    events = ",".join(to_json(each) for each in news.events)
    told = json.dumps({"columns": columns, "state": news.state.value}).replace("NaN", "null")
    return f'{told[:-1]}, "events": [{events}]}}'


async def _pause(service: Service, grown: asyncio.Event | None) -> None:
    """About a second, or until there is something to say."""
    events = [service.ending] if grown is None else [service.ending, grown]
    with suppress(TimeoutError):
        async with asyncio.timeout(EVERY), asyncio.TaskGroup() as tasks:
            waiting = [tasks.create_task(each.wait()) for each in events]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
