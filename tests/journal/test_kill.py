"""kill -9 of a writing process at random instants: nothing acknowledged is missing, nothing is doubled.

HILCYCLER_KILLS=200 for the full count.
"""

from __future__ import annotations

import multiprocessing
import random
from pathlib import Path

import pytest
from journal_children import ACKNOWLEDGED, RUN, acknowledged_path, write
from run_prefix import check_prefix, finish
from run_stories import count

from hilcycler.journal import State, Verdict, open_run, verify
from hilcycler.journal.names import run_path

SERVER = multiprocessing.get_context("forkserver")  # imports once, forks often
SERVER.set_forkserver_preload(["hilcycler.journal.bench"])


@pytest.mark.parametrize("seed", range(count("HILCYCLER_KILLS", 20)))
def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path, seed: int) -> None:
    child = SERVER.Process(target=write, args=(tmp_path, seed, 1_000_000))
    child.start()
    try:
        while read_promise(tmp_path) == (0, 0):
            child.join(0.005)
            assert child.is_alive()
        child.join(random.Random(seed).uniform(0.0, 0.25))
    finally:
        child.kill()
        child.join()
    path = run_path(tmp_path, RUN)
    assert verify(path).verdict is Verdict.OPEN
    assert open_run(path).state is State.INTERRUPTED
    taken = check_prefix(path, seed, read_promise(tmp_path))
    finish(path, seed, taken)


def read_promise(folder: Path) -> tuple[int, int]:
    try:
        noted = acknowledged_path(folder).read_bytes()
    except FileNotFoundError:
        return 0, 0
    rows, events = ACKNOWLEDGED.unpack(noted) if noted else (0, 0)
    return rows, events
