"""TCP links on the loopback, and addresses as people write them."""

import asyncio
import socket

import pytest

from hilcycler.clock import loop_time
from hilcycler.errors import LinkLost, LinkTimeout, RequestError
from hilcycler.links import SerialSettings
from hilcycler.links.address import connect
from hilcycler.links.loop import run


def test_bytes_travel_both_ways_and_the_far_end_closes() -> None:
    async def echo_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(100))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def bench() -> None:
        async with await asyncio.start_server(echo_once, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            link = await connect(f"tcp://127.0.0.1:{port}", SerialSettings())()
            assert link.name == f"tcp://127.0.0.1:{port}"
            await link.send(b"t\n")
            assert await link.receive(loop_time() + 5.0) == b"t\n"
            assert await link.receive(loop_time() + 5.0) == b""
            await link.aclose()
            await link.aclose()
            with pytest.raises(LinkLost):
                await link.send(b"x")
            with pytest.raises(LinkLost):
                await link.receive(loop_time() + 1.0)

    run(bench())


def test_silence_is_a_timeout_and_the_link_still_works() -> None:
    async def speak_when_spoken_to(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(1))
        await reader.read()
        writer.close()

    async def bench() -> None:
        async with await asyncio.start_server(speak_when_spoken_to, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            link = await connect(f"tcp://127.0.0.1:{port}", SerialSettings())()
            with pytest.raises(LinkTimeout):
                await link.receive(loop_time() + 0.02)
            await link.send(b"x")
            assert await link.receive(loop_time() + 5.0) == b"x"
            await link.aclose()

    run(bench())


def test_a_reset_is_link_lost() -> None:
    async def bench() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        link = await connect(f"tcp://127.0.0.1:{listener.getsockname()[1]}", SerialSettings())()
        far, _ = listener.accept()
        # Linger 0: closing sends a reset, as a power cycle of the instrument does.
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        far.close()
        with pytest.raises(LinkLost):
            await link.receive(loop_time() + 5.0)
        await link.aclose()
        listener.close()

    run(bench())


def test_nobody_listening_is_link_lost() -> None:
    async def bench() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        listener.close()
        with pytest.raises(LinkLost, match="cannot connect"):
            await connect(f"tcp://127.0.0.1:{port}", SerialSettings())()

    run(bench())


@pytest.mark.parametrize(
    "address",
    ["", "/", "ttyACM0", "COM0", "COM", "tcp://", "tcp://host", "tcp://host:", "tcp://:5", "tcp://host:0",
     "tcp://host:65536", "tcp://host:1/x", "tcp://user@host:1", "tcp://[::1", "http://host:1", "udp://host:1"],
)  # fmt: skip
def test_bad_addresses_are_refused_with_what_is_expected(address: str) -> None:
    with pytest.raises(RequestError, match=r"expected .*tcp://HOST:PORT"):
        connect(address, SerialSettings())


@pytest.mark.parametrize(
    "address", ["/dev/ttyACM0", "COM3", "com12", "tcp://10.0.0.5:49152", "tcp://[::1]:49152"]
)
def test_good_addresses_open_nothing_yet(address: str) -> None:
    assert callable(connect(address, SerialSettings()))
