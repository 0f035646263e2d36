"""The same driver over a pseudo-terminal and TCP, in real time: the same samples as in memory."""

from __future__ import annotations

import numpy as np
import pytest

from hilcycler.channel import ConditionMet, Measured, Samples
from hilcycler.links import Connect
from hilcycler.links.address import connect as connect_to
from hilcycler.links.loop import run
from hilcycler.protocol import Envelope
from hilcycler.records import OffState
from hilcycler.steps import (
    ChargeReached,
    ConstantCurrent,
    End,
    Rest,
    Sampling,
    Step,
    TimeReached,
    VoltageBelow,
)
from hilcycler.twin import TwinRequest
from hilcycler_drivers.emstat import driver
from hilcycler_simulators.instruments.emstat import twin as family

ENVELOPE = Envelope((-0.5, 0.5), (-3e-3, 3e-3))
SAMPLING = Sampling(1.0, 10.0, 1e-3)
STEPS: tuple[Step, ...] = (
    Rest((End(TimeReached(30.0)),), SAMPLING),
    ConstantCurrent(-1.131e-3, (End(ChargeReached(4.0716)), End(VoltageBelow(-0.4))), SAMPLING),
    ConstantCurrent(1.131e-3, (End(ChargeReached(4.0716)),), SAMPLING),
)


async def live(connect: Connect) -> list[Measured]:
    """Three steps, an aborted fourth, and off."""
    found: list[Measured] = []
    async with driver.open(connect) as channel:
        for step in STEPS:
            await channel.start(step, ENVELOPE)
            found += [each async for each in channel.records()]
        await channel.start(STEPS[1], ENVELOPE)
        async for each in channel.records():
            assert isinstance(each, Samples)
            break
        assert await channel.safe() is OffState.OFF
    return found


def over(where: str) -> list[Measured]:
    async def main() -> list[Measured]:
        twin = family.make(TwinRequest("nexus1" if where.startswith("tcp") else "es4_hr", "li-li/bn-pp"))
        if where == "memory":
            return await live(twin.connect)
        async with twin.listen(where) as address:
            return await live(connect_to(address, driver.serial))

    return run(main())


def rows(found: list[Measured]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    blocks = [each.columns for each in found if isinstance(each, Samples)]
    return np.concatenate(
        [np.column_stack([np.asarray(c, float) for c in block.values()]) for block in blocks]
    )


def ends(found: list[Measured]) -> list[Measured]:
    return [each for each in found if isinstance(each, ConditionMet)]


def test_a_pseudo_terminal_gives_the_samples_of_memory() -> None:
    in_memory, by_wire = over("memory"), over("pty")
    assert ends(by_wire) == ends(in_memory)
    assert len(ends(by_wire)) == len(STEPS)
    assert np.array_equal(rows(by_wire), rows(in_memory))


@pytest.mark.parametrize("port", [0])
def test_a_nexus_over_tcp(port: int) -> None:
    found = over(f"tcp://127.0.0.1:{port}")
    assert ends(found)[1:] == [ConditionMet(0, 3600.0), ConditionMet(0, 3600.0)]
    assert set(rows(found)[31:, 3]) <= {0.0, 41.0}, "10 mA range of the Nexus's galvanostat"
