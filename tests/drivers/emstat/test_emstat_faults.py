"""Lines that fail, instruments that fail, strangers that answer: each ends in one clear error, cell off."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from dummy_cell import Dummy
from hypothesis import given, settings
from hypothesis import strategies as st

from hilcycler.channel import Activity, ConditionMet, EnvelopeCrossed, Impedance, Measured, Samples
from hilcycler.clock import loop_time
from hilcycler.errors import (
    CyclerError,
    InstrumentError,
    LinkLost,
    LinkTimeout,
    StepRefused,
    WireError,
    WrongInstrument,
)
from hilcycler.links import Link
from hilcycler.links.memory import memory_pair
from hilcycler.protocol import Envelope
from hilcycler.records import OffState
from hilcycler.steps import (
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CurrentBelow,
    CyclicVoltammetry,
    End,
    GalvanostaticImpedance,
    LinearSweep,
    PotentiostaticImpedance,
    Rest,
    Sampling,
    Step,
    TimeReached,
    VoltageAbove,
)
from hilcycler.twin import TwinRequest
from hilcycler_drivers.emstat import driver
from hilcycler_drivers.emstat.driver import CONNECT_WITHIN, PAUSES, SAFE_WITHIN, EmStat, open_emstat
from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.faults import (
    At,
    Deaf,
    Delayed,
    Dropped,
    Duplicated,
    Fault,
    FirmwareError,
    FlowControl,
    Garbage,
    HalfLine,
    NotANumber,
    OpenLead,
    Reboot,
    RunTogether,
    Stalled,
    Unplugged,
)
from hilcycler_simulators.instruments.emstat import EmStatTwin
from hilcycler_simulators.instruments.emstat import twin as family
from hilcycler_simulators.virtual_time import run

ENVELOPE = Envelope((-1.0, 1.0), (-5e-3, 5e-3))
HOUR = ConstantCurrent(1e-3, (End(TimeReached(3600.0)), End(VoltageAbove(0.9))), Sampling(1.0, 10.0))
MINUTE = ConstantCurrent(1e-3, (End(TimeReached(60.0)),), Sampling(1.0, 10.0))


def make(model: str = "es4_hr", pace: float | None = None) -> EmStatTwin:
    made = family.make(TwinRequest(model, "li-li/bn-pp", pace=pace))
    assert isinstance(made, EmStatTwin)
    return made


class Tap:
    """A link whose bytes pass through our hands. `spoil` sees what the instrument said."""

    def __init__(self, link: Link, spoil: Callable[[bytes], bytes]) -> None:
        self._link, self.spoil = link, spoil
        self.sent = bytearray()
        self.heard = bytearray()
        self.silent = False
        self.lost = False

    @property
    def name(self) -> str:
        return self._link.name

    async def send(self, data: bytes) -> None:
        if self.lost:
            raise LinkLost("unplugged")
        self.sent += data
        await self._link.send(data)

    async def receive(self, deadline: float) -> bytes:
        while True:
            if self.lost:
                raise LinkLost("unplugged")
            if self.silent:
                await asyncio.sleep(max(0.0, deadline - loop_time()))
                raise LinkTimeout("nothing received in time")
            data = await self._link.receive(deadline)
            self.heard += data
            if spoiled := self.spoil(data):
                return spoiled

    async def aclose(self) -> None:
        await self._link.aclose()


class Line:
    """A cable to a twin that can be spoilt, silenced, pulled and given to somebody else."""

    def __init__(self, twin: EmStatTwin, spoil: Callable[[bytes], bytes] = lambda data: data) -> None:
        self.twin = twin
        self.spoil = spoil
        self.gone = False
        self.taps: list[Tap] = []

    async def connect(self) -> Link:
        if self.gone:
            raise LinkLost("no such port")
        self.taps.append(Tap(await self.twin.connect(), self.spoil))
        return self.taps[-1]


def bench(work: Callable[[EmStat, Line], Awaitable[Any]], line: Line | None = None) -> Any:
    """Run `work` on an identified channel, in virtual time."""

    async def main() -> Any:
        cable = line or Line(make())
        async with open_emstat(cable.connect) as channel:
            return await work(channel, cable)

    return run(main())


async def run_step(channel: EmStat, step: ConstantCurrent | Rest = MINUTE) -> list[Measured]:
    await channel.start(step, ENVELOPE)
    return [each async for each in channel.records()]


# --- who answers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "why"),
    [("espico", "no galvanostat"), ("senswb", "no galvanostat"), ("espbl", "bootloader")],
)
def test_what_must_not_cycle_is_refused_with_the_reason(model: str, why: str) -> None:
    async def main() -> None:
        with pytest.raises(WrongInstrument, match=why):
            async with driver.open(make(model).connect):
                pass

    run(main())


def answering(answer: Callable[[bytes], bytes]) -> Callable[[], Awaitable[Link]]:
    """Somebody at the other end who gives `answer` to each thing he is sent."""

    async def connect() -> Link:
        here, there = memory_pair("stranger")

        async def live() -> None:
            while data := await there.receive(loop_time() + 1e6):
                if said := answer(data):
                    await there.send(said)

        tasks.append(asyncio.ensure_future(live()))
        return here

    tasks: list[asyncio.Future[None]] = []
    return connect


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda data: b"", LinkTimeout),
        (lambda data: b"KEITHLEY INSTRUMENTS,MODEL 2450\r\n", WrongInstrument),
        (lambda data: b"\xff\x00\xfe" * 3000, WrongInstrument),
        (lambda data: data, CyclerError),
        (lambda data: b"t!0003\n", InstrumentError),
        (lambda data: b"txyz4hr1500#today\nR*\niX1\nC" + b"0" * 64 + b"\n", WrongInstrument),
    ],
)
def test_nobody_or_somebody_else(answer: Callable[[bytes], bytes], error: type[CyclerError]) -> None:
    async def main() -> None:
        with pytest.raises(error):
            async with driver.open(answering(answer)):
                pass

    run(main())


def test_a_script_that_ends_while_it_is_asked_who_it_is_does_not_confuse_it() -> None:
    """Its last words come before the answer, and belong to no step of ours."""
    answers = {
        b"t\n": b"Pda7F85F3Fu;ba48D503Dp,10,288\n+\n\ntes4_hr1500#Mar 12 2026 14:28:01\nR*\n",
        b"i\n": b"iES4HR20B0008\n",
    }

    async def main() -> str:
        twin = make()
        link = await twin.connect()
        await link.send(b"CM\n")
        answers[b"CM\n"] = await link.receive(loop_time() + 1.0)
        async with driver.open(answering(lambda data: answers[data])) as channel:
            assert await channel.state() is Activity.IDLE
            return channel.instrument.serial

    assert run(main()) == "ES4HR20B0008"


def test_an_instrument_left_in_the_middle_of_a_command_is_freed() -> None:
    async def main() -> str:
        twin = make()
        link = await twin.connect()
        await link.send(b"e\nvar a\nwait 1")
        await link.aclose()
        async with driver.open(twin.connect) as channel:
            return channel.instrument.model

    assert run(main()) == "EmStat4 HR"


# --- the line -------------------------------------------------------------------------------


def test_xon_bytes_and_acknowledgements_run_together_are_tolerated() -> None:
    def spoil(data: bytes) -> bytes:
        return b"\x11" + data.replace(b"r\nM", b"rM").replace(b";", b"\x13;")

    async def work(channel: EmStat, line: Line) -> list[Measured]:
        return await run_step(channel)

    assert bench(work, Line(make(), spoil))[-1] == ConditionMet(0, 60.0)


def test_silence_beyond_the_recording_period_is_a_timeout_and_the_cell_goes_off() -> None:
    async def work(channel: EmStat, line: Line) -> None:
        await channel.start(HOUR, ENVELOPE)
        line.taps[-1].silent = True
        begun = loop_time()
        with pytest.raises(LinkTimeout):
            [each async for each in channel.records()]
        assert 10.0 < loop_time() - begun < 20.0
        assert await channel.safe() is OffState.OFF
        assert not line.twin.unit.cell_is_on
        assert len(line.taps) == 2  # never again over the old connection
        assert (await run_step(channel))[-1] == ConditionMet(0, 60.0)

    bench(work)


def test_a_trickle_of_half_lines_does_not_put_off_the_deadline() -> None:
    async def main() -> None:
        here, there = memory_pair()

        async def trickle() -> None:
            for _ in range(200):
                await asyncio.sleep(0.1)
                await there.send(b"x")

        task = asyncio.ensure_future(trickle())
        begun = loop_time()
        with pytest.raises(LinkTimeout):
            async with driver.open(_always(here)):
                pass
        assert loop_time() - begun < 5.0
        task.cancel()

    run(main())


def _always(link: Link) -> Callable[[], Awaitable[Link]]:
    async def connect() -> Link:
        return link

    return connect


def test_garbage_is_a_wire_error_and_the_cell_goes_off() -> None:
    async def work(channel: EmStat, line: Line) -> None:
        line.taps[-1].spoil = lambda data: data.replace(b"P", b"\xf0", 1)
        await channel.start(HOUR, ENVELOPE)
        with pytest.raises(WireError, match="not printable"):
            [each async for each in channel.records()]
        line.taps[-1].spoil = lambda data: data
        assert await channel.safe() is OffState.OFF
        assert not line.twin.unit.cell_is_on

    bench(work)


def test_an_unplugged_line_that_comes_back() -> None:
    async def work(channel: EmStat, line: Line) -> None:
        await channel.start(HOUR, ENVELOPE)
        line.taps[-1].lost = line.gone = True
        with pytest.raises(LinkLost):
            [each async for each in channel.records()]
        asyncio.get_running_loop().call_later(2.0, setattr, line, "gone", False)
        assert await channel.safe() is OffState.OFF
        assert not line.twin.unit.cell_is_on

    bench(work)


def test_an_unplugged_line_that_stays_away_is_off_unconfirmed_in_bounded_time() -> None:
    async def work(channel: EmStat, line: Line) -> None:
        await channel.start(HOUR, ENVELOPE)
        line.taps[-1].lost = line.gone = True
        with pytest.raises(LinkLost):
            [each async for each in channel.records()]
        begun = loop_time()
        assert await channel.safe() is OffState.UNCONFIRMED
        assert loop_time() - begun < 40.0
        assert await channel.state() is Activity.UNKNOWN
        with pytest.raises(LinkLost):
            await channel.start(HOUR, ENVELOPE)

    bench(work)


def test_a_stranger_after_the_reconnection_is_told_nothing() -> None:
    async def work(channel: EmStat, line: Line) -> None:
        await channel.start(HOUR, ENVELOPE)
        line.taps[-1].lost = True
        with pytest.raises(LinkLost):
            [each async for each in channel.records()]
        line.twin = make("es4_lr")
        assert await channel.safe() is OffState.UNCONFIRMED
        assert set(bytes(line.taps[-1].sent).split(b"\n")) == {b"t", b"i", b"CM", b""}

    bench(work)


def test_a_reply_that_comes_too_late_is_never_taken_for_the_next() -> None:
    async def work(channel: EmStat, line: Line) -> None:
        line.taps[-1].silent = True
        with pytest.raises(LinkTimeout):
            await channel.start(MINUTE, ENVELOPE)
        line.taps[-1].silent = False
        with pytest.raises(LinkLost):
            await channel.start(MINUTE, ENVELOPE)
        assert await channel.safe() is OffState.OFF
        assert (await run_step(channel))[-1] == ConditionMet(0, 60.0)

    bench(work)


# --- every single byte ----------------------------------------------------------------------


def _rows(found: list[Measured]) -> list[tuple[float, ...]]:
    """Samples and impedance points, in the order in which they came."""
    rows: list[tuple[float, ...]] = []
    for each in found:
        if isinstance(each, Samples):
            rows += zip(*(each.columns[name].tolist() for name in each.columns), strict=True)
        elif isinstance(each, Impedance):
            rows.append(astuple(each))
    return rows


EXHAUSTIVE = bool(os.environ.get("HILCYCLER_EXHAUSTIVE"))
SHORT = ConstantCurrent(1e-3, (End(TimeReached(5.0)),), Sampling(1.0, 1.0))
LASTS = (End(TimeReached(6.0)),)
CONVERSATIONS: dict[str, Step] = {
    "constant current": SHORT,
    "rest": Rest(LASTS, Sampling(1.0, 2.0)),
    "hold": ConstantVoltage(0.01, (End(CurrentBelow(1e-9)), *LASTS), Sampling(1.0, 2.0, current_change=1e-5)),
    "points by the decade": ConstantVoltage(0.01, LASTS, Sampling(0.1, None, points_per_decade=5)),
    "current, then a hold": ConstantCurrentConstantVoltage(1e-3, 0.03, LASTS, Sampling(0.5, 1.0)),
    "sweep": LinearSweep(0.0, 0.005, 1e-3),
    "scans": CyclicVoltammetry(0.0, 0.002, -0.002, 1e-3, scans=2),
    "spectrum at a voltage": PotentiostaticImpedance(10e-3, 1e4, 1e2, 3, bias=0.0),
    "spectrum at a current": GalvanostaticImpedance(1e-4, 1e4, 1e2, 3),
}
"""Every shape of output that a script of this driver has."""


@dataclass(frozen=True)
class Heard:
    """A connection and a step over it: what was measured, how many bytes came, who it was."""

    found: list[Measured]
    length: int
    serial: str


def _one_run(spoil: Callable[[bytes], bytes], step: Step = SHORT) -> Heard:
    """A short run; and off at the end, always."""

    async def main() -> Heard:
        line, found, serial = Line(linear(), spoil), list[Measured](), ""
        try:
            async with open_emstat(line.connect) as channel:
                serial = channel.instrument.serial
                try:
                    await channel.start(step, ENVELOPE)
                    async for each in channel.records():
                        found.append(each)
                except CyclerError:
                    found.append(ConditionMet(None, -1.0))
                    assert await channel.safe() is OffState.OFF
                    assert not line.twin.unit.cell_is_on
        except CyclerError:
            pass
        return Heard(found, len(line.taps[0].heard), serial)

    return run(main())


def linear(pace: float | None = None) -> EmStatTwin:
    """A cell that costs no time to simulate."""
    return EmStatTwin(Dummy(10.0, 20.0, 0.1), pace=pace)


class Spoil:
    """Does something to byte `number` of all that is heard, once."""

    def __init__(self, number: int, change: Callable[[bytes], bytes]) -> None:
        self._number, self._change = number, change

    def __call__(self, data: bytes) -> bytes:
        at, self._number = self._number, self._number - len(data)
        if not 0 <= at < len(data):
            return data
        return data[:at] + self._change(data[at : at + 1]) + data[at + 1 :]


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "dropped": lambda byte: b"",
    "doubled": lambda byte: byte + byte,
    "line end after": lambda byte: byte + b"\n",
    "turned into a line end": lambda byte: b"\n",
}


@pytest.mark.timeout(900 if EXHAUSTIVE else 60)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_no_single_byte_makes_a_wrong_value(name: str, change: str) -> None:
    """What is measured is true, or it is an error: for each reply, from who it is to the end of a script.

    HILCYCLER_EXHAUSTIVE=1: each byte of all replies; else one in many.
    """
    step = CONVERSATIONS[name]
    true = _one_run(lambda data: data, step)
    whole = _rows(true.found)
    assert len(whole) > 3
    begin = list(CONVERSATIONS).index(name) * 5 + list(CHANGES).index(change)
    for number in range(true.length) if EXHAUSTIVE else range(begin, true.length, 97):
        heard = _one_run(Spoil(number, CHANGES[change]), step)
        rows = _rows(heard.found)
        assert rows == whole[: len(rows)], number
        assert heard.serial in {true.serial, ""}, number
        if heard.found and heard.found[-1] == true.found[-1]:
            assert rows == whole, number


def _another(byte: bytes) -> bytes:
    """Another character of the same kind: what a receiver cannot tell from the right one by its looks."""
    for alike in (b"0123456789ABCDEF", b"numk ", b"abcdefghijklmnopqrstuvwxyz"):
        if byte in alike:
            return alike[(alike.index(byte) + 3) % len(alike) :][:1]
    return bytes([byte[0] ^ 1])


@pytest.mark.timeout(900 if EXHAUSTIVE else 60)
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_what_one_changed_byte_can_do_is_bounded(name: str) -> None:
    """The wire has no checksum: a digit that becomes another digit is a wrong value, and nobody can see it.

    What is bounded: only one row is wrong, rows neither come nor go, the instrument stays who it is, a set
    current stays within 1 % of what was set, a time stays in its order and within its recording period, and the step
    ends as the instrument said. What remains, a voltage, a measured current or an impedance, is the value
    of one row; beyond the safety limits it trips the run (`engine`), and the limits themselves are judged
    inside the instrument, where no wire lies between.
    """
    step = CONVERSATIONS[name]
    true = _one_run(lambda data: data, step)
    whole = _rows(true.found)
    begin = list(CONVERSATIONS).index(name) * 3
    unseen = 0
    for number in range(true.length) if EXHAUSTIVE else range(begin, true.length, 29):
        heard = _one_run(Spoil(number, _another), step)
        assert heard.serial in {true.serial, ""}, number
        rows = _rows(heard.found)
        assert len(rows) <= len(whole), number
        if not heard.found or heard.found[-1] != true.found[-1]:  # an error, and what came before it
            rows = rows[:-1]
        else:
            assert len(rows) == len(whole), number
        wrong = [(row, right) for row, right in zip(rows, whole, strict=False) if row != right]
        assert len(wrong) <= 1, number
        unseen += len(wrong)
        for row, right in wrong:
            assert abs(row[0] - right[0]) <= 3.0, number
            if isinstance(step, ConstantCurrent):
                assert abs(row[2] - right[2]) <= 0.01 * abs(right[2]), number
        times = [row[0] for row in rows]
        assert all(np.diff(times) > 0.0), number
    assert unseen or not EXHAUSTIVE, "some of it cannot be seen, or this test does nothing"


@pytest.mark.timeout(900 if EXHAUSTIVE else 60)
@pytest.mark.parametrize("stuck", [False, True], ids=["", "stuck relay"])
def test_no_lost_byte_makes_an_output_off_that_is_on(stuck: bool) -> None:
    """Of all that is said while a step is aborted and the output proven off."""

    def one(spoil: Callable[[bytes], bytes]) -> tuple[OffState, int]:
        async def main() -> tuple[OffState, int]:
            line = Line(linear(pace=10.0))
            async with open_emstat(line.connect) as channel:
                await channel.start(HOUR, ENVELOPE)
                await asyncio.sleep(1.0)
                assert line.twin.energised
                line.twin.unit.stuck_output = stuck
                line.taps[-1].spoil = spoil
                before = len(line.taps[-1].heard)
                off = await channel.safe()
                assert (off is OffState.OFF) == (not stuck)
                assert line.twin.unit.cell_is_on == stuck
                return off, len(line.taps[0].heard) - before

        return run(main())

    _, length = one(lambda data: data)
    assert length > 30
    for change in ("dropped", "doubled", "turned into a line end"):
        for number in range(length) if EXHAUSTIVE else range(0, length, 41):
            one(Spoil(number, CHANGES[change]))


@pytest.mark.timeout(900 if EXHAUSTIVE else 60)
def test_no_lost_byte_makes_an_adopted_step_say_what_was_not_measured() -> None:
    step = replace(MINUTE, sampling=Sampling(1.0, 5.0))

    def one(spoil: Callable[[bytes], bytes]) -> tuple[list[tuple[float, ...]], int]:
        async def main() -> tuple[list[tuple[float, ...]], int]:
            twin, found = linear(pace=10.0), list[Measured]()
            async with open_emstat(twin.connect) as first:
                await first.start(step, ENVELOPE)
            await asyncio.sleep(1.0)
            line = Line(twin, spoil)
            with suppress(CyclerError):
                async with open_emstat(line.connect) as second:
                    if await second.adopt(step, ENVELOPE):
                        async for each in second.records():
                            found.append(each)
            return _rows(found), len(line.taps[0].heard)

        return run(main())

    whole, length = one(lambda data: data)
    assert len(whole) > 8
    for number in range(length) if EXHAUSTIVE else range(0, length, 37):
        rows, _ = one(Spoil(number, CHANGES["dropped"]))
        assert set(rows) <= set(whole), number


# --- the instrument -------------------------------------------------------------------------


def faulty(*faults: Fault, pace: float | None = None) -> Line:
    return Line(EmStatTwin(catalogue.make("li-li/bn-pp", 1), faults=faults, pace=pace))


def test_a_critical_overload_leaves_the_cell_on_and_safe_turns_it_off() -> None:
    async def work(channel: EmStat, line: Line) -> None:
        await channel.start(HOUR, ENVELOPE)
        with pytest.raises(InstrumentError, match="critical cell overload") as raised:
            [each async for each in channel.records()]
        assert raised.value.code == 0x0032
        assert line.twin.energised
        assert await channel.safe() is OffState.OFF
        assert not line.twin.energised

    bench(work, faulty(FirmwareError(At(1, 7), 0x0032)))


def test_a_stuck_relay_is_off_unconfirmed() -> None:
    async def work(channel: EmStat, line: Line) -> None:
        line.twin.unit.stuck_output = True
        await channel.start(HOUR, ENVELOPE)
        assert await channel.safe() is OffState.UNCONFIRMED

    bench(work)


@pytest.mark.parametrize("pace", [None, 10.0])
def test_a_reboot_in_the_middle_of_a_step(pace: float | None) -> None:
    async def work(channel: EmStat, line: Line) -> None:
        await channel.start(replace(HOUR, sampling=Sampling(1.0, 1.0)), ENVELOPE)
        with pytest.raises(LinkLost):
            [each async for each in channel.records()]
        assert await channel.safe() is OffState.OFF

    bench(work, faulty(Reboot(At(1, 3000)), pace=pace))


def test_a_reading_that_is_no_number_ends_the_step_inside_the_instrument() -> None:
    async def work(channel: EmStat, line: Line) -> list[Measured]:
        return await run_step(channel)

    crossed = bench(work, faulty(NotANumber(33)))[-1]
    assert isinstance(crossed, EnvelopeCrossed)
    assert (crossed.violation.quantity, crossed.elapsed) == ("voltage", 34.0)
    assert np.isnan(crossed.violation.value)


def test_a_lead_that_comes_off_trips() -> None:
    async def work(channel: EmStat, line: Line) -> list[Measured]:
        return await run_step(channel)

    crossed = bench(work, faulty(OpenLead(20.0)))[-1]
    assert isinstance(crossed, EnvelopeCrossed)
    assert crossed.violation.quantity == "voltage"


@cache
def _undisturbed() -> list[tuple[float, ...]]:
    return _rows(_one_run(lambda data: data).found)


instants = st.builds(At, st.just(1), st.integers(0, 8))
positions = st.integers(0, 900)
faults = st.one_of(
    st.builds(Garbage, positions, st.integers(1, 40)),
    st.builds(Dropped, positions, st.integers(1, 60)),
    st.builds(Duplicated, positions, st.integers(1, 60)),
    st.builds(Delayed, positions, st.floats(0.1, 30.0)),
    st.builds(HalfLine, st.integers(0, 30)),
    st.builds(FlowControl, st.integers(1, 50)),
    st.just(RunTogether()),
    st.builds(Stalled, positions, st.sampled_from([1.0, 10.0, 60.0, 1e6])),
    st.builds(Unplugged, positions, st.sampled_from([1.0, 10.0, 60.0, 1e6])),
    st.builds(FirmwareError, instants, st.sampled_from([0x0032, 0x0010, 0x7FFF])),
    st.builds(Reboot, instants),
    st.builds(Deaf, st.floats(0.05, 0.149)),
)


@given(st.lists(faults, min_size=1, max_size=2, unique_by=type), st.sampled_from([None, 1.0]))
@settings(max_examples=int(os.environ.get("HILCYCLER_EXAMPLES", "40")), deadline=None)
def test_whatever_happens_ends_in_one_error_and_off_means_off(wrong: list[Fault], pace: float | None) -> None:
    """What was measured before is true; `safe` is bounded in time and never says off of what is on."""

    async def main() -> list[Measured]:
        twin = EmStatTwin(Dummy(10.0, 20.0, 0.1), faults=wrong, pace=pace)
        found: list[Measured] = []
        try:
            async with open_emstat(twin.connect) as channel:
                try:
                    await channel.start(SHORT, ENVELOPE)
                    async for each in channel.records():
                        found.append(each)  # noqa: PERF401  (what came before an error counts)
                except CyclerError:
                    begun = loop_time()
                    if await channel.safe() is OffState.OFF:
                        assert not twin.energised
                    assert loop_time() - begun <= sum(PAUSES) + len(PAUSES) * (SAFE_WITHIN + CONNECT_WITHIN)
                else:
                    assert not twin.energised
        except CyclerError:
            pass
        return found

    true = _undisturbed()
    found = run(main())
    assert _rows(found) == true[: len(_rows(found))]
    if found and isinstance(found[-1], ConditionMet):
        assert len(_rows(found)) == len(true)


def test_somebody_else_aborts_the_script() -> None:
    async def work(channel: EmStat, line: Line) -> None:
        await channel.start(HOUR, ENVELOPE)
        await asyncio.sleep(1.0)
        await line.taps[-1]._link.send(b"Z\n")
        with pytest.raises(WireError, match="does not belong"):
            [each async for each in channel.records()]
        assert await channel.safe() is OffState.OFF

    bench(work)


def test_safe_is_idempotent_and_needs_no_step() -> None:
    async def work(channel: EmStat, line: Line) -> None:
        for _ in range(3):
            assert await channel.safe() is OffState.OFF
        assert (await run_step(channel))[-1] == ConditionMet(0, 60.0)

    bench(work)


def test_a_second_step_is_not_started_over_a_running_one() -> None:
    async def work(channel: EmStat, line: Line) -> None:
        await channel.start(HOUR, ENVELOPE)
        with pytest.raises(InstrumentError, match="still running"):
            await channel.start(HOUR, ENVELOPE)

    bench(work)


def test_absent_values_reach_the_engine_as_nan() -> None:
    def spoil(data: bytes) -> bytes:
        at = data.find(b";ab")
        return data if at < 0 else data[: at + 3] + b"     nan" + data[at + 11 :]

    async def work(channel: EmStat, line: Line) -> list[Measured]:
        return await run_step(channel)

    voltages = np.array([row[1] for row in _rows(bench(work, Line(make(), spoil)))])
    assert np.isnan(voltages[0])
    assert np.isfinite(voltages[1:]).all()


# --- what does not belong to the step -------------------------------------------------------


def in_lines(change: Callable[[list[bytes], list[int]], None]) -> Callable[[bytes], bytes]:
    """A spoiler that sees the lines and which of them are packages, three at least."""

    def spoil(data: bytes) -> bytes:
        lines = data.split(b"\n")
        packages = [n for n, line in enumerate(lines) if line.startswith(b"P")]
        if len(packages) > 2:
            change(lines, packages)
        return b"\n".join(lines)

    return spoil


def replacing(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(old, new)


def swap(lines: list[bytes], at: list[int]) -> None:
    lines[at[1]], lines[at[2]] = lines[at[2]], lines[at[1]]


def forget_time(lines: list[bytes], at: list[int]) -> None:
    lines[at[1]] = lines[at[1]][:3] + b"     nan" + lines[at[1]][11:]


def double(lines: list[bytes], at: list[int]) -> None:
    lines.insert(at[1], lines[at[1]])


def count_again(lines: list[bytes], at: list[int]) -> None:
    lines.insert(at[-1] + 1, b"Pja8000007i")
    lines.insert(at[-1] + 2, b"Pja8000007i")


def lose(which: int) -> Callable[[list[bytes], list[int]], None]:
    def change(lines: list[bytes], at: list[int]) -> None:
        del lines[at[which]]

    return change


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (replacing(b";ab", b";cd"), "does not belong"),
        (in_lines(forget_time), "lost or out of order"),
        (replacing(b"Ttime end 00\n", b"Tend 77\n"), "cannot say"),
        (replacing(b"Ttime end 00\n", b""), "without saying why"),
        (replacing(b"M000A\n", b"L\n"), "does not belong"),
        (in_lines(swap), "lost or out of order"),
        (in_lines(double), "lost or out of order"),
        (in_lines(lose(0)), "lost or out of order"),
        (in_lines(lose(1)), "lost or out of order"),
        (in_lines(lose(-1)), "data packages came instead of"),
        (replacing(b"Pja", b"Tja"), "cannot say"),
        (in_lines(count_again), "does not belong"),
    ],
)
def test_a_stream_that_is_not_that_of_the_step(spoil: Callable[[bytes], bytes], says: str) -> None:
    async def work(channel: EmStat, line: Line) -> None:
        line.taps[-1].spoil = spoil
        with pytest.raises(WireError, match=says):
            await run_step(channel)
        line.taps[-1].spoil = line.spoil
        assert await channel.safe() is OffState.OFF

    bench(work)


def test_a_lost_frequency_is_noticed() -> None:
    async def work(channel: EmStat, line: Line) -> None:
        line.taps[-1].spoil = in_lines(lose(1))
        await channel.start(PotentiostaticImpedance(10e-3, 1e3, 1.0, bias=0.0), ENVELOPE)
        with pytest.raises(WireError, match="lost or out of order: number 3 where 2 was to come"):
            [each async for each in channel.records()]

    bench(work)


# --- after a restart of this computer --------------------------------------------------------


def test_a_running_step_is_adopted() -> None:
    async def main() -> list[Measured]:
        twin = make(pace=10.0)
        async with driver.open(twin.connect) as first:
            await first.start(HOUR, ENVELOPE)
        await asyncio.sleep(60.0)  # ten minutes of the step
        assert twin.unit.cell_is_on
        async with driver.open(twin.connect) as second:
            assert await second.state() is Activity.RUNNING
            assert second.instrument.serial == ""
            with pytest.raises(StepRefused, match="busy"):
                second.check(HOUR, ENVELOPE)
            assert await second.adopt(HOUR, ENVELOPE)
            second.check(HOUR, ENVELOPE)
            found = [each async for each in second.records()]
            assert second.instrument.serial == "ES4HR20B0008"
            assert await second.state() is Activity.IDLE
            return found

    found = run(main())
    times = [row[0] for row in _rows(found)]
    assert 600.0 <= times[0] <= 640.0
    assert np.diff(times).max() <= 11.0
    assert found[-1] == ConditionMet(0, 3600.0)


@pytest.mark.parametrize("cut", [1, 7, 20, 39, 40])
def test_a_step_is_adopted_though_the_first_line_is_cut(cut: int) -> None:
    """The cut line is what was left of a package of this step."""

    async def main() -> None:
        twin = make(pace=10.0)
        async with driver.open(twin.connect) as first:
            await first.start(HOUR, ENVELOPE)
        await asyncio.sleep(60.0)
        line = Line(
            twin,
            Spoil(0, lambda byte: (b"Peb80F4240u;ab93FABF0n,10,206;db80F4240n;ja8000007i\n")[cut:] + byte),
        )
        async with driver.open(line.connect) as second:
            assert await second.adopt(HOUR, ENVELOPE)
            assert [each async for each in second.records()][-1] == ConditionMet(0, 3600.0)

    run(main())


def test_another_step_is_not_adopted_and_can_be_switched_off() -> None:
    async def main() -> None:
        twin = make(pace=10.0)
        async with driver.open(twin.connect) as first:
            await first.start(HOUR, ENVELOPE)
        async with driver.open(twin.connect) as second:
            other = ConstantCurrent(-1e-3, HOUR.ends, HOUR.sampling)
            assert not await second.adopt(other, ENVELOPE)
            assert await second.safe() is OffState.OFF
            assert not twin.unit.cell_is_on
            assert second.instrument.model == "EmStat4 HR"

    run(main())


def test_an_idle_instrument_has_nothing_to_adopt() -> None:
    async def work(channel: EmStat, line: Line) -> None:
        assert await channel.state() is Activity.IDLE
        assert not await channel.adopt(HOUR, ENVELOPE)

    bench(work)


def test_the_question_for_its_state_does_not_disturb_a_running_script() -> None:
    async def main() -> list[Measured]:
        twin = make(pace=10.0)
        async with driver.open(twin.connect) as channel:
            await channel.start(MINUTE, ENVELOPE)
            found = list[Measured]()
            async for each in channel.records():
                found.append(each)
                if len(found) == 2:
                    assert await channel.state() is Activity.RUNNING
            return found

    found = run(main())
    assert [row[0] for row in _rows(found)] == [1.0, 11.0, 21.0, 31.0, 41.0, 51.0, 60.0]
    assert found[-1] == ConditionMet(0, 60.0)
