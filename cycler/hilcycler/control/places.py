"""Where a service is found: two sockets, bound by ourselves, and a note in the data folder that says where."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from hilcycler.bench_file import Bench
from hilcycler.errors import RequestError

NOTE: Final = "service.json"
CONTROL: Final = "control.sock"
VIEW: Final = "view.sock"
BACKLOG: Final = 64


@dataclass(frozen=True, slots=True)
class Places:
    """The folder of the sockets, and whose they are."""

    bench: str
    folder: str
    pid: int


@contextmanager
def bound(bench: Bench) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The view and the control socket of `bench`, listening; gone afterwards. RequestError.

    Only the owner may use them, or the groups that the bench names. The caller holds the data folder, so
    a socket that is there already is of a service that died.
    """
    folder = bench.control.folder or bench.data
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        with ExitStack() as stack:
            view = stack.enter_context(_bound(folder, VIEW, bench.control.viewers))
            control = stack.enter_context(_bound(folder, CONTROL, bench.control.operators))
            note = bench.data / NOTE
            _write(note, json.dumps(asdict(Places(bench.name, str(folder), os.getpid()))))
            stack.callback(note.unlink, missing_ok=True)
            yield view, control
    except OSError as error:
        raise RequestError(
            f"{folder}: the control sockets cannot be made: {error.strerror or error}"
        ) from error


@contextmanager
def _bound(folder: Path, name: str, group: str | None) -> Iterator[socket.socket]:
    with within(folder) as short:
        path = f"{short}/{name}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108  (relative to an open folder, which pathlib cannot)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            os.fchmod(made.fileno(), 0o600)  # before it has a name: never open to others, not for a moment
            made.bind(path)
            if group is not None:
                try:
                    shutil.chown(path, group=group)
                except LookupError:
                    raise RequestError(f"bench file: there is no group {group!r} on this machine") from None
            os.chmod(path, 0o660 if group is not None else 0o600)  # noqa: PTH101
            made.listen(BACKLOG)
            made.setblocking(False)
            yield made
        finally:
            made.close()
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108


def _write(note: Path, text: str) -> None:
    """Make the note anew; what was there, even a link, is replaced and not followed."""
    note.unlink(missing_ok=True)
    descriptor = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def places(data: Path) -> Places:
    """Where the service of this data folder is. RequestError if none runs."""
    try:
        found = Places(**json.loads((data / NOTE).read_text()))
    except (OSError, ValueError, TypeError):
        raise RequestError(f"no service runs on {data}; start one: cycler serve --bench bench.toml") from None
    return found


@contextmanager
def within(folder: Path) -> Iterator[str]:
    """A short path to `folder`: a socket's own may have 107 bytes."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
