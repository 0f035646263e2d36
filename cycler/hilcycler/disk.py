"""What durable files ask of the file system beyond reading and writing."""

from __future__ import annotations

import os
import shutil
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

from hilcycler.errors import JournalError

try:
    import fcntl
except ImportError:  # Windows: untried
    fcntl = None  # type: ignore[assignment]

_FLOCK: Final = struct.Struct("@hhqqi")
"""struct flock of 64-bit Linux: type, whence, start, length, process."""


class Lock:
    """One writer a file: a lock that ends with the process that holds it.

    It lies beside the file it guards: closing any descriptor of a database file would drop the locks
    that SQLite itself holds on it. A lock file left behind by a dead process means nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> None:
        """JournalError, with the holder's process number, if somebody else has it."""
        try:
            while self._descriptor is None:
                self._try()
        except OSError as error:
            raise JournalError(f"{self._path}: cannot be locked: {error}") from error

    def release(self) -> None:
        """Let go, and leave nothing behind if the disk allows it. Idempotent."""
        if self._descriptor is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

    def _try(self) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            if not _try_lock(descriptor):
                holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
                raise JournalError(f"{self._path}: held by another writer (process {holder})")
            if _same_file(descriptor, self._path):  # else its last holder has just removed it
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
                self._descriptor = descriptor
        finally:
            if self._descriptor is None:
                os.close(descriptor)


def locked(path: Path) -> bool:
    """Whether a living process holds the lock at `path`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return _is_locked(descriptor)
    finally:
        os.close(descriptor)


def create(path: Path) -> None:
    """An empty new file, its name on disk. OSError if there is something of that name, even a link."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Names created in, or removed from, this folder are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free(path: Path) -> int:
    """Bytes that may still be written to the disk that holds `path`."""
    return shutil.disk_usage(path).free


def reserve(path: Path, size: int) -> None:
    """A file of `size` bytes that really occupy the disk, to be removed when it is full."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
        else:
            os.write(descriptor, bytes(size))
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    """Lock the open file, not the process: closing some other descriptor of it changes nothing."""
    if fcntl is None:
        return True
    try:
        if hasattr(fcntl, "F_OFD_SETLK"):
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _whole_file(fcntl.F_WRLCK))
        else:  # macOS: untried
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_locked(descriptor: int) -> bool:
    """Ask without locking, so that whoever asks is never in the way of a writer."""
    if fcntl is None:
        return False
    if hasattr(fcntl, "F_OFD_GETLK"):
        answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _whole_file(fcntl.F_WRLCK))
        return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)
    return not _try_lock(descriptor)


def _whole_file(kind: int) -> bytes:
    return _FLOCK.pack(kind, os.SEEK_SET, 0, 0, 0)


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False
