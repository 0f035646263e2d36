"""`cycler bench telemetry`: from run file to committed rows, measured end to end.

One publisher, one Mosquitto, ingesters and one PostgreSQL, each a process of its own on this machine, with
their usual settings (PostgreSQL with fsync). Rows are counted where they end: committed in the database.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import psycopg

from hilcycler.clock import process_time
from hilcycler.errors import CyclerError
from hilcycler.ingest.check import check
from hilcycler.ingest.live_run import LiveRun
from hilcycler.ingest.servers import Mosquitto, Postgres, cycler, memory_of, pass_time, until
from hilcycler.telemetry.broker import Broker, connect
from hilcycler.telemetry.feed import RunFeed
from hilcycler.telemetry.messages import decode, encode
from hilcycler.telemetry.topics import Leaf, Topics

DAY: Final = 86_400
PROMISED: Final = 50_000
"""Rows per second with one ingester, on two cores."""


def telemetry(*, full: bool) -> list[dict[str, Any]]:
    """Rows/s from run file to PostgreSQL, one ingester and two, beside a bare publish loop; --full: a day's backlog too."""
    rows = 1_000_000 if full else 200_000
    measured = [_throughput(rows, ingesters) for ingesters in (1, 2)]
    return [*measured, *([_catch_up(8, DAY)] if full else [])]


class _Lab:
    """The servers, and a folder of runs."""

    def __init__(self, folder: Path, broker: Mosquitto, database: str, stack: ExitStack) -> None:
        self.log, self.runs = folder / "log", folder / "runs"
        self.runs.mkdir()
        self.broker, self.database, self._stack = broker, database, stack

    def ingester(self) -> None:
        told = ("--database", self.database, "--broker", self.broker.url)
        self._stack.enter_context(cycler("ingest", *told, log=self.log))

    def publisher(self) -> subprocess.Popen[bytes]:
        told = ("--data", self.runs, "--site", "lab", "--bench", "1", "--no-results")
        return self._stack.enter_context(cycler("publish", *told, "--broker", self.broker.url, log=self.log))

    def stored(self) -> int:
        """Rows without a gap, of all runs."""
        try:
            with psycopg.connect(self.database) as connection:
                row = connection.execute("SELECT coalesce(sum(acked_seq), 0) FROM run").fetchone()
        except psycopg.errors.UndefinedTable:  # no ingester has been here yet
            return 0
        return int(row[0]) if row else 0


@contextmanager
def _lab() -> Iterator[_Lab]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = Mosquitto(folder)
        stack.callback(broker.kill)
        broker.start()
        cluster = Postgres()
        stack.callback(cluster.remove)
        yield _Lab(folder, broker, cluster.start().database("lab"), stack)


def _throughput(rows: int, ingesters: int) -> dict[str, Any]:
    """A run that is there already goes to the database; then a bare publish loop of the same payloads."""
    with _lab() as lab:
        with LiveRun(lab.runs, before=rows, period=1.0, rows=1) as live:
            live.ready.wait()
        for _ in range(ingesters):
            lab.ingester()
        until("ingesters are there", lambda: lab.broker.log.count("cycler-ingest") >= ingesters)
        pass_time(2.0)
        publisher = lab.publisher()
        until("first rows", lambda: lab.stored() > 0, every=0.01)
        began, at, before = process_time(), lab.stored(), memory_of(publisher)
        until("all rows", lambda: lab.stored() >= live.rows, patience=600.0, every=0.05)
        took = process_time() - began
        grown = memory_of(publisher) - before
        (compared, *_) = asyncio.run(check(live.path, lab.database))
        if not compared.equal:
            raise CyclerError(f"the database is not as the run file: {compared}")
        per_second = (live.rows - at) / took
        parts = Counter(re.findall(r"Sending PUBLISH to (cycler-ingest-\w+) .*/data'", lab.broker.log))
        bare = asyncio.run(_bare(lab.broker, live.path))
        return {
            "measured": f"{live.rows} rows, {ingesters} ingester{'s' if ingesters > 1 else ''}",
            "rows/s": round(per_second),
            "promised": PROMISED,
            "bare loop rows/s": round(bare),
            "ratio": round(per_second / bare, 3),
            "messages each": ", ".join(map(str, parts.values())),
            "publisher MB": f"{before / 1e6:.0f} + {grown / 1e6:.1f}",
            "load": round(os.getloadavg()[0], 1),
        }


async def _bare(broker: Mosquitto, path: Path) -> float:
    """Rows per second of nothing but awaited publishes, QoS 1, with nobody listening."""
    feed = RunFeed(path, "lab", "1", frozenset())
    payloads = [(encode(data), data.rows) for data in feed.data(0, min(feed.rows, 500_000))]
    async with connect(Broker.at(broker.url), "bare") as session:
        began = process_time()
        for payload, _ in payloads:
            await session.publish("bare", payload)
        return sum(rows for _, rows in payloads) / (process_time() - began)


def _catch_up(channels: int, rows: int) -> dict[str, Any]:
    """`rows` of each of `channels` at 1 Hz were not told: how late what is measured meanwhile comes."""
    with _lab() as lab, ExitStack() as stack:
        lives = [
            stack.enter_context(LiveRun(lab.runs, before=rows, period=1.0, rows=1)) for _ in range(channels)
        ]
        for live in lives:
            live.ready.wait()
        lags: list[float] = []
        over = threading.Event()
        listener = threading.Thread(target=lambda: asyncio.run(_listen(lab.broker, lives, lags, over)))
        listener.start()
        lab.ingester()
        pass_time(2.0)
        began = process_time()
        publisher = lab.publisher()
        until("first rows", lambda: lab.stored() > 0, every=0.01)
        before = memory_of(publisher)
        until("caught up", lambda: lab.stored() >= channels * rows, patience=600.0, every=0.25)
        took = process_time() - began
        grown = memory_of(publisher) - before
        over.set()
        listener.join()
        late = np.array(lags)
        lag = ", ".join(f"{each:.2f}" for each in (np.median(late), np.percentile(late, 99), late.max()))
        return {
            "measured": f"{channels * rows} rows of backlog, live lag median, 99 %, worst: {lag} s",
            "rows/s": round(channels * rows / took),
            "promised": "lag 2 s",
            "bare loop rows/s": None,
            "ratio": None,
            "messages each": None,
            "publisher MB": f"{before / 1e6:.0f} + {grown / 1e6:.1f}",
            "load": round(os.getloadavg()[0], 1),
        }


async def _listen(broker: Mosquitto, lives: list[LiveRun], lags: list[float], over: threading.Event) -> None:
    """A subscriber of its own: how long after they were put rows arrive that came after their run was told."""
    known = {live.run: live for live in lives}
    born: dict[str, float] = {}
    async with connect(Broker.at(broker.url), "listener") as session:
        await session.subscribe(Topics().everywhere(Leaf.DATA), Topics().everywhere(Leaf.META))
        async for topic, payload, _ in session.messages():
            leaf, now = Leaf(topic.rsplit("/", 1)[1]), process_time()
            message = decode(leaf, payload)
            if leaf is Leaf.META:
                born[message.run] = now
                continue
            put = known[message.run].put
            times = [put.pop(row, 0.0) for row in range(message.sequence, message.sequence + message.rows)]
            lags += [now - time for time in times if time > born.get(message.run, now)]
            if over.is_set():
                return
