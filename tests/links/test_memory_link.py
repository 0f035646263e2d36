"""The in-process pipe keeps the promises of a Link, in virtual time."""

import asyncio

import pytest

from hilcycler.clock import loop_time
from hilcycler.errors import LinkLost, LinkTimeout
from hilcycler.links.memory import memory_pair
from hilcycler_simulators import virtual_time


def test_bytes_arrive_in_order_at_any_chunking() -> None:
    async def bench() -> bytes:
        here, there = memory_pair(capacity=7)
        sent = bytes(range(256)) * 5
        got = bytearray()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(here.send(sent))
            while len(got) < len(sent):
                got += await there.receive(loop_time() + 1.0)
        assert bytes(got) == sent
        return bytes(got)

    virtual_time.run(bench())


def test_send_waits_for_room() -> None:
    async def bench() -> None:
        here, there = memory_pair(capacity=4)
        await here.send(b"1234")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5.0):
                await here.send(b"5")
        assert await there.receive(loop_time()) == b"1234"
        await here.send(b"5")
        assert await there.receive(loop_time()) == b"5"

    virtual_time.run(bench())


def test_receive_honours_its_deadline_to_the_microsecond() -> None:
    async def bench() -> None:
        here, _there = memory_pair()
        await asyncio.sleep(3.0e7)  # a year into a run
        deadline = loop_time() + 0.25
        with pytest.raises(LinkTimeout):
            await here.receive(deadline)
        assert loop_time() == pytest.approx(deadline, abs=2e-6)

    virtual_time.run(bench())


def test_a_closed_end_is_the_end_of_the_stream_after_what_was_sent() -> None:
    async def bench() -> None:
        here, there = memory_pair()
        await here.send(b"last words")
        await here.aclose()
        await here.aclose()
        assert await there.receive(loop_time() + 1.0) == b"last words"
        assert await there.receive(loop_time() + 1.0) == b""
        with pytest.raises(LinkLost):
            await there.send(b"anybody?")
        with pytest.raises(LinkLost):
            await here.receive(loop_time() + 1.0)
        with pytest.raises(LinkLost):
            await here.send(b"x")

    virtual_time.run(bench())


def test_a_severed_pipe_is_lost_at_both_ends_also_for_whoever_waits() -> None:
    async def bench() -> None:
        here, there = memory_pair(capacity=4)
        await here.send(b"lost")
        losses = 0

        async def wait_for_bytes() -> None:
            nonlocal losses
            with pytest.raises(LinkLost):
                await here.receive(loop_time() + 10.0)
            losses += 1

        async def wait_for_room() -> None:
            nonlocal losses
            with pytest.raises(LinkLost):
                await here.send(b"more")
            losses += 1

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(wait_for_bytes())
            tasks.create_task(wait_for_room())
            await asyncio.sleep(1.0)
            there.sever()
        assert losses == 2
        assert loop_time() < 2.0
        with pytest.raises(LinkLost):
            await there.receive(loop_time() + 1.0)

    virtual_time.run(bench())


def test_closing_wakes_the_own_receiver() -> None:
    async def bench() -> None:
        here, _there = memory_pair()

        async def wait() -> None:
            with pytest.raises(LinkLost):
                await here.receive(loop_time() + 10.0)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(wait())
            await asyncio.sleep(1.0)
            await here.aclose()
        assert loop_time() < 2.0

    virtual_time.run(bench())
