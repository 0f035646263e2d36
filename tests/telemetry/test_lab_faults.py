"""A run goes on while everything around it fails, at times drawn from a seed; afterwards nothing is missing.

Real Mosquitto (TLS), real PostgreSQL, publisher and ingester as processes of their own. More seeds and
longer runs: `LAB_SEEDS=10 LAB_ROUNDS=10 pytest tests/telemetry/test_lab_faults.py -s`. What an outage costs the
control loop is measured by `cycler bench outage`.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from lab_servers import (
    MOSQUITTO,
    POSTGRES,
    Mosquitto,
    Postgres,
    cycler,
    memory_of,
    need,
    pass_time,
    tls,
    until,
)

from hilcycler.errors import CyclerError
from hilcycler.ingest.check import Comparison, check
from hilcycler.ingest.live_run import LiveRun

SEEDS = range(int(os.environ.get("LAB_SEEDS", "1")))
ROUNDS = int(os.environ.get("LAB_ROUNDS", "5"))
BACKLOG = 16e6
"""Bytes of memory that an outage may cost the publisher."""


class Lab:
    """Everything that can fail."""

    def __init__(self, folder: Path, certificates: Path) -> None:
        self.certificates = certificates
        (folder / "passwords").write_text("")
        (folder / "passwords").chmod(0o600)
        self.refusing = (*tls(certificates, "good"), f"password_file {folder}/passwords")
        self.open = (*tls(certificates, "good"), "allow_anonymous true")
        self.expired = (*tls(certificates, "expired"), "allow_anonymous true")
        self.broker = Mosquitto(folder, *self.open).start()
        self.database = Postgres().start()

    def close(self) -> None:
        self.broker.kill()
        self.database.remove()

    def killed(self, length: float) -> None:
        self.broker.kill()
        pass_time(length)
        self.broker.start()

    def frozen(self, length: float) -> None:
        self.broker.freeze()
        pass_time(length)
        self.broker.thaw()

    def refused(self, length: float) -> None:
        self._under(self.refusing, length)

    def expired_certificate(self, length: float) -> None:
        self._under(self.expired, length)

    def _under(self, lines: tuple[str, ...], length: float) -> None:
        self.broker.kill()
        self.broker.configure(*lines)
        self.broker.start()
        pass_time(length)
        self.broker.kill()
        self.broker.configure(*self.open)
        self.broker.start()

    def database_stopped(self, length: float) -> None:
        self.database.stop()
        pass_time(length)
        self.database.start()

    @property
    def faults(self) -> list[Callable[[float], None]]:
        return [self.killed, self.frozen, self.refused, self.expired_certificate, self.database_stopped]


@pytest.mark.timeout(60 + 20 * ROUNDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_after_every_outage_each_row_is_there_exactly_once(
    seed: int, tmp_path: Path, runs: Path, certificates: Path
) -> None:
    need(MOSQUITTO, POSTGRES)
    rng = random.Random(seed)
    lab = Lab(tmp_path, certificates)
    with ExitStack() as stack:
        stack.callback(lab.close)
        database = lab.database.database("lab")
        authority = ("--ca", certificates / "ca.pem", "--timeout", "1.5")
        reach = ("--broker", f"mqtts://localhost:{lab.broker.port}", *authority)
        log = tmp_path / "cycler.log"
        stack.enter_context(cycler("ingest", "--database", database, *reach, log=log))
        told = ("--data", runs, "--site", "lab", "--bench", "1", "--no-results")
        publisher = stack.enter_context(cycler("publish", *told, *reach, log=log))
        with LiveRun(runs) as live:
            until("publisher connected", lambda: "connected" in log.read_text())
            pass_time(2.0)
            calm = len(live.late)
            memory = memory_of(publisher)
            most = memory
            order = lab.faults
            rng.shuffle(order)
            for number in range(ROUNDS):
                order[number % len(order)](rng.uniform(0.4, 2.5))
                pass_time(rng.uniform(0.0, 2.0))
                most = max(most, memory_of(publisher))
        compared: list[Comparison] = []

        def stored() -> bool:
            try:
                compared[:] = asyncio.run(check(live.path, database))
            except CyclerError:
                return False
            return all(each.equal for each in compared)

        until("everything stored", stored, patience=40.0, every=0.5)
        most = max(most, memory_of(publisher))
    rows, spectra, events = compared
    late = 1e3 * np.array(live.late)
    print(
        f"\nseed {seed}: {rows.database} rows, {spectra.database} points of spectra,"
        f" {events.database} events, each once, after {', '.join(each.__name__ for each in order)};"
        f" publisher memory +{(most - memory) / 1e6:.1f} MB;"
        f" lateness of a block p50/p99 {np.percentile(late[:calm], 50):.2f}/{np.percentile(late[:calm], 99):.2f} ms"
        f" before, {np.percentile(late[calm:], 50):.2f}/{np.percentile(late[calm:], 99):.2f} ms during the outages"
    )
    assert rows.database == live.rows
    assert spectra.database
    assert events.database
    assert most - memory < BACKLOG
