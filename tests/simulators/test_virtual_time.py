"""The loop whose clock jumps."""

import asyncio
import selectors
import socket

import pytest

from hilcycler.links.loop import run
from hilcycler_simulators import virtual_time
from hilcycler_simulators.virtual_time import Deadlock


def test_a_year_of_seconds_takes_no_time_and_loses_none() -> None:
    async def bench() -> list[float]:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(3.15e7)
        seen = []
        for _ in range(5):
            await asyncio.sleep(1e-3)
            seen.append(loop.time() - 3.15e7)
        return seen

    assert virtual_time.run(bench()) == pytest.approx([1e-3, 2e-3, 3e-3, 4e-3, 5e-3], abs=5e-6)


def test_timers_fire_in_the_order_of_their_times() -> None:
    async def bench() -> list[str]:
        order: list[str] = []

        async def after(seconds: float, name: str) -> None:
            await asyncio.sleep(seconds)
            order.append(name)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(after(86400.0 * 3, "c"))
            tasks.create_task(after(0.5, "a"))
            tasks.create_task(after(86400.0, "b"))
        return order

    assert virtual_time.run(bench()) == ["a", "b", "c"]


def test_waiting_for_ever_is_an_error_that_names_who_waits() -> None:
    async def bench() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.Event().wait(), name="the sleeper")

    with pytest.raises(Deadlock, match="the sleeper"):
        virtual_time.run(bench())


def test_sockets_and_threads_are_refused() -> None:
    async def open_socket() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            await asyncio.start_server(lambda _r, _w: None, sock=listener)

    with pytest.raises(RuntimeError, match="no files or sockets"):
        virtual_time.run(open_socket())

    async def start_thread() -> None:
        await asyncio.to_thread(int)

    with pytest.raises(RuntimeError, match="threads do not exist"):
        virtual_time.run(start_thread())


def test_the_real_loop_runs_on_select_whose_timers_are_not_rounded_to_milliseconds() -> None:
    async def bench() -> type:
        await asyncio.sleep(0.0001)
        return type(vars(asyncio.get_running_loop())["_selector"])

    assert run(bench()) is selectors.SelectSelector
