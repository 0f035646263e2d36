"""A VISA library that hangs for ever: the host goes on, switches off elsewhere, and can still end.

In a process of its own, because a thread that never returns cannot be tidied away.
"""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import asyncio, threading
from hilcycler.clock import loop_time
from hilcycler.errors import LinkTimeout
from hilcycler.links import visa

def hang(self, *_):
    threading.Event().wait()

async def main():
    async def serve(reader, writer):
        while line := await reader.readline():
            writer.write(b"answer\\n")

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    resource = f"TCPIP0::127.0.0.1::{server.sockets[0].getsockname()[1]}::SOCKET"
    other = await visa.visa(resource, library="@py")()
    link = await visa.visa(resource, library="@py")()
    whole = visa._Session.read
    visa._Session.read = hang
    began = loop_time()
    await link.send(b"question\\n")
    try:
        await link.receive(loop_time() + 0.3)
    except LinkTimeout:
        print("timeout", flush=True)
    assert loop_time() - began < 2.0, "the deadline is kept"
    visa._Session.read = whole
    await other.send(b"question\\n")
    assert await other.receive(loop_time() + 5.0) == b"answer\\n"
    print("the other session answers", flush=True)
    closing = loop_time()
    await link.aclose()
    assert loop_time() - closing < 2.0, "closing does not wait for a hung library"
    print("closed", flush=True)
    server.close()

asyncio.run(main())
"""


def test_a_hung_library_holds_up_nobody() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.stdout.splitlines() == ["timeout", "the other session answers", "closed"], done.stderr
    assert done.returncode == 0, "the process ends although a thread never does"
