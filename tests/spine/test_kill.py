"""Killed at any instant, the run file opens and verifies without repair, and holds what was promised."""

from __future__ import annotations

import multiprocessing
import os
import random
from pathlib import Path

import pytest
from dying import demo

from hilcycler.journal import State, Verdict, open_run, verify

KILLS = int(os.environ.get("HILCYCLER_KILLS", "20"))


@pytest.mark.timeout(60 + 12 * KILLS)
def test_kill_at_random_instants(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dying"])
    instant = random.Random(20261120)
    for number in range(KILLS):
        folder = tmp_path / str(number)
        folder.mkdir()
        here, there = context.Pipe(duplex=False)
        child = context.Process(target=demo, args=(str(folder), there))
        child.start()
        there.close()
        promised = [here.recv()]
        until = instant.uniform(0.0, 0.4)
        while here.poll(until) and len(promised) < 400:
            promised.append(here.recv())
            until = max(until - 0.005, 0.0)
        child.kill()
        child.join()
        while here.poll(0):
            try:
                promised.append(here.recv())
            except EOFError:
                break
        rows, events = promised[-1]
        (path,) = folder.glob("*.run.sqlite")
        found = verify(path)
        assert found.verdict is Verdict.OPEN, found.detail
        run = open_run(path)
        assert run.state is State.INTERRUPTED
        assert run.rows >= rows
        assert run.event_count >= events
