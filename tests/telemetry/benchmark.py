"""`python tests/telemetry/benchmark.py [throughput|catch-up|shared]`: telemetry, measured end to end.

One publisher, one Mosquitto, ingesters and one PostgreSQL, each a process of its own on this machine, with
their usual settings (PostgreSQL with fsync). Rows are counted where they end: committed in the database.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import psycopg

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from lab_servers import Mosquitto, Postgres, cycler, memory_of, pass_time, until
from live_run import LiveRun

from hilcycler.clock import process_time
from hilcycler.ingest.check import check
from hilcycler.telemetry.broker import Broker, connect
from hilcycler.telemetry.feed import RunFeed
from hilcycler.telemetry.messages import decode, encode
from hilcycler.telemetry.topics import Leaf, Topics

DAY = 86_400


class Bench:
    """The servers, in a temporary folder."""

    def __init__(self, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.stack, self.log, self.runs = stack, folder / "log", folder / "runs"
        self.runs.mkdir()
        self.log.touch()
        self.broker = Mosquitto(folder).start()
        stack.callback(self.broker.kill)
        cluster = Postgres().start()
        stack.callback(cluster.remove)
        self.database = cluster.database("lab")

    def ingester(self) -> None:
        self.stack.enter_context(
            cycler("ingest", "--database", self.database, "--broker", self.broker.url, log=self.log)
        )

    def publisher(self) -> object:
        told = ("--data", self.runs, "--site", "lab", "--bench", "1", "--no-results")
        return self.stack.enter_context(cycler("publish", *told, "--broker", self.broker.url, log=self.log))

    def stored(self) -> int:
        try:
            with psycopg.connect(self.database) as connection:
                row = connection.execute("SELECT coalesce(sum(acked_seq), 0) FROM run").fetchone()
        except psycopg.errors.UndefinedTable:  # no ingester has been here yet
            return 0
        return int(row[0]) if row else 0


def throughput(rows: int = 1_000_000, ingesters: int = 1) -> None:
    """Rows per second from run file to committed rows, and a bare publish loop of the same payloads."""
    with ExitStack() as stack:
        bench = Bench(stack)
        with LiveRun(bench.runs, before=rows, period=1.0, rows=1) as live:
            live.ready.wait()
        for _ in range(ingesters):
            bench.ingester()
        until("ingesters are there", lambda: bench.broker.log.count("cycler-ingest") >= ingesters)
        pass_time(2.0)
        publisher = bench.publisher()
        until("first rows", lambda: bench.stored() > 0, every=0.01)
        began, at = process_time(), bench.stored()
        until("all rows", lambda: bench.stored() >= live.rows, patience=600.0, every=0.1)
        took = process_time() - began
        memory = memory_of(publisher)  # type: ignore[arg-type]
        (compared, _) = asyncio.run(check(live.path, bench.database))
        assert compared.equal, compared
        per_second = (live.rows - at) / took
        print(
            f"{live.rows} rows end to end, {ingesters} ingester(s): {per_second:,.0f} rows/s;"
            f" publisher {memory / 1e6:.0f} MB; load {os.getloadavg()[0]:.1f}"
        )
        parts = Counter(re.findall(r"Sending PUBLISH to (cycler-ingest-\w+) .*/data'", bench.broker.log))
        print(f"  messages of rows for each ingester: {', '.join(map(str, parts.values()))}")
        bare = asyncio.run(_bare(bench, live.path))
        print(f"  bare aiomqtt publish loop of the same payloads, nobody listening: {bare:,.0f} rows/s")
        print(f"  ratio {per_second / bare:.2f}")


async def _bare(bench: Bench, path: Path) -> float:
    feed = RunFeed(path, "lab", "1", frozenset())
    payloads = [(encode(data), data.rows) for data in feed.data(0, min(feed.rows, 500_000))]
    async with connect(Broker.at(bench.broker.url), "bare") as session:
        began = process_time()
        for payload, _ in payloads:
            await session.publish("bare", payload)
        return sum(rows for _, rows in payloads) / (process_time() - began)


def catch_up(channels: int = 8, rows: int = DAY) -> None:
    """A day of `channels` at 1 Hz was not told; how late is what is measured meanwhile?"""
    with ExitStack() as stack:
        bench = Bench(stack)
        lives = [
            stack.enter_context(LiveRun(bench.runs, before=rows, period=1.0, rows=1)) for _ in range(channels)
        ]
        for live in lives:
            live.ready.wait()
        lags: list[float] = []
        over = threading.Event()
        listener = threading.Thread(target=lambda: asyncio.run(_listen(bench, lives, lags, over)))
        listener.start()
        bench.ingester()
        pass_time(2.0)
        began = process_time()
        bench.publisher()
        until("caught up", lambda: bench.stored() >= channels * rows, patience=600.0, every=0.25)
        took = process_time() - began
        over.set()
        listener.join()
        late = np.array(lags)
        print(
            f"{channels * rows} rows of backlog in {took:.1f} s ({channels * rows / took:,.0f} rows/s);"
            f" lag of {len(late)} live rows meanwhile: median {np.median(late):.2f} s,"
            f" 99 % {np.percentile(late, 99):.2f} s, longest {late.max():.2f} s; load {os.getloadavg()[0]:.1f}"
        )


async def _listen(bench: Bench, lives: list[LiveRun], lags: list[float], over: threading.Event) -> None:
    """A subscriber of its own: how long after it was put does a row arrive that came after its run was told?"""
    known = {live.run: live for live in lives}
    born: dict[str, float] = {}
    async with connect(Broker.at(bench.broker.url), "listener") as session:
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


def shared() -> None:
    """Two ingesters of one group."""
    throughput(ingesters=2)


if __name__ == "__main__":
    known = {"throughput": throughput, "catch-up": catch_up, "shared": shared}
    for name in sys.argv[1:] or known:
        known[name]()
