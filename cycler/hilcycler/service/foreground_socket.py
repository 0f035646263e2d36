"""Asking a run in the foreground, from another process of the same user, to stop or be made safe.

A Unix socket beside the run file, for its owner only; one line of JSON each way. Whoever may use it could
as well send the process a signal: a request differs by saying who asks, why, and what became of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from hilcycler.journal import run_path
from hilcycler.journal.names import SUFFIX as FILE
from hilcycler.records import OffState
from hilcycler.telemetry.commands import CommandRefused

SUFFIX: Final = ".control"
LONGEST: Final = 4096
PATIENCE: Final = 5.0
"""Seconds that a request may take to be sent, or an answer to be taken."""
ENDING: Final = 45.0
"""Seconds that a run may take to end with the output off."""

_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid: unix(7), SO_PEERCRED


class Requests:
    """`async with Requests(folder, run, stop)`: `stop(actor, reason)` is called when somebody asks.

    `made_safe`: who asked that nothing begin here afterwards. Tell `over` the state of the output at the
    end. Where no socket can be had there is none, and the run goes on as it would.
    """

    def __init__(self, folder: Path, run: str, stop: Callable[[str, str], None]) -> None:
        self._folder, self._name, self._stop = folder, f"{run}{SUFFIX}", stop
        self._stack = ExitStack()
        self._server: asyncio.Server | None = None
        self._answering: set[asyncio.Task[Any]] = set()
        self._off: asyncio.Future[OffState] = asyncio.get_running_loop().create_future()
        self.made_safe: str | None = None

    def over(self, off: OffState) -> None:
        """The run is over; whoever asked is told."""
        if not self._off.done():
            self._off.set_result(off)

    async def __aenter__(self) -> Self:
        try:
            bound = self._bind()
        except OSError:  # a file system or a platform without sockets
            return self
        self._server = await asyncio.start_unix_server(self._answer, sock=bound, limit=LONGEST)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        if not self._off.done():
            self._off.cancel()
        if self._answering:
            await asyncio.wait(self._answering, timeout=PATIENCE)
        self._stack.close()

    def _bind(self) -> socket.socket:
        where = self._stack.enter_context(_within(self._folder))
        path = f"{where}/{self._name}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # of a process that died: the run file is ours now  # noqa: PTH108
        bound = socket.socket(socket.AF_UNIX)
        try:
            os.fchmod(bound.fileno(), 0o600)  # before it has a name
            bound.bind(path)
        except OSError:
            bound.close()
            raise
        self._stack.callback(lambda: (self._folder / self._name).unlink(missing_ok=True))
        return bound

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._answering.add(task)
        try:
            said = await self._hear(reader, writer)
            async with asyncio.timeout(PATIENCE):
                writer.write(json.dumps(said).encode() + b"\n")
                await writer.drain()
        except (OSError, TimeoutError, ValueError, KeyError, TypeError, RecursionError):
            pass  # whoever asks badly, or goes away, is not answered
        finally:
            self._answering.discard(task)
            writer.close()

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> dict[str, Any]:
        peer = writer.get_extra_info("socket")
        _, uid, _ = _CREDENTIALS.unpack(
            peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        if uid not in {0, os.getuid()}:
            return {"refused": "this run is another user's"}
        async with asyncio.timeout(PATIENCE):
            asked = json.loads(await reader.readline())
        verb, actor, reason = (str(asked[key])[:400] for key in ("verb", "actor", "reason"))
        match verb:
            case "stop":
                pass
            case "safe":
                self.made_safe = actor
            case _:
                return {"refused": f"a run in the foreground cannot {verb}; it can stop, or be made safe"}
        self._stop(actor, reason)
        try:
            async with asyncio.timeout(ENDING):
                off = await asyncio.shield(self._off)
        except (TimeoutError, asyncio.CancelledError):
            return {"refused": f"told to stop, but not known to have ended within {ENDING:g} s"}
        return {"done": f"the run has ended, output {off.value.upper()}"}


class ForegroundRuns:
    """The runs in the foreground whose files are in `folder`, for whoever commands them.

    See hilcycler.telemetry.commands.Commanded. None of them can pause: they have no one to go on.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def pause(self, channel: str, run: str, actor: str, reason: str) -> str:  # noqa: ARG002
        """See Commanded."""
        return await self._ask("pause", run, actor, reason)

    async def stop(self, channel: str, run: str, actor: str, reason: str) -> str:  # noqa: ARG002
        """See Commanded."""
        return await self._ask("stop", run, actor, reason)

    async def safe(self, channel: str, run: str, actor: str, reason: str) -> str:  # noqa: ARG002
        """See Commanded."""
        return await self._ask("safe", run, actor, reason)

    async def _ask(self, verb: str, run: str, actor: str, reason: str) -> str:
        name = run_path(self._folder, run).name.removesuffix(FILE) + SUFFIX
        request = json.dumps({"verb": verb, "actor": actor, "reason": reason}).encode()
        try:
            with _within(self._folder) as where:
                async with asyncio.timeout(PATIENCE):
                    reader, writer = await asyncio.open_unix_connection(f"{where}/{name}", limit=LONGEST)
            try:
                async with asyncio.timeout(PATIENCE + ENDING + PATIENCE):
                    writer.write(request + b"\n")
                    await writer.drain()
                    answer = json.loads(await reader.readline())
            finally:
                writer.close()
        except (OSError, TimeoutError, ValueError) as error:
            raise CommandRefused(f"{verb}: nobody answers for run {run} ({type(error).__name__})") from None
        if "done" not in answer:
            raise CommandRefused(f"{verb}: {answer.get('refused')}")
        return str(answer["done"])


@contextlib.contextmanager
def _within(folder: Path) -> Iterator[str]:
    """A short path to `folder`: a socket's own may have 107 bytes."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
