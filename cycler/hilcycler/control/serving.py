"""The HTTP server under the control API: uvicorn on sockets that are ours, knowing who is at the other end."""

from __future__ import annotations

import asyncio
import contextlib
import pwd
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

LONGEST_HEAD: Final = 16 * 1024
"""Bytes of a request before its body; a line without an end stops there."""
CONNECTIONS: Final = 64
ENDING: Final = 2
"""Seconds that open requests are given when the service ends."""

_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid: unix(7), SO_PEERCRED


class _Peer(H11Protocol):
    """A connection whose client is the user at the other end, as the kernel says."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        said = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(said)
        self.client = (user_name(uid), pid)


class _Server(uvicorn.Server):
    """Signals belong to the service."""

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()


def user_name(uid: int) -> str:
    """The name of a user of this machine."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


@asynccontextmanager
async def served(app: Starlette, on: socket.socket) -> AsyncIterator[None]:
    """Serve `app` on a listening Unix socket while the block runs; open streams end with it."""
    config = uvicorn.Config(
        app,
        http=_Peer,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=LONGEST_HEAD,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=ENDING,
    )
    server = _Server(config)
    serving: asyncio.Task[Any] = asyncio.ensure_future(server.serve(sockets=[on]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
