"""`cycler bench outage`: what trouble with the network costs the control loop.

The publisher is a process of its own that reads the journals which the loop writes. The broker is killed,
frozen and started again while channels are driven into a limit, as in `cycler bench limit`.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from hilcycler.ingest.servers import Mosquitto, cycler, until
from hilcycler_simulators.smu_benchmarks import limit_row

PROMISED = (2.0, 10.0)


def outage(*, full: bool) -> list[dict[str, Any]]:
    """From a sample beyond a limit to the OFF, as in `limit`: no publisher, one at work, one in trouble."""
    trips = 20_000 if full else 1500
    return [
        limit_row("no publisher", trips, PROMISED),
        limit_row("a publisher at work", trips, PROMISED, _at_work),
        limit_row("its broker killed and frozen in turn", trips, PROMISED, _in_trouble),
    ]


@contextmanager
def _at_work(runs: Path) -> Iterator[None]:
    with _publishing(runs):
        yield


@contextmanager
def _in_trouble(runs: Path) -> Iterator[None]:
    with _publishing(runs) as broker:
        over = threading.Event()
        trouble = threading.Thread(target=_break, args=(broker, over))
        trouble.start()
        try:
            yield
        finally:
            over.set()
            trouble.join()


@contextmanager
def _publishing(runs: Path) -> Iterator[Mosquitto]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = Mosquitto(folder)
        stack.callback(broker.kill)
        broker.start()
        told = ("--data", runs, "--site", "lab", "--bench", "1", "--no-results", "--timeout", "1.5")
        log = folder / "log"
        stack.enter_context(cycler("publish", *told, "--broker", broker.url, log=log))
        until("publisher connected", lambda: "connected" in log.read_text())
        yield broker


def _break(broker: Mosquitto, over: threading.Event) -> None:
    """Two seconds well, two seconds dead, two seconds well, two seconds frozen."""
    while not over.wait(2.0):
        broker.kill()
        over.wait(2.0)
        broker.start()
        if over.wait(2.0):
            return
        broker.freeze()
        over.wait(2.0)
        broker.thaw()
