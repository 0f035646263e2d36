"""Serial links through pyserial on ptys, against the bare master side: real time, no sleeping."""

import asyncio
import gc
import os
import pty
import threading
import tty
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from hilcycler.clock import loop_time
from hilcycler.errors import LinkError, LinkLost, LinkTimeout
from hilcycler.links import Link, SerialSettings
from hilcycler.links.loop import run
from hilcycler.links.serial import open_serial


@dataclass
class Cable:
    """A pty: `master` is the instrument's side."""

    master: int
    path: str
    _open: bool = True

    def unplug(self) -> None:
        if self._open:
            self._open = False
            os.close(self.master)


@pytest.fixture
def cable() -> Iterator[Cable]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    cable = Cable(master, os.ttyname(slave))
    yield cable
    os.close(slave)
    cable.unplug()


def test_bytes_travel_both_ways(cable: Cable) -> None:
    async def bench() -> None:
        link = await open_serial(cable.path, SerialSettings())
        assert link.name == cable.path
        await link.send(b"t\n")
        assert os.read(cable.master, 100) == b"t\n"
        os.write(cable.master, b"tes4_hr\x11\x00\xff\n")
        assert await _exactly(link, 11) == b"tes4_hr\x11\x00\xff\n"
        await link.aclose()

    run(bench())


def test_a_megabyte_comes_through_whole(cable: Cable) -> None:
    sent = os.urandom(1 << 20) + b"end"

    def stream() -> None:
        view = memoryview(sent)
        while view:
            view = view[os.write(cable.master, view[:4096]) :]

    async def bench() -> None:
        link = await open_serial(cable.path, SerialSettings())
        threading.Thread(target=stream, daemon=True).start()
        assert await _exactly(link, len(sent)) == sent
        await link.aclose()

    run(bench())


def test_silence_is_a_timeout_at_the_deadline(cable: Cable) -> None:
    async def bench() -> None:
        link = await open_serial(cable.path, SerialSettings())
        deadline = loop_time() + 0.05
        with pytest.raises(LinkTimeout):
            await link.receive(deadline)
        assert loop_time() >= deadline
        os.write(cable.master, b"late")
        assert await _exactly(link, 4) == b"late"
        await link.aclose()

    run(bench())


def test_pulling_the_cable_wakes_the_receiver_with_link_lost(cable: Cable) -> None:
    async def bench() -> None:
        link = await open_serial(cable.path, SerialSettings())

        async def wait() -> None:
            with pytest.raises(LinkLost, match="gone"):
                await link.receive(loop_time() + 10.0)

        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(wait())
            await asyncio.sleep(0)
            cable.unplug()
            await waiting
        with pytest.raises(LinkLost):
            await link.send(b"Z\n")
        await link.aclose()

    run(bench())


def test_what_came_before_the_loss_is_still_received(cable: Cable) -> None:
    async def bench() -> None:
        link = await open_serial(cable.path, SerialSettings())
        os.write(cable.master, b"P1\n")
        assert await _exactly(link, 3) == b"P1\n"
        cable.unplug()
        with pytest.raises(LinkError):
            await link.receive(loop_time() + 10.0)
        await link.aclose()

    run(bench())


def test_a_second_program_is_refused_and_the_port_is_free_after_closing(cable: Cable) -> None:
    async def bench() -> None:
        first = await open_serial(cable.path, SerialSettings())
        with pytest.raises(LinkLost, match="in use by another program"):
            await open_serial(cable.path, SerialSettings())
        await first.aclose()
        await first.aclose()
        again = await open_serial(cable.path, SerialSettings())
        await again.aclose()

    run(bench())


def test_a_missing_port_says_so() -> None:
    async def bench() -> None:
        with pytest.raises(LinkLost, match="/dev/ttyNONE9: no such port"):
            await open_serial("/dev/ttyNONE9", SerialSettings())

    run(bench())


def test_a_blocked_write_holds_up_neither_closing_nor_the_loop(cable: Cable) -> None:
    async def bench() -> None:
        link = await open_serial(cable.path, SerialSettings())
        with pytest.raises(TimeoutError):  # nobody reads the master: the pty fills up
            async with asyncio.timeout(0.05):
                await link.send(bytes(1 << 20))
        started = loop_time()
        await link.aclose()
        assert loop_time() - started < 1.0
        with pytest.raises(LinkLost):
            await link.send(b"x")
        with pytest.raises(LinkLost):
            await link.receive(loop_time() + 1.0)

    run(bench())


def test_a_forgotten_session_does_not_outlive_its_loop_noisily(cable: Cable) -> None:
    async def bench() -> None:
        link = await open_serial(cable.path, SerialSettings())
        with pytest.raises(LinkTimeout):
            await link.receive(loop_time() + 0.01)

    run(bench())
    os.write(cable.master, b"anybody?")  # the reader's loop is gone: it must leave, not raise
    cable.unplug()
    gc.collect()


async def _exactly(link: Link, size: int) -> bytes:
    got = bytearray()
    while len(got) < size:
        got += await link.receive(loop_time() + 5.0)
    return bytes(got)
