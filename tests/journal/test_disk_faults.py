"""Disks that fail, fill up, or take their time: the data is kept or the run is told, in plain words.

A child process writes; bad_disk stands between its SQLite and the kernel. For real disks see
test_real_disks.py.
"""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from bad_disk import BadDisk
from journal_children import RUN
from writing_child import GOOD, child, holds

from hilcycler.journal import State, Verdict, open_run, verify
from hilcycler.journal.names import segment_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def bad(tmp_path: Path, folder: Path) -> BadDisk:
    return BadDisk(folder, tmp_path)


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
