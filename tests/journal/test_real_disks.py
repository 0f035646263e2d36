"""Real disks of a few megabytes that are full or fail. Needs root and loop devices.

Where there are none (an unprivileged container) these are not collected, and the report's header says
so; test_disk_faults.py holds the same promises on disks that are only said to be bad.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from small_disk import error_trigger, mounted_disk
from writing_child import GOOD, child, holds

from hilcycler.journal import open_run


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted_disk(tmp_path) as mounted:
        yield mounted


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
    with child(small_disk, fallback=fallback) as writer:
        writer.do(*GOOD)
        error_trigger(small_disk).write_text("1")
        assert writer.do("put 20", "commit", "end") == "done"
        writer.do("leave")
    assert holds(writer.path, 330, fallback)
    assert open_run(writer.path, fallback).ended is not None
