"""Readers in other processes follow a run while it is written, and never stand in its way."""

from __future__ import annotations

import asyncio
import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from journal_children import RUN, follow_all
from run_stories import story, tell, written_columns

from hilcycler.journal import Journal, News, Settings, State, open_run
from hilcycler.journal.bench import example_header
from hilcycler.journal.names import run_path
from hilcycler.records import SampleBlock

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["hilcycler.journal.bench"])


def test_two_followers_see_everything_once_and_in_order(tmp_path: Path) -> None:
    records = story(steps=4, rows=1500, chunk=23)
    records[0] = example_header(RUN)
    ends: list[Connection] = []

    async def write() -> None:
        async with Journal.create(tmp_path, RUN, Settings(period=0.01)) as journal:
            for at, record in enumerate(records):
                journal.put(record)
                if at == 0:
                    await journal.commit()
                    for _ in range(2):
                        end, other = SERVER.Pipe()
                        SERVER.Process(target=follow_all, args=(journal.path, other), daemon=True).start()
                        ends.append(end)
                    for end in ends:
                        assert await asyncio.to_thread(end.recv) == "following"
                await asyncio.sleep(0.002)

    asyncio.run(write())
    expected = written_columns(records)
    for end in ends:
        looks, columns, kinds = end.recv()
        assert looks > 2, "seen only when all was over"
        assert kinds == [record.kind for record in records if not isinstance(record, SampleBlock)]
        assert all(np.array_equal(columns[name], expected[name]) for name in expected)
    assert open_run(run_path(tmp_path, RUN)).state is State.SEALED


def test_a_long_backlog_comes_in_pieces_with_events_in_their_place(tmp_path: Path) -> None:
    path = tell(tmp_path, story(steps=3, rows=2000))
    run = open_run(path)

    async def follow() -> list[News]:
        return [news async for news in run.follow(most=1500)]

    looks = asyncio.run(follow())
    assert [len(look.columns["test_time"]) for look in looks] == [1500, 1500, 1500, 1500]
    seen = 0
    for look in looks:
        seen += len(look.columns["test_time"])
        assert len(look.after) == len(look.events)
        assert all(seen - 1500 <= rows <= seen for rows in look.after)
    assert sum(len(look.events) for look in looks) == run.event_count


def test_following_an_interrupted_run_ends(tmp_path: Path) -> None:
    path = tell(tmp_path, story()[:5])

    async def follow() -> list[State]:
        return [news.state async for news in open_run(path).follow()]

    assert asyncio.run(follow()) == [State.INTERRUPTED]
