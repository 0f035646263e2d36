"""Disks that fail, fill up, or take their time: the data is kept or the run is told, in plain words.

A child process writes; bad_disk stands between its SQLite and the kernel, or a real disk of a few
megabytes is mounted for it (as root, where there are loop devices).
"""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import journal_children
import numpy as np
import pytest
from bad_disk import BadDisk
from journal_children import RUN

from hilcycler.journal import State, Verdict, open_run, verify
from hilcycler.journal.bench import example_samples
from hilcycler.journal.names import run_path, segment_path


class Child:
    """A process with a journal, and words for it."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self.path = run_path(folder, RUN)
        self.warnings: list[str] = []
        self.opened = self._answer()

    def do(self, *orders: str) -> str:
        """Give orders; the answer to the last one, after all others were done as told."""
        for at, order in enumerate(orders):
            assert self._process.stdin is not None
            self._process.stdin.write(f"{order}\n")
            self._process.stdin.flush()
            answer = self._answer()
            assert answer == "done" or at == len(orders) - 1, answer
        return answer

    def _answer(self) -> str:
        assert self._process.stdout is not None
        words, self.warnings = json.loads(self._process.stdout.readline())
        return str(words)


@contextmanager
def child(folder: Path, bad: BadDisk | None = None, **told: Any) -> Iterator[Child]:
    order = json.dumps({"folder": str(folder), **told}, default=str)
    with subprocess.Popen(
        [sys.executable, journal_children.__file__, "obey", order],
        env=None if bad is None else bad.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Child(process, folder)
        finally:
            process.kill()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def bad(tmp_path: Path, folder: Path) -> BadDisk:
    return BadDisk(folder, tmp_path)


@pytest.fixture
def fallback(tmp_path: Path) -> Path:
    (tmp_path / "fallback").mkdir()
    return tmp_path / "fallback"


def holds(path: Path, rows: int, fallback: Path | None = None) -> bool:
    """Whether exactly the first `rows` samples of the example are there."""
    found = open_run(path, fallback).columns(("voltage",))["voltage"]
    return len(found) == rows and np.array_equal(found, example_samples(0, rows).columns["voltage"])


GOOD = ("header", "put 300", "put 10", "commit")


@pytest.mark.parametrize("error", [errno.EIO, errno.EROFS])
def test_writes_that_fail_go_on_in_the_fallback(
    folder: Path, bad: BadDisk, fallback: Path, error: int
) -> None:
    with child(folder, bad, fallback=fallback) as writer:
        writer.do(*GOOD)
        bad.orders["write_errno"] = error
        assert writer.do("put 20", "commit", "put 30", "note", "commit") == "done"
        assert "takes nothing more" in writer.warnings[0]
        assert open_run(writer.path, fallback).state is State.RUNNING
        writer.do("end")
        assert writer.do("leave") == "left"
    assert holds(writer.path, 310)
    assert holds(writer.path, 360, fallback)
    run = open_run(writer.path, fallback)
    assert [link.kind for link in run.links()] == ["run-started", "note", "run-ended"]
    assert run.state is State.SEALED
    assert len(run.columns(t0=305.0, t1=315.0)["voltage"]) == 11
    second = segment_path(fallback, RUN, 2)
    assert verify(second).verdict is Verdict.WHOLE
    assert len(open_run(second).columns()["voltage"]) == 50  # readable on its own, but for the header


def test_writes_that_fail_without_a_fallback_stop_the_run_and_stay_in_memory(
    folder: Path, bad: BadDisk, tmp_path: Path
) -> None:
    with child(folder, bad) as writer:
        writer.do(*GOOD)
        bad.orders["write_errno"] = errno.EIO
        assert "writing failed" in writer.do("put 20", "commit")
        assert "writing failed" in writer.do("put 20")
        assert writer.do(f"rescue {tmp_path / 'elsewhere'}", "end") == "done"
        assert writer.do("leave") == "left"
    assert holds(writer.path, 310)
    assert holds(writer.path, 350, tmp_path / "elsewhere")


@pytest.mark.parametrize("fallback_there", [True, False])
def test_a_failed_sync_is_never_retried(
    folder: Path, bad: BadDisk, fallback: Path, fallback_there: bool
) -> None:
    told = {"fallback": fallback} if fallback_there else {}
    with child(folder, bad, **told) as writer:
        writer.do(*GOOD)
        bad.orders["sync_errno"] = errno.EIO  # once; the next one would say that all is well
        answer = writer.do("put 20", "commit")
        assert (answer == "done") is fallback_there
        writer.do("end")
        writer.do("leave")
        assert bad.orders["after_failed_sync"] == 0
    if fallback_there:
        assert holds(writer.path, 330, fallback)
    assert len(open_run(writer.path).columns()["voltage"]) in (310, 330)  # acknowledged, or more
    assert verify(writer.path).verdict is Verdict.OPEN


def test_a_fold_that_fails_costs_nothing_that_was_acknowledged(
    folder: Path, bad: BadDisk, fallback: Path
) -> None:
    with child(folder, bad, fallback=fallback, fold_every=1) as writer:
        writer.do("header", "commit", "put 300", "commit", "put 10", "commit")
        bad.orders["sync_errno"], bad.orders["syncs_left"] = errno.EIO, 1  # the commit's own is good
        assert writer.do("put 20", "commit", "put 20", "commit", "put 20", "commit") == "done"
        assert bad.orders["sync_errno"] == 0
        assert writer.warnings
        assert bad.orders["after_failed_sync"] == 0
    assert holds(writer.path, 370, fallback)


def test_a_full_disk_leaves_room_to_say_how_the_run_ended(folder: Path, bad: BadDisk) -> None:
    with child(folder, bad) as writer:
        writer.do(*GOOD)
        bad.orders["write_errno"] = errno.ENOSPC  # until the reserve is gone
        assert writer.do("put 20", "commit") == "done"
        assert "the disk is full" in writer.warnings[0]
        assert "room to end the run, no more" in writer.do("put 20")
        assert writer.do("end", "commit") == "done"
        assert writer.do("leave") == "left"
    assert holds(writer.path, 330)
    assert open_run(writer.path).state is State.SEALED
    assert sorted(folder.iterdir()) == [writer.path]


def test_a_full_disk_stops_a_run_before_it_starts(folder: Path, bad: BadDisk) -> None:
    bad.orders["write_errno"] = errno.ENOSPC
    with child(folder, bad) as writer:
        assert "full" in writer.opened
    assert list(folder.iterdir()) == []


def test_short_writes_are_completed(folder: Path, bad: BadDisk) -> None:
    bad.orders["short"] = 1
    with child(folder, bad, fold_every=2) as writer:
        writer.do(*GOOD)
        writer.do("put 500", "commit", "put 500", "commit", "end")
        assert writer.do("leave") == "left"
    assert holds(writer.path, 1310)
    assert verify(writer.path).verdict is Verdict.WHOLE


def test_a_slow_disk_holds_up_nothing_but_the_commit(folder: Path, bad: BadDisk) -> None:
    with child(folder, bad, ring=1000, patience=0.3) as writer:
        writer.do(*GOOD)
        bad.orders["sync_delay_ms"] = 1500
        assert "has not answered for 0.3 s" in writer.do("put 20", "note", "commit")
        assert writer.do("put 300", "put 300", "put 300") == "done"  # at once: in memory
        assert "no more than 1000 samples" in writer.do("put 300")
        assert "no more than 1000 samples" in writer.do("put 300")
        bad.orders["sync_delay_ms"] = 0
        assert writer.do("end") == "done"
        while writer.do("commit") != "done":
            pass
        assert writer.do("leave") == "left"
    assert holds(writer.path, 1230)
    assert open_run(writer.path).state is State.SEALED


def test_a_disk_that_has_become_fast_again_gets_everything(folder: Path, bad: BadDisk) -> None:
    with child(folder, bad) as writer:
        writer.do(*GOOD)
        bad.orders["sync_delay_ms"] = 700
        assert writer.do("put 20", "note", "put 300", "put 300", "commit") == "done"
        bad.orders["sync_delay_ms"] = 0
        writer.do("end")
        assert writer.do("leave") == "left"
    assert holds(writer.path, 930)


def test_a_disk_that_fills_up_is_announced(folder: Path) -> None:
    with child(folder, low=1 << 60, fold_every=1) as writer:
        writer.do(*GOOD)
        writer.do("note", "commit")
        assert len(writer.warnings) == 1
        assert "MB left on this disk" in writer.warnings[0]


# --- real disks -------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """An ext4 of 12 MB."""
    image, mounted = tmp_path / "image", tmp_path / "mounted"
    image.write_bytes(bytes(12 << 20))
    mounted.mkdir()
    for command in (
        ["mkfs.ext4", "-q", "-e", "remount-ro", str(image)],
        ["mount", "-o", "loop", str(image), str(mounted)],
    ):
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("no loop devices for us here, so no real small disk")
    yield mounted
    subprocess.run(["umount", "-l", mounted], check=True)


def test_a_real_disk_that_is_full(small_disk: Path) -> None:
    with child(small_disk) as writer:
        writer.do(*GOOD)
        fill(small_disk)
        rows = 310
        while (answer := writer.do("put 500")) == "done":
            rows += 500
            assert rows < 1_000_000
            if (answer := writer.do("commit")) != "done":
                break
        assert "full" in answer
        assert "full" in writer.warnings[0]
        assert writer.do("end", "commit") == "done"
    run = open_run(writer.path)
    assert run.ended is not None
    assert run.rows >= rows
    assert holds(writer.path, run.rows)


def fill(folder: Path) -> None:
    with (folder / "fill").open("wb", buffering=0) as file:
        writing = iter(partial(file.write, bytes(4096)), 0)
        with pytest.raises(OSError, match="No space left"):
            deque(writing, maxlen=0)


def test_a_real_disk_that_becomes_read_only(small_disk: Path, fallback: Path) -> None:
    device = next(
        Path(line.split()[0]).name
        for line in Path("/proc/mounts").read_text().splitlines()
        if str(small_disk) in line.split()
    )
    trigger = Path("/sys/fs/ext4") / device / "trigger_fs_error"
    if not trigger.exists():
        pytest.skip("this kernel cannot pretend that a disk has failed")
    with child(small_disk, fallback=fallback) as writer:
        writer.do(*GOOD)
        trigger.write_text("1")
        assert writer.do("put 20", "commit", "end") == "done"
        writer.do("leave")
    assert holds(writer.path, 330, fallback)
    assert open_run(writer.path, fallback).ended is not None
