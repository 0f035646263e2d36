"""What the service promises of its cost: `cycler bench service`.

The instruments are simulated in a process of their own, behind real TCP sockets; the service is the real
command in a process of its own; the clients are threads of this one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from hilcycler.clock import process_time
from hilcycler.control.client import Client, new_key
from hilcycler.errors import CyclerError
from hilcycler.journal import open_run
from hilcycler.records import Gap
from hilcycler.service.desk import Command, Verb
from hilcycler.service.request import RunRequest
from hilcycler_simulators.smu_benchmarks import _instruments

PROTOCOL = """
protocol: 10 Hz
safety: {voltage: -1 V to 1 V, current: -10 mA to 10 mA, charge: 100 mAh}
record: {every: 100 ms, decide every: 100 ms}
steps:
  - repeat: 1000
    steps:
      - plate: {current: 1 mA, for: 60 s}
      - strip: {current: 1 mA, for: 60 s}
"""
CELL = {"name": "twin", "working": {"material": "Li"}, "counter": {"material": "Li"}, "area": 1e-4}


def service(*, full: bool) -> list[dict[str, Any]]:
    """8 channels at 10 Hz with one client, 64 with five: CPU and memory of the whole service, and rows lost."""
    seconds = 120.0 if full else 20.0
    return [_measured(8, 1, seconds, (0.08, 130.0)), _measured(64, 5, seconds, (0.40, 300.0))]


def _measured(channels: int, clients: int, seconds: float, promised: tuple[float, float]) -> dict[str, Any]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = stack.enter_context(_instruments(channels))
        process = stack.enter_context(_served(_bench(folder, ports)))
        data = folder / "data"
        _until_reconciled(data, process)
        with Client(data, acting=True) as client:
            request = RunRequest(protocol=PROTOCOL, cell=CELL, check_cell=False)
            for each in client.status().channels:
                client.ask(each.channel, Verb.START, Command(key=new_key(), request=request))
            while any(each.rows < 50 for each in client.status().channels):
                threading.Event().wait(0.5)
        for _ in range(clients):
            threading.Thread(target=_look, args=(data,), daemon=True).start()
        threading.Event().wait(2.0)
        before, began, rows = _cpu(process.pid), process_time(), _rows(data)
        threading.Event().wait(seconds)
        used, lasted, more = _cpu(process.pid) - before, process_time() - began, _rows(data) - rows
        resident = _resident(process.pid)
        gaps = sum(
            isinstance(each, Gap) for path in data.glob("*.run.sqlite") for each in open_run(path).events()
        )
    return {
        "channels": channels,
        "clients": clients,
        "seconds": round(lasted, 1),
        "rows expected": round(10 * channels * lasted),
        "rows": more,
        "gaps": gaps,
        "CPU, cores": round(used / lasted, 3),
        "RSS MB": round(resident, 1),
        "promised": f"{promised[0]:g} cores, {promised[1]:g} MB",
    }


@contextmanager
def _served(bench: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", "hilcycler", "serve", "--bench", str(bench)])  # noqa: S603
    try:
        yield process
    finally:
        process.terminate()
        process.wait(90)


def _bench(folder: Path, ports: list[int]) -> Path:
    lines = ['name = "measured"', f'data = "{folder / "data"}"', "[envelope]"]
    lines += ['voltage = "-1 V to 1 V"', 'current = "-10 mA to 10 mA"', 'charge = "1 Ah"']
    for number, port in enumerate(ports, start=1):
        lines += [f"[instruments.i{number}]", 'driver = "keithley"', f'address = "tcp://127.0.0.1:{port}"']
        lines += [f"[channels.c{number}]", f'instrument = "i{number}"']
    path = folder / "bench.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _until_reconciled(data: Path, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            with Client(data) as client:
                if client.status().reconciled:
                    return
        except CyclerError:
            pass
        threading.Event().wait(0.2)
    raise CyclerError("the service ended by itself")


def _look(data: Path) -> None:
    """A client: the stream of the bench, for as long as there is one."""
    try:
        with Client(data) as client:
            for _ in client.events():
                pass
    except CyclerError:
        pass


def _rows(data: Path) -> int:
    with Client(data) as client:
        return sum(each.rows for each in client.status().channels)


def _cpu(pid: int) -> float:
    """Seconds of CPU that the process has used, its own and the system's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024.0
    return float("nan")
