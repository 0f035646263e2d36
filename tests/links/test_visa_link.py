"""The VISA link through pyvisa-py, against real sockets, a pty and an emulated Prologix adapter."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from hilcycler.clock import loop_time
from hilcycler.errors import LinkError, LinkLost, LinkTimeout
from hilcycler.links.visa import visa

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[int]:
    """A line server on a free port."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while line := await reader.readline():
            await answer(line, writer)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for writer in writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


async def instrument(line: bytes, writer: asyncio.StreamWriter) -> None:
    match line.strip():
        case b"*IDN?":
            writer.write(b"MAKER,MODEL,1,1.0\r\n")
        case b"HALF?":
            writer.write(b"+1.0")
        case b"HANG UP":
            writer.close()


def test_questions_and_answers_over_a_socket() -> None:
    async def main() -> bytes:
        async with server(instrument) as port:
            link = await visa(f"TCPIP0::127.0.0.1::{port}::SOCKET")()
            await link.send(b"*IDN?\n")
            answer = await link.receive(loop_time() + 5.0)
            await link.aclose()
            await link.aclose()
            return answer

    assert asyncio.run(main()).rstrip() == b"MAKER,MODEL,1,1.0"


@pytest.mark.parametrize("question", [b"SILENCE?\n", b"HALF?\n"])
def test_after_a_timeout_the_session_is_never_trusted_again(question: bytes) -> None:
    async def main() -> None:
        async with server(instrument) as port:
            reach = visa(f"TCPIP0::127.0.0.1::{port}::SOCKET")
            link = await reach()
            await link.send(question)
            with pytest.raises(LinkTimeout):
                await link.receive(loop_time() + 0.2)
            with pytest.raises(LinkTimeout):
                await link.send(b"*IDN?\n")
            await link.aclose()
            fresh = await reach()
            await fresh.send(b"*IDN?\n")
            assert b"MAKER" in await fresh.receive(loop_time() + 5.0)
            await fresh.aclose()

    asyncio.run(main())


def test_loss_of_the_other_end_is_a_link_error() -> None:
    async def main() -> None:
        async with server(instrument) as port:
            link = await visa(f"TCPIP0::127.0.0.1::{port}::SOCKET")()
            await link.send(b"HANG UP\n")
            with pytest.raises(LinkError):
                await link.receive(loop_time() + 0.3)
            await link.aclose()

    asyncio.run(main())


def test_a_port_where_nobody_listens_is_lost_at_the_first_word() -> None:
    async def main() -> None:
        link = await visa("TCPIP0::127.0.0.1::1::SOCKET")()
        with pytest.raises(LinkLost):
            await link.send(b"*IDN?\n")
        await link.aclose()

    asyncio.run(main())


def test_a_serial_line_by_its_visa_name() -> None:
    async def main() -> bytes:
        master, slave = os.openpty()
        tty.setraw(slave)
        loop = asyncio.get_running_loop()
        loop.add_reader(master, lambda: os.write(master, b"pong\n") if os.read(master, 100) else None)
        try:
            link = await visa(f"ASRL{os.ttyname(slave)}::INSTR")()
            await link.send(b"ping\n")
            answer = await link.receive(loop_time() + 5.0)
            await link.aclose()
        finally:
            loop.remove_reader(master)
            os.close(master)
            os.close(slave)
        return answer

    assert asyncio.run(main()).rstrip() == b"pong"
