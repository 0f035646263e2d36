"""The computer: its disk, its clock, and what else on it may reach for the instruments."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hilcycler import disk
from hilcycler.clock import process_time, wall_clock
from hilcycler.doctor.verdicts import Checked, bad, fine, look
from hilcycler.quantities import Second, engineering

SLOW_SYNC: Final[Second] = 0.1
"""A journal commits once a second for each run, with four writers: beyond this, eight runs crowd."""
_SYNCS: Final = 20
_BLOCK: Final = bytes(4096)
_NOT_LOCAL: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "afs", "ceph"})
_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
_EARLIEST: Final[Second] = 1_735_689_600.0
"""2025-01-01: before this program was written, so a clock that shows less is wrong."""
_ASK_WITHIN: Final[Second] = 5.0


def examine_host(data: Path, low: int) -> Iterator[Checked]:
    """The data folder and its disk, the clock, systemd, and other programs that open serial ports."""
    yield from _folder(data)
    yield _free(data, low)
    yield _sync(data)
    yield _clock()
    yield _systemd()
    yield _rivals()


def _folder(data: Path) -> Iterator[Checked]:
    if not os.access(data, os.W_OK | os.X_OK):
        yield bad("data folder", f"{data}: cannot be written by this user")
        return
    mode = data.stat().st_mode & 0o777
    if mode & 0o002:
        yield look("data folder", f"{data}: everybody can write here (mode {mode:04o}; chmod o-w)")
    else:
        yield fine("data folder", f"{data} (mode {mode:04o})")
    kind = file_system(data)
    if kind in _NOT_LOCAL:
        yield bad("file system", f"{kind}: run files need a local disk; locks and logs fail over a network")
    elif kind in _IN_MEMORY:
        yield look("file system", f"{kind}: what is written here is gone when the computer restarts")
    elif kind:
        yield fine("file system", kind)


def file_system(path: Path) -> str:
    """The kind of file system that `path` is on; "" where the system does not say."""
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8", "replace")
    except OSError:
        return ""
    best, kind = "", ""
    for line in mounts.splitlines():
        _, at, what, *_ = line.split(" ")
        if Path(at) in (path, *path.parents) and len(at) >= len(best):
            best, kind = at, what
    return kind


def _free(data: Path, low: int) -> Checked:
    free = disk.free(data)
    found = f"{free / 1e9:.1f} GB free; the bench warns below {low / 1e9:.1f} GB"
    return fine("free space", found) if free >= low else bad("free space", found)


def _sync(data: Path) -> Checked:
    """How long the disk takes to keep a word, which is what every commit waits for."""
    took: list[Second] = []
    try:
        with tempfile.TemporaryFile(dir=data) as file:
            for _ in range(_SYNCS):
                file.write(_BLOCK)
                file.flush()
                began = process_time()
                os.fsync(file.fileno())
                took.append(process_time() - began)
    except OSError as error:
        return bad("fsync", f"{data}: {error.strerror}")
    found = f"{engineering(statistics.median(took), 's', 3)} median, {engineering(max(took), 's', 3)} worst of {_SYNCS}"
    return fine("fsync", found) if statistics.median(took) <= SLOW_SYNC else look("fsync", f"slow: {found}")


def _clock() -> Checked:
    if wall_clock() < _EARLIEST:
        return bad("clock", "shows a date before this program was written")
    match _said("timedatectl", "show", "--property=NTPSynchronized", "--value"):
        case "yes":
            return fine("clock", "synchronised")
        case "no":
            return look("clock", "not synchronised: dates of runs may be off (durations never are)")
        case _:
            return look("clock", "whether it is synchronised cannot be asked here")


def _systemd() -> Checked:
    if not Path("/run/systemd/system").is_dir():
        return look("systemd", "does not run here: nothing starts the service again after a power cut")
    known = _said("systemctl", "is-enabled", "hilcycler.service")
    if known in {"enabled", "static", "linked", "enabled-runtime"}:
        return fine("systemd", f"hilcycler.service is {known}")
    return look("systemd", "hilcycler.service is not enabled: nothing starts it after a power cut")


def _rivals() -> Checked:
    """ModemManager talks to every new serial port, which an instrument takes for commands."""
    try:
        names = [
            (each / "comm").read_text().strip() for each in Path("/proc").iterdir() if each.name.isdigit()
        ]
    except OSError:
        names = []  # one has ended while we looked, or there is no /proc
    if "ModemManager" in names:
        return look(
            "ModemManager", "runs, and speaks to new serial ports; disable it, or set ID_MM_DEVICE_IGNORE"
        )
    return fine("ModemManager", "does not run")


def _said(*command: str) -> str:
    """What a program of the system answers; "" if it is not there."""
    program = shutil.which(command[0])
    if program is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603  (our own fixed words)
            [program, *command[1:]], capture_output=True, text=True, timeout=_ASK_WITHIN, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
