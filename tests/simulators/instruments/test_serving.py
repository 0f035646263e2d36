"""One simulated instrument on memory, pty and TCP: same bytes, clients that come and go."""

import asyncio
import os
import termios
from contextlib import suppress
from typing import Any

import pytest

from hilcycler.clock import loop_time
from hilcycler.errors import LinkLost, LinkTimeout, RequestError
from hilcycler.links import Link, SerialSettings
from hilcycler.links.address import connect
from hilcycler.links.loop import run
from hilcycler.links.memory import memory_pair
from hilcycler_simulators import virtual_time
from hilcycler_simulators.instruments.emstat import EmStatTwin
from hilcycler_simulators.serving import serve

SCRIPT = b"""e
var u
var i
set_pgstat_mode 6
set_range db 10m
cell_on
meas_loop_cp u i 1m 1 %d
pck_start
pck_add u
pck_add i
pck_end
endloop
on_finished:
cell_off

"""


async def until(link: Link, ending: bytes, within: float = 10.0) -> bytes:
    got = b""
    while not got.endswith(ending):
        got += await link.receive(loop_time() + within)
    return got


async def conversation(link: Link) -> bytes:
    heard = b""
    for asked, ending in (
        (b"\n", b"\n"),
        (b"t\n", b"R*\n"),
        (SCRIPT % 20_000, b"*\n\n"),
        (SCRIPT % 10, b"*\n\n"),
    ):
        await link.send(asked)
        heard += await until(link, ending)
    await link.aclose()
    return heard


def test_memory_pty_and_tcp_carry_the_same_bytes(dummy: Any) -> None:
    def twin() -> EmStatTwin:
        return EmStatTwin(dummy(rs=10.0, rp=30.0, c=10.0), seed=7)

    async def in_memory() -> bytes:
        return await conversation(await twin().connect())

    async def over(where: str) -> bytes:
        async with twin().listen(where) as address:
            return await conversation(await connect(address, SerialSettings())())

    expected = virtual_time.run(in_memory())
    assert len(expected) > 500_000
    assert run(over("pty")) == expected
    assert run(over("tcp://127.0.0.1:0")) == expected


def test_any_link_will_do(dummy: Any) -> None:
    async def bench() -> None:
        twin = EmStatTwin(dummy())
        here, there = memory_pair()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(twin.port, there))
            await here.send(b"i\n")
            assert await until(here, b"\n") == b"iES4HR20B0008\n"
            await here.aclose()

    run(bench())


def test_a_pty_is_raw_before_anybody_opens_it_and_survives_reconnection(dummy: Any) -> None:
    async def bench() -> None:
        async with EmStatTwin(dummy()).listen("pty") as address:
            bare = os.open(address, os.O_RDWR | os.O_NOCTTY)
            _, oflag, _, lflag, *_ = termios.tcgetattr(bare)
            os.close(bare)
            assert not lflag & (termios.ECHO | termios.ICANON)
            assert not oflag & termios.OPOST
            for _ in range(3):
                link = await connect(address, SerialSettings())()
                await link.send(b"i\n")
                assert await until(link, b"\n") == b"iES4HR20B0008\n"
                with pytest.raises(LinkTimeout):
                    await link.receive(loop_time() + 0.02)
                await link.aclose()

    run(bench())


def test_the_body_ends_although_a_client_is_still_connected(dummy: Any) -> None:
    async def bench(where: str) -> None:
        async with EmStatTwin(dummy()).listen(where) as address:
            link = await connect(address, SerialSettings())()
            await link.send(b"i\n")
            await until(link, b"\n")
        with suppress(LinkLost):  # an end of stream is as good
            assert await link.receive(loop_time() + 5.0) == b""
        await link.aclose()

    run(bench("pty"))
    run(bench("tcp://127.0.0.1:0"))


def test_errors_of_the_body_come_out_as_they_are(dummy: Any) -> None:
    async def bench() -> None:
        async with EmStatTwin(dummy()).listen("pty"):
            raise LinkTimeout("mine")

    with pytest.raises(LinkTimeout, match="mine"):
        run(bench())


@pytest.mark.parametrize("where", ["", "com1", "tcp://", "tcp://127.0.0.1", "udp://127.0.0.1:1"])
def test_one_cannot_listen_just_anywhere(dummy: Any, where: str) -> None:
    with pytest.raises(RequestError, match="expected pty or tcp://HOST:PORT"):
        EmStatTwin(dummy()).listen(where)


def test_whoever_connects_last_holds_the_port(dummy: Any) -> None:
    async def bench() -> None:
        twin = EmStatTwin(dummy())
        first = await twin.connect()
        waiting = asyncio.ensure_future(first.receive(loop_time() + 60.0))
        await asyncio.sleep(1.0)
        second = await twin.connect()
        with pytest.raises(LinkLost, match="another connection"):
            await waiting
        assert loop_time() < 2.0
        with pytest.raises(LinkLost):
            await first.send(b"t\n")
        await first.aclose()
        await second.send(b"i\n")
        assert await until(second, b"\n") == b"iES4HR20B0008\n"

    virtual_time.run(bench())


def test_silence_times_out_at_the_deadline(dummy: Any) -> None:
    async def bench() -> None:
        link = await EmStatTwin(dummy()).connect()
        with pytest.raises(LinkTimeout):
            await link.receive(loop_time() + 3.5)
        assert loop_time() == pytest.approx(3.5, abs=1e-5)
        await link.aclose()
        with pytest.raises(LinkLost):
            await link.receive(loop_time() + 1.0)

    virtual_time.run(bench())


def test_with_a_pace_packages_come_when_they_are_due(dummy: Any) -> None:
    async def bench() -> list[float]:
        link = await EmStatTwin(dummy(), pace=10.0).connect()
        await link.send(SCRIPT % 5)
        times = []
        while not (await link.receive(loop_time() + 1.0)).endswith(b"\n\n"):
            times.append(loop_time())
        return times

    assert virtual_time.run(bench()) == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4], abs=1e-4)


def test_a_paced_script_goes_on_while_nobody_listens(dummy: Any) -> None:
    async def bench() -> None:
        cell = dummy()
        twin = EmStatTwin(cell, pace=1.0)
        link = await twin.connect()
        await link.send(SCRIPT % 100)
        await until(link, b"\n")
        await link.aclose()
        await asyncio.sleep(50.0)
        link = await twin.connect()
        assert cell.lived == pytest.approx(0.01)  # the look ahead is not yet lived
        first = await until(link, b"\n")
        assert first.count(b"\n") == 1  # what was said to nobody is lost
        assert loop_time() == pytest.approx(51.0, abs=0.1)
        rest = await until(link, b"*\n\n", within=60.0)
        assert first.count(b"P") + rest.count(b"P") == 50
        assert cell.charge == pytest.approx(0.1, rel=5e-3)
        assert not twin.unit.cell_is_on

    virtual_time.run(bench())


def test_without_a_pace_a_script_stands_still_while_nobody_listens(dummy: Any) -> None:
    async def bench() -> None:
        twin = EmStatTwin(dummy())
        link = await twin.connect()
        await link.send(SCRIPT % 30_000)
        got = await link.receive(loop_time() + 1.0)
        await link.aclose()
        await asyncio.sleep(1e6)
        link = await twin.connect()
        await link.send(b"Z\n")
        rest = await until(link, b"\n\n")
        assert rest.endswith(b"Z\n*\n\n")
        assert got.count(b"P") + rest.count(b"P") < 10_000
        assert not twin.unit.cell_is_on

    virtual_time.run(bench())
