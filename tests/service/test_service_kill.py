"""kill -9 of the whole service, at random instants, under load: nothing acknowledged is lost or doubled.

Eight channels: EmStat and Keithley twins in a process of their own, on ptys and on TCP, in real time. After
every kill each run file must verify and hold what had been promised; every hole in a step's samples must be
declared; and the simulators' own log must show no cell outside the bench's limits while an output was on.
`HILCYCLER_SERVICE_KILLS=200 pytest tests/service/test_service_kill.py` is the whole measure.
"""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from service_bench import LIMIT, Hosted, bench_file, outputs, simulators

from hilcycler.clock import process_time
from hilcycler.control.client import Client, command_for, new_key
from hilcycler.errors import RequestError
from hilcycler.journal import Run, State, Verdict, open_run, verify
from hilcycler.journal.beginning import never_begun
from hilcycler.records import Gap, OffState, OperatorAction, Resumed, StepEnded, StepStarted
from hilcycler.service.desk import Command, Verb
from hilcycler.service.request import RunRequest

KILLS = int(os.environ.get("HILCYCLER_SERVICE_KILLS", "20"))
RECONCILED_WITHIN = 10.0
PERIOD = 0.1
KINDS = [
    ("emstat4-hr", "pty"),
    ("emstat4-hr", "pty"),
    ("emstat4-hr", "tcp"),
    ("emstat4-hr", "tcp"),
    ("keithley-2450", "pty"),
    ("keithley-2450", "pty"),
    ("keithley-2450", "tcp"),
    ("keithley-2450", "tcp"),
]
PROTOCOL = """
protocol: short half-cycles, in real time
safety: {voltage: -1 V to 1 V, current: -10 mA to 10 mA, charge: 2 mAh}
record: {every: 100 ms, decide every: 100 ms}
steps:
  - repeat: 100000
    steps:
      - plate: {current: 1 mA, for: 1700 ms}
      - strip: {current: 1 mA, for: 1700 ms}
"""


@pytest.mark.timeout(90 + 6 * KILLS)
def test_killed_services_come_back(tmp_path: Path) -> None:
    chance = random.Random(20261120)
    log = tmp_path / "simulators.log"
    took: list[float] = []
    with simulators(KINDS, log) as addresses:
        bench = bench_file(tmp_path, instruments(addresses))
        data = tmp_path / "data"
        promised: dict[str, tuple[int, int]] = {}
        seen: dict[str, int] = {}
        for number in range(KILLS):
            began = process_time()
            with Hosted(bench) as service:
                with Client(data, acting=True) as client:
                    service.until(lambda: client.status().reconciled)
                    took.append(process_time() - began)
                    if number == 0:
                        start_all(client)
                    asked_meanwhile(client, chance)
                service.live(chance.uniform(0.0, 1.2))
                service.kill()
                promised = {**promised, **service.promised}
            for path in sorted(data.glob("*.run.sqlite")):
                judge(path, promised, seen)
        with Hosted(bench) as service, Client(data, acting=True) as client:
            service.until(lambda: client.status().reconciled)
            assert all(each.run for each in client.status().channels), client.status()
            try:
                for each in client.status().channels:
                    if each.state != "parked":
                        client.ask(each.channel, Verb.STOP, command_for(each, reason="done"))
            except RequestError:
                os.kill(service.pid, signal.SIGUSR1)  # it says on its standard error where it hangs
                service.live(1.0)
                raise
            assert service.terminate() == 0
    for path in sorted(data.glob("*.run.sqlite")):
        declared(open_run(path))
    assert outside(log) == []
    print(
        f"{KILLS} kills of 8 channels; from the start of the process to all reconciled: "
        f"median {statistics.median(took):.2f} s, slowest {', '.join(f'{each:.2f}' for each in sorted(took)[-3:])} s; "
        f"load average {os.getloadavg()[0]:.1f}"
    )
    # The slowest is for whoever reads: on a machine that others load it says more of them.
    assert statistics.median(took) < RECONCILED_WITHIN


def instruments(addresses: list[str]) -> dict[str, tuple[str, str]]:
    return {
        f"c{at}": (model.partition("-")[0].replace("emstat4", "emstat"), address)
        for at, ((model, _), address) in enumerate(zip(KINDS, addresses, strict=True), start=1)
    }


def start_all(client: Client) -> None:
    cell = {"name": "twin", "working": {"material": "Li"}, "counter": {"material": "Li"}, "area": 1e-4}
    request = RunRequest(protocol=PROTOCOL, cell=cell, check_cell=False)
    for each in client.status().channels:
        client.ask(each.channel, Verb.START, Command(actor="ada", key=new_key(), request=request))


def asked_meanwhile(client: Client, chance: random.Random) -> None:
    """Somebody pauses a channel or lets it go on, now and then; being late is no fault.

    Two of the eight: after a pause a minute of open circuit comes first, and no life here is that long.
    """
    asked_for = [each for each in client.status().channels if each.channel in {"c1", "c5"}]
    for each in chance.sample(asked_for, 1):
        verb = {"running": Verb.PAUSE, "parked": Verb.RESUME}.get(each.state)
        if verb is not None:
            with suppress(RequestError):
                client.ask(each.channel, verb, command_for(each, actor="ada", reason="to see"))


def judge(path: Path, promised: dict[str, tuple[int, int]], seen: dict[str, int]) -> None:
    """The file is whole without repair, and holds what was promised and what was there before."""
    name = path.name.partition(".")[0]
    if never_begun(path):
        assert name not in promised
        return
    found = verify(path)
    assert found.verdict is Verdict.OPEN, found.detail
    run = open_run(path)
    assert run.state is State.INTERRUPTED
    rows, _ = promised.get(name, (0, 0))
    assert run.rows >= rows, f"{name}: {rows} rows were promised, {run.rows} are there"
    assert run.rows >= seen.get(name, 0)
    seen[name] = run.rows


def declared(run: Run) -> None:
    """No row twice, no step twice, and no hole in a step that is not declared."""
    events = run.events()
    counts = [each.step_count for each in events if isinstance(each, StepStarted)]
    assert counts == sorted(set(counts))
    ended = [each.step_count for each in events if isinstance(each, StepEnded)]
    assert len(ended) == len(set(ended))
    parked = any(isinstance(each, OperatorAction) and each.verb == "parked" for each in events)
    assert parked or any(isinstance(each, Resumed) for each in events), "killed, and says nothing of it"
    columns = run.columns()
    time, step = columns["test_time"], columns["step_count"]
    assert (np.diff(time) > 0.0).all(), "rows are doubled or out of order"
    gaps = [each for each in events if isinstance(each, Gap)]
    holes = np.flatnonzero((np.diff(step) == 0) & (np.diff(time) > 5.0 * PERIOD))
    for at in holes:
        before, after = float(time[at]), float(time[at + 1])
        assert any(each.since <= before + 1e-6 and each.until >= after - 10.0 * PERIOD for each in gaps), (
            before,
            after,
            gaps,
        )


def outside(log: Path) -> list[tuple[float, int, float]]:
    """When, which and how far: cells outside the limits on an instrument whose output was on."""
    found = []
    for line in log.read_text().splitlines():
        now, seen = json.loads(line)
        found += [(now, at, v) for at, (on, v) in enumerate(seen) if on and not abs(v) <= LIMIT]
    return found


def test_what_is_off_at_the_end(tmp_path: Path) -> None:
    """SIGTERM parks every run with its output off, and the next service lets it go on."""
    log = tmp_path / "simulators.log"
    with simulators([KINDS[0], KINDS[6]], log) as addresses:
        kinds = {"c1": ("emstat", addresses[0]), "c2": ("keithley", addresses[1])}
        bench, data = bench_file(tmp_path, kinds), tmp_path / "data"
        with Hosted(bench) as service, Client(data, acting=True) as client:
            service.until(lambda: client.status().reconciled)
            start_all(client)
            service.until(lambda: all(each.rows >= 5 for each in client.status().channels))
            assert service.terminate() == 0
        runs = [open_run(path) for path in sorted(data.glob("*.run.sqlite"))]
        for run in runs:
            assert run.state is State.INTERRUPTED
            last = run.events()[-1]
            assert last.kind == "operator-action"
            assert (last.verb, last.actor, last.detail["output"]) == ("parked", "service", OffState.OFF.value)
        assert outputs(log) == [False, False]
        with Hosted(bench) as service, Client(data, acting=True) as client:
            service.until(lambda: client.status().reconciled)
            service.until(lambda: all(each.state == "running" for each in client.status().channels))
