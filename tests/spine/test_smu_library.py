"""Fault 27, in real processes: the library under VISA hangs, or takes the whole process with it.

A thread that hangs can be left behind; a crash cannot be caught. What is left then is the file, and an
instrument that holds its set-point until somebody resumes the run or walks up to it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import broken_library
import pytest
from spine import order

from hilcycler import registry
from hilcycler.journal import State, Verdict, open_run, verify
from hilcycler.links import SerialSettings
from hilcycler.links.address import connect
from hilcycler.links.loop import run
from hilcycler.records import Gap, OffState, Outcome
from hilcycler.service.foreground import go_on
from hilcycler_drivers.keithley.wire.models import MODELS
from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.instruments.keithley import KeithleyTwin
from hilcycler_simulators.instruments.keithley.firmware import Smu

TEXT = """
protocol: a half-cycle over VISA
safety: {voltage: -1 V to 1 V, current: -10 mA to 10 mA, charge: 2 mAh}
record: {every: 100 ms, decide every: 100 ms}
steps:
  - plate: {current: 1 mA, for: 8 s}
  - strip: {current: 1 mA, for: 1 s}
"""


def smu() -> KeithleyTwin:
    return KeithleyTwin(Smu(MODELS["2450"], catalogue.make("li-li/bn-pp", 1)))


async def host(how: str, resource: str, folder: Path) -> subprocess.CompletedProcess[str]:
    support = str(Path(broken_library.__file__).parent)
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, broken_library.__file__, how, resource, str(folder), TEXT],
        env={**os.environ, "PYTHONPATH": support},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_a_library_that_hangs_ends_the_run_with_the_output_off(tmp_path: Path) -> None:
    async def main() -> None:
        twin = smu()
        async with twin.listen("tcp://127.0.0.1:0") as address:
            done = await host("hang", f"TCPIP0::127.0.0.1::{address.rpartition(':')[2]}::SOCKET", tmp_path)
        assert done.stdout.split() == ["failed", "off"], done.stderr
        assert done.returncode == 0, "the process ends although a thread never does"
        assert not twin.energised

    run(main())
    (path,) = tmp_path.glob("*.run.sqlite")
    assert verify(path).verdict is Verdict.WHOLE


def test_a_library_that_crashes_leaves_a_whole_file_and_a_held_set_point(tmp_path: Path) -> None:
    async def main() -> None:
        twin = smu()
        async with twin.listen("tcp://127.0.0.1:0") as address:
            resource = f"TCPIP0::127.0.0.1::{address.rpartition(':')[2]}::SOCKET"
            done = await host("crash", resource, tmp_path)
            assert done.returncode == -signal.SIGSEGV, done.stdout + done.stderr
            (path,) = tmp_path.glob("*.run.sqlite")
            assert verify(path).verdict is Verdict.OPEN
            assert open_run(path).state is State.INTERRUPTED
            assert twin.energised, "that is what was consented to"
            wanted = replace(
                order(twin, connect(resource, SerialSettings()), tmp_path, TEXT),
                driver=registry.driver("keithley"),
            )
            performed = await go_on(path, wanted)
            assert (performed.ended.outcome, performed.ended.off) == (Outcome.COMPLETED, OffState.OFF)
            assert not twin.energised
            (gap,) = [each for each in open_run(path).events() if isinstance(each, Gap)]
            assert gap.charge_bound == pytest.approx(1e-3 * (gap.until - gap.since), rel=0.1)

    run(main())
