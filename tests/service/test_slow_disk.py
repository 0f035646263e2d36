"""While every fsync takes 5 s: switching off is as fast as ever, and nothing is energised before it is durable.

The disk is that of tests/support/bad_disk.py, under a whole service in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import slow_disk_child
from bad_disk import BadDisk
from service_bench import bench_file, simulators

EACH = 8


@pytest.mark.timeout(180)
def test_switching_off_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    bad = BadDisk(tmp_path / "data", tmp_path)
    with simulators([("keithley-2450", "tcp")] * (2 * EACH + 1), tmp_path / "log") as addresses:
        places = {f"c{at}": ("keithley", address) for at, address in enumerate(addresses)}
        command = [sys.executable, slow_disk_child.__file__, str(bench_file(tmp_path, places))]
        done = subprocess.run(
            [*command, str(tmp_path / "orders"), "5000"],
            env=bad.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    (usual, _, offs), (slow, worst, slow_offs) = told["medians"]
    assert offs >= EACH
    assert slow_offs >= EACH, "an output waited for the disk"
    # A fifth, and what the clock of a busy machine cannot tell apart.
    assert slow <= 1.2 * usual + 2e-3, told
    assert worst < 0.5, told
    # The queue, the file, its header, the step: each of them is on disk before the output is on.
    assert told["on after"] > 3 * 0.7, told
    print(f"sample to OFF: {usual * 1e3:.2f} ms, with fsync 5 s {slow * 1e3:.2f} ms (median of {EACH})")
