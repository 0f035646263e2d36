"""Each fault does what it says, where it says, and twice the same. Scripts and answers invented by us."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from hilcycler.clock import loop_time
from hilcycler.errors import LinkError, LinkLost, LinkTimeout
from hilcycler.links import Link, SerialSettings
from hilcycler.links.address import connect
from hilcycler.links.loop import run
from hilcycler_drivers.emstat.wire import Packages, ReplyDecoder, Unreadable
from hilcycler_simulators import virtual_time
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
    Impostor,
    NotANumber,
    OpenLead,
    Overload,
    Reboot,
    RunTogether,
    Stalled,
    StuckOutput,
    StuckReading,
    Unplugged,
    WrongModel,
)
from hilcycler_simulators.instruments.emstat import EmStatTwin

SCRIPT = b"""e
var t
var u
var i
set_pgstat_mode 6
set_range db 10m
cell_on
timer_start
meas_loop_cp u i 1m 1 20
timer_get t
pck_start
pck_add t
pck_add u
pck_add i
pck_end
endloop
on_finished:
cell_off

"""


def talk(twin: EmStatTwin, *sent: bytes, within: float = 5.0) -> list[tuple[float, bytes]]:
    """What comes, with its time, until nothing comes for `within` seconds; LinkError ends it with its name."""

    async def bench() -> list[tuple[float, bytes]]:
        heard = []
        link = await twin.connect()
        try:
            for line in sent:
                await link.send(line)
                while True:
                    try:
                        data = await link.receive(loop_time() + within)
                    except LinkTimeout:
                        break
                    heard.append((loop_time(), data))
        except LinkError as error:
            heard.append((loop_time(), type(error).__name__.encode()))
        return heard

    return virtual_time.run(bench())


def said(
    cell: Any, *faults: Fault, sent: Sequence[bytes] = (SCRIPT,), seed: int = 1, pace: float | None = None
) -> bytes:
    twin = EmStatTwin(cell, seed=seed, pace=pace, faults=faults)
    return b"".join(data for _, data in talk(twin, *sent))


def readings(data: bytes) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.concatenate([r.values for r in ReplyDecoder().feed(data) if isinstance(r, Packages)])


@pytest.fixture
def clean(dummy: Any) -> bytes:
    return said(dummy())


def test_bytes_dropped_duplicated_and_added(dummy: Any, clean: bytes) -> None:
    assert said(dummy(), Dropped(10, 3)) == clean[:10] + clean[13:]
    assert said(dummy(), Duplicated(10)) == clean[:11] + clean[10:]
    noisy = said(dummy(), Garbage(100, 16))
    assert noisy[:100] + noisy[116:] == clean
    assert noisy == said(dummy(), Garbage(100, 16))
    assert noisy != said(dummy(), Garbage(101, 16))
    assert said(dummy(), Garbage(100, 16), Dropped(100), Dropped(5)) == (
        clean[:5] + clean[6:100] + noisy[100:116] + clean[101:]
    )


def test_half_a_line(dummy: Any, clean: bytes) -> None:
    lines = clean.splitlines(keepends=True)
    damaged = said(dummy(), HalfLine(4))
    assert damaged == b"".join([*lines[:4], lines[4][: len(lines[4]) // 2], *lines[5:]])
    assert any(isinstance(reply, Unreadable) for reply in ReplyDecoder().feed(damaged))


def test_flow_control_bytes_and_acknowledgements_run_together(dummy: Any, clean: bytes) -> None:
    assert said(dummy(), FlowControl(50)).replace(b"\x11", b"") == clean
    assert said(dummy(), FlowControl(50)).count(b"\x11") == -(-len(clean) // 50)
    assert said(dummy(), RunTogether()) == b"e" + clean[2:]


def test_delays_and_stalls_are_in_time(dummy: Any, clean: bytes) -> None:
    late = talk(EmStatTwin(dummy(), faults=[Delayed(30, 2.0)]), SCRIPT)
    assert [(round(at, 3), len(data)) for at, data in late] == [(0.0, 30), (2.0, len(clean) - 30)]
    stalled = talk(EmStatTwin(dummy(), faults=[Stalled(30)]), SCRIPT, b"Z\n", b"t\n")
    assert stalled == [(0.0, clean[:30])]
    woken = talk(EmStatTwin(dummy(), faults=[Stalled(30, 7.0)]), SCRIPT, b"Z\n", b"t\n")
    assert b"".join(data for _, data in woken).endswith(b"R*\n")


def test_a_pulled_cable_loses_the_link_until_it_is_back(dummy: Any, clean: bytes) -> None:
    async def bench() -> None:
        twin = EmStatTwin(dummy(), pace=1.0, faults=[Unplugged(200, 30.0)])
        link = await twin.connect()
        await link.send(SCRIPT)
        assert await _drain(link) == clean[:200]
        with pytest.raises(LinkLost):
            await link.send(b"Z\n")
        lost = loop_time()
        with pytest.raises(LinkLost, match="no such port"):
            await twin.connect()
        await asyncio.sleep(31.0)
        link = await twin.connect()
        await link.send(b"Z\n")
        assert await link.receive(loop_time() + 1.0) == b"Z!0006\n"  # the script has run to its end
        assert loop_time() == pytest.approx(lost + 31.0, abs=0.1)
        assert not twin.energised

    virtual_time.run(bench())


def test_who_did_not_look_while_the_cable_was_out_has_lost_the_link_too(dummy: Any) -> None:
    async def bench() -> None:
        link = await EmStatTwin(dummy(), faults=[Unplugged(5, 1.0)]).connect()
        await link.send(b"t\n")
        assert await link.receive(loop_time() + 1.0) == b"tes4_"
        await asyncio.sleep(60.0)
        with pytest.raises(LinkLost):
            await link.send(b"t\n")

    virtual_time.run(bench())


def test_a_cable_pulled_from_a_pty_comes_back_under_another_name(dummy: Any) -> None:
    async def bench() -> None:
        twin = EmStatTwin(dummy(), faults=[Unplugged(200, 0.1)])
        async with twin.listen("pty") as address:
            link = await connect(address, SerialSettings())()
            await link.send(SCRIPT)
            assert len(await _drain(link)) <= 200
            await link.aclose()
            for _ in range(500):
                await asyncio.sleep(0.01)
                if twin.port.name != address:
                    break
            link = await connect(twin.port.name, SerialSettings())()
            await link.send(b"Z\n")
            assert (await link.receive(loop_time() + 5.0)).startswith((b"P", b"Z", b"*"))
            await link.aclose()

    run(bench())


async def _drain(link: Link) -> bytes:
    """What comes before the link is lost."""
    got = b""
    try:
        while True:
            got += await link.receive(loop_time() + 5.0)
    except LinkLost:
        return got


def test_the_firmware_fails_with_the_cell_left_on(dummy: Any, clean: bytes) -> None:
    cell = dummy()
    twin = EmStatTwin(cell, faults=[FirmwareError(At(1, 5))])
    heard = b"".join(data for _, data in talk(twin, SCRIPT, b"Z\n", b"e\ncell_off\n\n"))
    lines = clean.splitlines(keepends=True)
    assert heard == b"".join(lines[:7]) + b"!0032: Line 1\nZ!0006\ne\n\n"
    assert cell.lived == pytest.approx(5.02)
    assert cell.charge == pytest.approx(5.01e-3, rel=5e-3)  # it was on until it was switched off
    assert not twin.unit.cell_is_on
    before = said(dummy(), FirmwareError(At(2, 0), 0x7FFF), sent=(SCRIPT, SCRIPT))
    assert before == clean + b"e\n!7FFF: Line 1\n"


def test_a_reboot_forgets_everything(dummy: Any, clean: bytes) -> None:
    async def bench() -> None:
        twin = EmStatTwin(dummy(), faults=[Reboot(At(1, 3), 2.0)])
        link = await twin.connect()
        await link.send(b"l" + SCRIPT[1:])
        await link.send(b"r\n")
        assert (await _drain(link)).count(b"P") == 3
        assert not twin.unit.cell_is_on
        with pytest.raises(LinkLost):
            await twin.connect()
        await asyncio.sleep(2.5)
        link = await twin.connect()
        await link.send(b"r\n")
        assert await link.receive(loop_time() + 1.0) == b"r!000C\n"
        assert twin.unit.settings.mode == 0

    virtual_time.run(bench())


def test_wrong_devices_answer(dummy: Any) -> None:
    assert said(dummy(), WrongModel("espico"), sent=[b"t\n"]).startswith(b"tespico1500#")
    assert said(dummy(), Impostor(), sent=[b"\n", b"t\n"]).count(b'"success":false') == 2


def test_deaf_for_longer(dummy: Any) -> None:
    async def bench() -> None:
        link = await EmStatTwin(dummy(), faults=[Deaf(1.0)]).connect()
        for wait, answered in ((0.0, True), (0.2, False), (0.7, False), (0.3, True)):
            await asyncio.sleep(wait)
            await link.send(b"Z\n")
            try:
                got = await link.receive(loop_time())
            except LinkTimeout:
                got = b""
            assert bool(got) == answered

    virtual_time.run(bench())


def test_readings_that_cannot_be_used(dummy: Any, clean: bytes) -> None:
    data = said(dummy(), NotANumber(4, 2))
    assert data.count(b"ab     nan,10,2") == 2
    assert np.flatnonzero(np.isnan(readings(data)[:, 1])).tolist() == [4, 5]
    stuck = readings(said(dummy(rs=10.0, rp=50.0, c=1.0), StuckReading(6)))[:, 1]
    assert len(set(stuck[:6])) > 3
    assert set(stuck[5:]) == {stuck[5]}
    over = said(dummy(), Overload(10))
    assert over.count(b",12,2") == 10
    assert readings(over)[10:, 1].tolist() == [6.0] * 10


def test_a_stuck_output_acknowledges_and_keeps_its_current(dummy: Any) -> None:
    cell = dummy()
    twin = EmStatTwin(cell, faults=[StuckOutput()])
    heard = b"".join(data for _, data in talk(twin, SCRIPT, b"e\ncell_off\n\n", b"e\nwait 10\n\n"))
    assert heard.endswith(b"*\n\ne\n\ne\n\n")
    assert twin.unit.cell_is_on
    assert cell.charge == pytest.approx(30.02e-3, rel=5e-3)
    measured = (
        b"e\nvar u\nmeas_loop_ocp u 1 2\npck_start\npck_add u\npck_end\nendloop\n\n"  # read-back by potential
    )
    volts = readings(b"".join(data for _, data in talk(twin, measured)))
    assert volts[:, 0] == pytest.approx([0.01, 0.01], abs=1e-3)


def test_a_lead_that_comes_off_drives_the_galvanostat_to_its_end(dummy: Any) -> None:
    cell = dummy()
    values = readings(said(cell, OpenLead(8.01)))
    assert values[:8, 1] == pytest.approx([0.01] * 8, abs=1e-3)
    assert values[8:, 1] == pytest.approx([6.0] * 12, rel=1e-3)
    assert cell.charge == pytest.approx(8e-3, rel=5e-3)
    assert said(dummy(), OpenLead(8.01)).count(b",12,2") == 12


@pytest.mark.parametrize("pace", [None, 3.0])
def test_what_goes_wrong_goes_wrong_alike_every_time(dummy: Any, pace: float | None) -> None:
    faults = (Garbage(77), Duplicated(300, 5), FirmwareError(At(1, 15)), NotANumber(3), StuckReading(12))
    assert said(dummy(), *faults, seed=3, pace=pace) == said(dummy(), *faults, seed=3, pace=pace)
