"""A disk that misbehaves under a child process: bad_disk.c, built when a test asks for it, and its notes.

What it models. Errors, short writes and slow syncs happen in the calls that SQLite makes. A power cut:
whatever was synced is there; of what was written since the file's last sync, each 512-byte sector may be
there or not, in any combination, each change of a file's length and each name created or removed since
the folder's last sync as well. That is worse than a disk that reorders its cache, and than ext4.
"""

from __future__ import annotations

import functools
import mmap
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import pytest

ORDERS: Final = (
    "write_errno",
    "writes_left",
    "sync_errno",
    "syncs_left",
    "sync_delay_ms",
    "short",
    "after_failed_sync",
)
SECTOR: Final = 512

_HEAD = struct.Struct("<qqqq")


@functools.cache
def library() -> Path:
    """The shared library, built once a session; skips the test where there is no compiler for it."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("no C compiler on Linux here, so no bad disk")
    source = Path(__file__).with_name("bad_disk.c")
    built = Path(tempfile.mkdtemp(prefix="bad-disk-")) / "bad_disk.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", built, source, "-ldl"], check=True)
    return built


class Orders:
    """What the disk is to do, changed while the child runs; see bad_disk.c."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(8 * len(ORDERS)))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)

    def __setitem__(self, name: str, value: int) -> None:
        struct.pack_into("<q", self._memory, 8 * ORDERS.index(name), value)

    def __getitem__(self, name: str) -> int:
        value: int = struct.unpack_from("<q", self._memory, 8 * ORDERS.index(name))[0]
        return value


class BadDisk:
    """Under the run files in `folder`; `environment` is for the child that is to have it."""

    def __init__(self, folder: Path, beside: Path) -> None:
        self.notes = beside / "notes"
        self.orders = Orders(beside / "orders")
        self.environment = {
            **os.environ,
            "LD_PRELOAD": str(library()),
            "BAD_DISK_FOLDER": str(folder),
            "BAD_DISK_ORDERS": str(beside / "orders"),
            "BAD_DISK_NOTES": str(self.notes),
        }


class Note(NamedTuple):
    """Something that reached the kernel: c(reated), w(ritten), t(runcated), s(ynced), u(nlinked)."""

    kind: str
    path: Path
    offset: int
    data: bytes


def read_notes(path: Path) -> Iterator[Note]:
    """What was noted, in order."""
    data = path.read_bytes()
    at = 0
    while at < len(data):
        kind, name, offset, size = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        where = Path(os.fsdecode(data[at : at + name]))
        yield Note(chr(kind), where, offset, data[at + name : at + name + size])
        at += name + size


@dataclass
class _File:
    durable: bytearray = field(default_factory=bytearray)
    since: list[Note] = field(default_factory=list)
    name: str = "pending"  # durable, pending, or removed: whether its name outlives the power


class PowerCut:
    """The disk, note by note; at any moment, what a power cut would leave of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Path, _File] = {}

    def take(self, note: Note) -> None:
        """The next thing that reached the kernel."""
        if note.path == self._folder:
            for path, file in list(self._files.items()):
                if file.name == "removed":
                    del self._files[path]
                file.name = "durable"
            return
        match note.kind:
            case "c":
                self._files[note.path] = _File()
            case "u":
                self._files[note.path].name = "removed"
            case "s":
                file = self._files[note.path]
                for each in file.since:
                    _apply(file.durable, each)
                file.since.clear()
            case _:
                self._files.setdefault(note.path, _File()).since.append(note)

    def leave(self, where: Path, chance: random.Random) -> None:
        """Write into the folder `where` what is left when the power goes now."""
        for path, file in self._files.items():
            if file.name != "durable" and chance.random() < 0.5:
                continue
            content = bytearray(file.durable)
            for each in file.since:
                for part in _torn(each, chance):
                    _apply(content, part)
            (where / path.name).write_bytes(content)


def _apply(content: bytearray, note: Note) -> None:
    if note.kind == "t":
        del content[note.offset :]
        content.extend(bytes(note.offset - len(content)))
        return
    content.extend(bytes(max(0, note.offset - len(content))))
    content[note.offset : note.offset + len(note.data)] = note.data


def _torn(note: Note, chance: random.Random) -> Iterator[Note]:
    """What of a write that was not synced is there: all of it, nothing, or some sectors."""
    mood = chance.random()
    if note.kind == "t" or mood < 0.4:
        if chance.random() < 0.5:
            yield note
        return
    start = 0
    while start < len(note.data):
        stop = min(len(note.data), start + SECTOR - (note.offset + start) % SECTOR)
        if chance.random() < 0.5:
            yield note._replace(offset=note.offset + start, data=note.data[start:stop])
        start = stop
