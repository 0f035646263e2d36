"""The VISA link through pyvisa-py, against real sockets, a pty and an emulated Prologix adapter."""

from __future__ import annotations

import asyncio
import os
import termios
import tty
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from hilcycler.clock import loop_time
from hilcycler.errors import LinkError, LinkLost, LinkTimeout, RequestError
from hilcycler.links import SerialSettings
from hilcycler.links.address import connect
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


def test_closing_one_session_leaves_the_others_alone() -> None:
    """The resource manager of pyvisa is shared by the process, and closing it closes everybody's sessions."""

    async def main() -> bytes:
        async with server(instrument) as port:
            one, other = [await visa(f"TCPIP0::127.0.0.1::{port}::SOCKET")() for _ in range(2)]
            await one.aclose()
            await other.send(b"*IDN?\n")
            answer = await other.receive(loop_time() + 5.0)
            await other.aclose()
            return answer

    assert b"MAKER" in asyncio.run(main())


class Prologix:
    """A GPIB adapter with one instrument at address 4, as pyvisa-py talks to it (transcript captured
    from pyvisa-py 0.8.1): `++` commands are for the adapter, `++read eoi` fetches what the instrument
    has to say, everything else is passed on."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._address, self._waiting = b"", b""

    async def answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        self.heard.append(line)
        if line.startswith(b"++addr"):
            self._address = line.split()[1]
        elif line.startswith(b"++read"):
            writer.write(self._waiting)
            self._waiting = b""
        elif not line.startswith(b"++") and self._address == b"4":
            self._waiting = b"MAKER,MODEL,4,1.0\n" if line.strip() == b"*IDN?" else b""


def test_gpib_through_an_adapter() -> None:
    async def main() -> list[bytes]:
        adapter = Prologix()
        async with server(adapter.answer) as port:
            reach = connect(f"GPIB0::4::INSTR@PRLGX-TCPIP0::127.0.0.1::{port}::INTFC", SerialSettings())
            for _ in range(2):  # a session that was given up is opened again, adapter and all
                link = await reach()
                await link.send(b"*IDN?\n")
                assert await link.receive(loop_time() + 5.0) == b"MAKER,MODEL,4,1.0\n"
                await link.aclose()
        return adapter.heard

    heard = asyncio.run(main())
    first = heard[: len(heard) // 2]
    assert first[0] == b"++mode 1\n"
    assert first[-2:] == [b"*IDN?\n", b"++read eoi\n"]


def test_an_adapter_that_has_nothing_to_read_is_a_timeout() -> None:
    async def main() -> None:
        async with server(Prologix().answer) as port:
            reach = connect(f"GPIB0::4::INSTR@PRLGX-TCPIP0::127.0.0.1::{port}::INTFC", SerialSettings())
            link = await reach()
            await link.send(b"SILENCE?\n")
            with pytest.raises(LinkTimeout):
                await link.receive(loop_time() + 0.3)
            await link.aclose()

    asyncio.run(main())


def test_the_speed_of_a_serial_line_is_set() -> None:
    """A pty takes any speed, so what pyserial was asked for is what can be seen: kernel settings of the slave."""

    async def main() -> int:
        master, slave = os.openpty()
        tty.setraw(slave)
        link = await connect(f"ASRL{os.ttyname(slave)}::INSTR", SerialSettings(baud=19200))()
        speed = int(termios.tcgetattr(slave)[4])
        await link.aclose()
        os.close(master)
        os.close(slave)
        return speed

    assert asyncio.run(main()) == termios.B19200


@pytest.mark.parametrize(
    "address",
    [
        "TCPIP::",
        "NONSENSE::1::INSTR",
        "GPIB0::4::INSTR@nowhere",
        "TCPIP::h::1::SOCKET@PRLGX-TCPIP::h::1::INTFC",
    ],
)
def test_what_is_no_resource_is_refused_before_anything_is_opened(address: str) -> None:
    with pytest.raises(RequestError, match=r"VISA|adapter"):
        connect(address, SerialSettings())
