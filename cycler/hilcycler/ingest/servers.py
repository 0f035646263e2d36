"""A lab's servers for trials: real Mosquitto and real PostgreSQL on free loopback ports, in temporary folders.

They can be killed, frozen and started again on the same port. PostgreSQL refuses to run as root, so it
runs as `nobody` then. Used by the benchmarks and by the tests.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import psycopg

from hilcycler.clock import process_time
from hilcycler.errors import RequestError

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)), None)
CYCLER = (sys.executable, "-m", "hilcycler")


def needed(found: str | Path | None, package: str) -> str:
    """The program; RequestError where it is not installed."""
    if found is None:
        raise RequestError(f"{package} is not installed (apt-get install {package})")
    return str(found)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A process that can be killed, frozen, thawed and started again."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    def freeze(self) -> None:
        self._tell(signal.SIGSTOP)

    def thaw(self) -> None:
        self._tell(signal.SIGCONT)

    def kill(self) -> None:
        self._tell(signal.SIGKILL)
        self._wait()

    def stop(self) -> None:
        self._tell(signal.SIGCONT)
        self._tell(signal.SIGTERM)
        self._wait()

    def _tell(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def _wait(self) -> None:
        if self.process is not None:
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def until(what: str, is_so: Callable[[], object], patience: float = 20.0, every: float = 0.05) -> None:
    """Return as soon as it is so; TimeoutError after `patience` seconds."""
    ending, never = process_time() + patience, threading.Event()
    while not is_so():
        if process_time() > ending:
            raise TimeoutError(f"after {patience:g} s still not: {what}")
        never.wait(every)


def pass_time(seconds: float) -> None:
    """Let real processes work for a while."""
    threading.Event().wait(seconds)


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


class Mosquitto(Server):
    """A broker without persistence: killed, it forgets everything it has confirmed."""

    def __init__(self, folder: Path, *lines: str, before: Iterable[str] = ()) -> None:
        super().__init__()
        self.port = free_port()
        self.folder, self._before = folder, tuple(before)
        self.config = folder / f"mosquitto-{self.port}.conf"
        self.configure(*lines or ("allow_anonymous true",))

    def configure(self, *lines: str) -> None:
        text = [*self._before, f"listener {self.port} 127.0.0.1", "user root", *lines]
        self.config.write_text("\n".join(text) + "\n")

    def start(self) -> Self:
        command = [needed(MOSQUITTO, "mosquitto"), "-v", "-c", str(self.config)]
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603
        until("broker listens", lambda: listens(self.port), every=0.02)
        return self

    @property
    def url(self) -> str:
        return f"mqtt://localhost:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "mosquitto.log").read_text()


class Postgres(Server):
    """A database cluster; `database(name)` makes an empty database in it."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="cycler-postgres-"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self._program = Path(needed(POSTGRES, "postgresql"))
        subprocess.run(  # noqa: S603
            [
                self._program.with_name("initdb"),
                "--pgdata",
                self.folder / "data",
                "--username=lab",
                "--auth=trust",
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C",
            ],
            check=True,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            **self._as,
        )

    def start(self) -> Self:
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "shared_buffers": "64MB",
        }
        command: list[str | Path] = [self._program, "-D", self.folder / "data"]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                command, stdout=log, stderr=log, cwd=self.folder, **self._as
            )
        until("PostgreSQL answers", self._ready)
        return self

    def _ready(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url("postgres")):
            return True
        return False

    def kill(self) -> None:
        """As a crash: every process of the cluster ends at once and recovers when started again."""
        self._tell(signal.SIGQUIT)
        self._wait()

    def stop(self) -> None:
        self._tell(signal.SIGINT)
        self._wait()

    def url(self, database: str) -> str:
        return f"postgresql://lab@127.0.0.1:{self.port}/{database}"

    def database(self, name: str) -> str:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def cycler(*arguments: str | Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`cycler ARGUMENTS` in the background, ended with SIGTERM."""
    with log.open("ab") as file:
        process = subprocess.Popen([*CYCLER, *map(str, arguments)], stdout=file, stderr=file)  # noqa: S603
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def memory_of(process: subprocess.Popen[bytes]) -> int:
    """Resident bytes of a process."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
