"""Ctrl-C, SIGTERM and a closed terminal leave the cell off and the run marked, in the real command."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hilcycler.journal import State, Verdict, open_run, verify
from hilcycler.records import OffState, OperatorAction, Outcome, RunStarted

DEMO = [sys.executable, "-m", "hilcycler", "demo", "--cycles", "100000"]


def is_stopped(folder: Path, by: str) -> None:
    (path,) = folder.glob("*.run.sqlite")
    assert verify(path).verdict is Verdict.WHOLE
    run = open_run(path)
    assert run.state is State.SEALED
    assert run.ended is not None
    assert (run.ended.outcome, run.ended.off) == (Outcome.STOPPED, OffState.OFF)
    assert run.ended.reason == f"signal: {by}"
    events = run.events()
    assert isinstance(events[0], RunStarted)
    assert [each.verb for each in events if isinstance(each, OperatorAction)] == ["stop"]


def until_it_runs(output: int) -> None:
    """Read what the demo prints until it says that it runs."""
    seen = b""
    while b"running" not in seen:
        seen += os.read(output, 4096)
        assert len(seen) < 1_000_000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [*DEMO, "--data", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    until_it_runs(process.stdout.fileno())
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    is_stopped(tmp_path, number.name)


def test_a_closed_terminal_ends_the_run_in_good_order(tmp_path: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.execv(DEMO[0], [*DEMO, "--data", str(tmp_path)])  # the child becomes the demo
    until_it_runs(terminal)
    os.close(terminal)
    os.waitpid(child, 0)
    is_stopped(tmp_path, "SIGHUP")
