"""One owner: of a data folder, and of an instrument, whichever program and whichever user it is.

Locks end with the process that holds them; a file left behind by a dead one means nothing.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hilcycler import disk
from hilcycler.errors import JournalError, RequestError

NAME: Final = "service.lock"
_FOLDERS: Final = (Path("/run/lock"), Path(tempfile.gettempdir()))


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the data folder for one service. RequestError, with the holder, if there is another."""
    with _held(folder / NAME, f"a service runs on {folder} already"):
        yield


def refuse_beside_a_service(folder: Path) -> None:
    """RequestError if a service runs on this data folder: it is to be asked, not passed by."""
    if disk.locked(folder / NAME):
        raise RequestError(f"a service runs on {folder}; ask it: cycler start CHANNEL PROTOCOL")


@contextmanager
def instrument_lock(address: str) -> Iterator[None]:
    """Hold the instrument at `address` against every other program of ours. RequestError."""
    with _held(_path(address), f"{address} is in use by another program of ours"):
        yield


@contextmanager
def alone(address: str, folder: Path) -> Iterator[None]:
    """For a run in the foreground: no service on the data folder, and the instrument for itself. RequestError."""
    refuse_beside_a_service(folder)
    with instrument_lock(address):
        yield


def _path(address: str) -> Path:
    """The same for every name of one device: what a link in /dev/serial/by-id leads to."""
    where = os.path.realpath(address) if address.startswith("/") else address.casefold()
    name = hashlib.sha256(where.encode()).hexdigest()[:24]
    folder = next((each for each in _FOLDERS if os.access(each, os.W_OK)), _FOLDERS[-1])
    return folder / f"hilcycler-{name}.lock"


@contextmanager
def _held(path: Path, taken: str) -> Iterator[None]:
    lock = disk.Lock(path)
    try:
        lock.take()
    except JournalError as error:
        raise RequestError(f"{taken}: {error}") from None
    try:
        yield
    finally:
        lock.release()
