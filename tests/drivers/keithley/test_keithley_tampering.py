"""Every byte of every answer lost once, every answer late by 0 to 10 of its deadlines: no wrong value.

By default each seventh byte and three of the delays; HILCYCLER_SMU_EVERY_BYTE=1 for all of them, in
both dialects. What counts as true is what the instrument measured last, and how it is really set.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import pytest

from hilcycler.clock import loop_time
from hilcycler.errors import InstrumentError, LinkError, LinkTimeout, WireError, WrongInstrument
from hilcycler.links import Link
from hilcycler.protocol import Envelope
from hilcycler.records import OffState
from hilcycler_drivers.keithley.driver import Keithley
from hilcycler_drivers.keithley.wire.models import MODELS
from hilcycler_drivers.keithley.wire.scpi import number, reading
from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.instruments.keithley import KeithleyTwin
from hilcycler_simulators.instruments.keithley.firmware import Smu
from hilcycler_simulators.virtual_time import run

ALL = bool(os.environ.get("HILCYCLER_SMU_EVERY_BYTE"))
LIMITS = Envelope(voltage=(-1.0, 1.0), current=(-0.01, 0.01))
DELAYS = (
    (0.0, 0.25, 0.5, 0.99, 1.01, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)
    if ALL
    else (0.5, 1.01, 3.0)
)


@dataclass
class Tampered:
    """A link that loses byte `drop` of all that comes, or brings answer `late` after `times` its deadline.

    What is late is not lost: it comes before whatever is asked next.
    """

    link: Link
    drop: int = -1
    late: int = -1
    times: float = 0.0
    name: str = "tampered"
    bytes_seen: int = 0
    answers: int = 0
    _held: tuple[float, bytes] | None = field(default=None)

    async def send(self, data: bytes) -> None:
        await self.link.send(data)

    async def receive(self, deadline: float) -> bytes:
        asked = loop_time()
        if self._held is not None:
            return await self._bring(deadline)
        data = await self.link.receive(deadline)
        at, self.bytes_seen = self.drop - self.bytes_seen, self.bytes_seen + len(data)
        if 0 <= at < len(data):
            data = data[:at] + data[at + 1 :]
        number, self.answers = self.answers, self.answers + 1
        if number == self.late:
            self._held = asked + self.times * (deadline - asked), data
            return await self._bring(deadline)
        return data or await self.receive(deadline)

    async def _bring(self, deadline: float) -> bytes:
        assert self._held is not None
        due, data = self._held
        await asyncio.sleep(max(min(due, deadline) - loop_time(), 0.0))
        if due > deadline:
            raise LinkTimeout("late")
        self._held = None
        return data

    async def aclose(self) -> None:
        await self.link.aclose()


@dataclass
class Told:
    """How far a conversation came, and how much was said in it, and before the output was to go off."""

    stages: int = 0
    bytes_seen: int = 0
    answers: int = 0
    before_off: int = 0


async def converse(model: str, tamper: Callable[[Link], Tampered]) -> Told:
    """Connect, rest, current, voltage, another voltage, with readings, and off: all that is ever asked."""
    twin = KeithleyTwin(Smu(MODELS[model], catalogue.make("li-li/bn-pp", 1)))
    smu, links, told = twin.smu, list[Tampered](), Told()

    async def connect() -> Link:
        link = await twin.connect()
        if links:
            return link  # only the first one is tampered with: a fresh link is what an error is answered by
        links.append(tamper(link))
        return links[0]

    async def reads() -> None:
        for _ in range(2):
            await asyncio.sleep(1.0)
            seen = await channel.measure()
            assert (seen.voltage, seen.current) == tuple(reading(number(each)) for each in smu.last)

    channel = Keithley(connect)
    try:
        await channel.connect()
        assert channel.instrument.model == f"Keithley {model}"
        assert set(smu.output.off_state.values()) == {"HIMP"}
        told.stages += 1
        for current in (0.0, -1e-3):
            await channel.drive_current(current, LIMITS)
            assert (smu.output.on, smu.four_wire, smu.output.function, smu.output.current) == (
                True,
                True,
                "CURR",
                current,
            )
            assert smu.output.voltage_limit == pytest.approx(1.05)
            assert smu.voltage_range == 2.0
            await reads()
            told.stages += 1
        for voltage in (5e-3, -5e-3):
            await channel.drive_voltage(voltage, 2e-3, LIMITS)
            assert (smu.output.on, smu.output.function, smu.output.voltage) == (True, "VOLT", voltage)
            assert smu.output.current_limit == pytest.approx(2e-3)
            assert smu.source_voltage_range == 2.0
            await reads()
            told.stages += 1
    except (WireError, LinkError, InstrumentError, WrongInstrument):
        pass
    told.before_off = links[0].answers
    off = await channel.safe()
    assert off is OffState.OFF
    assert not twin.energised
    await channel.aclose()
    told.bytes_seen, told.answers = links[0].bytes_seen, links[0].answers
    return told


@pytest.mark.parametrize("model", ["2450", "2400"])
@pytest.mark.timeout(1200)
def test_no_lost_byte_makes_a_wrong_value(model: str) -> None:
    whole = run(converse(model, Tampered))
    assert whole.stages == 5
    survived = 0
    for drop in range(0, whole.bytes_seen, 1 if ALL else 7):
        survived += run(converse(model, partial(Tampered, drop=drop))).stages == 5
    print(
        f"\n{model}: {whole.bytes_seen} bytes in {whole.answers} answers; {survived} losses changed nothing"
    )


@pytest.mark.parametrize("model", ["2450", "2400"])
@pytest.mark.timeout(1200)
def test_no_late_answer_is_taken_for_another(model: str) -> None:
    whole = run(converse(model, Tampered))
    for late in range(0, whole.answers, 1 if ALL else 3):
        for times in DELAYS:
            told = run(converse(model, partial(Tampered, late=late, times=times)))
            in_time = times < 1.0 or late >= whole.before_off
            assert (told.stages == 5) is in_time, (late, times)
    print(
        f"\n{model}: {whole.answers} answers, each late by {len(DELAYS)} times up to {DELAYS[-1]:g} deadlines"
    )
