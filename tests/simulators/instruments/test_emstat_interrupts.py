"""Commands that come while a script runs, and what they leave behind. Invented by us."""

from collections.abc import Callable
from typing import Any

import pytest

from hilcycler_drivers.emstat.wire import Packages, ReplyDecoder

SCRIPT = b"""e
var t
var u
var i
set_pgstat_mode 6
set_range db 10m
cell_on
timer_start
loop 1i < 2i
meas_loop_cp u i 1m 1 100
timer_get t
%spck_start
pck_add t
pck_end
endloop
send_string "next"
wait 10
breakloop
endloop
on_finished:
cell_off
send_string "finished"

"""
PLAIN = SCRIPT % b""
ROW_BY_ROW = SCRIPT % b"wait 100u\n"  # the body takes time, so nothing can be foreseen


def times(said: bytes) -> list[float]:
    return [
        float(t)
        for reply in ReplyDecoder().feed(said)
        if isinstance(reply, Packages)
        for t in reply.values[:, 0]
    ]


@pytest.mark.parametrize("script", [PLAIN, ROW_BY_ROW])
def test_abort_in_the_middle_of_a_measurement(bench: Any, script: bytes) -> None:
    b = bench(pace=1.0)
    said = b.say(script) + b.wait(7.4)
    assert times(said) == pytest.approx([1, 2, 3, 4, 5, 6, 7], abs=1e-3)
    assert b.say(b"Z\n") == b"Z\n*\n+\nTfinished\n\n"
    assert not b.unit.cell_is_on
    assert b.cell.lived == pytest.approx(7.41, abs=1e-6)
    assert b.cell.charge == pytest.approx(7.4e-3, rel=5e-3)
    b.wait(1.0)
    assert b.say(b"Z\n") == b"Z!0006\n"


@pytest.mark.parametrize("script", [PLAIN, ROW_BY_ROW])
def test_leaving_only_the_measurement_loop(bench: Any, script: bytes) -> None:
    b = bench(pace=1.0)
    b.say(script)
    b.wait(3.5)
    assert b.say(b"Y\n") == b"Y\n*\nTnext\n"
    assert b.unit.cell_is_on
    assert b.wait(9.0) == b""
    assert b.wait(1.1) == b"+\nTfinished\n\n"
    assert b.cell.lived == pytest.approx(13.51, abs=1e-3)


@pytest.mark.parametrize("script", [PLAIN, ROW_BY_ROW])
def test_halt_leaves_the_cell_as_it_is_and_resume_goes_on(bench: Any, script: bytes) -> None:
    b = bench(pace=1.0)
    b.say(script)
    b.wait(2.5)
    assert b.say(b"h\n") == b"h\n"
    assert b.wait(100.0) == b""
    assert b.unit.cell_is_on
    assert b.say(b"h\nR\n") == b"h\nR\n"
    assert b.say(b"H\n") == b"H\n"
    assert times(b.wait(1.0)) == pytest.approx([103.0], abs=2e-3)
    assert times(b.wait(1000.0))[-1] == pytest.approx(200.0, abs=1e-2)
    assert b.cell.charge == pytest.approx(0.2 + 0.01, rel=5e-3)  # the current flowed while it stood still
    assert not b.unit.cell_is_on


def test_abort_while_halted_and_while_waiting(bench: Any) -> None:
    b = bench(pace=1.0)
    b.say(PLAIN)
    b.wait(2.5)
    b.say(b"h\n")
    b.wait(10.0)
    assert b.say(b"Z\n") == b"Z\n*\n+\nTfinished\n\n"
    assert b.cell.lived == pytest.approx(12.51, abs=1e-6)
    b = bench(pace=1.0)
    b.say(PLAIN)
    assert b.wait(105.0).endswith(b"*\nTnext\n")
    assert b.say(b"Z\n") == b"Z\n+\nTfinished\n\n"
    assert b.cell.lived == pytest.approx(105.01, abs=1e-6)


def test_only_five_commands_are_obeyed_while_a_script_runs(bench: Any) -> None:
    b = bench(pace=1.0)
    b.say(PLAIN)
    assert b.say(b"\n") == b""
    assert b.say(b"H\n") == b"H\n"
    assert b.say(b"t\n") == b"t!0006\n"
    b.wait(0.2)
    assert b.say(b"e\ncell_off\n\n") == b"e!0006\n"
    assert b.unit.cell_is_on


def test_commands_are_obeyed_at_the_time_they_came_however_late_one_listens(bench: Any) -> None:
    b = bench(pace=1.0)
    b.say(PLAIN)
    b.now += 4.5
    b.firmware.feed(b"Y\n", b.now)
    b.now += 2.0
    b.firmware.feed(b"Z\n", b.now)
    b.now += 1000.0
    assert b.hear() == (
        b"".join(b"Peb%s\n" % t for t in (b"80F4240u", b"81E8480u", b"82DC6C0u", b"83D0900u"))
        + b"Y\n*\nTnext\nZ\n+\nTfinished\n\n"
    )
    assert b.cell.lived == pytest.approx(6.51, abs=1e-6)


def test_without_a_pace_an_abort_comes_between_what_has_been_said_and_what_has_not(bench: Any) -> None:
    b = bench()
    b.firmware.feed(PLAIN.replace(b"1m 1 100", b"1m 1 100000"), b.now)
    said = b.firmware.emit(b.now)
    rest = b.say(b"Z\n")
    assert rest.endswith(b"Z\n*\n+\nTfinished\n\n")
    seen = times(said + rest)
    assert seen == list(range(1, len(seen) + 1))
    assert b.cell.lived == pytest.approx(len(seen) + 0.01)


def test_reversing_a_cyclic_voltammogram(bench: Any) -> None:
    b = bench(pace=1.0)
    script = (
        b"e\nvar p\nvar c\nset_pgstat_mode 2\nset_range ba 1m\nset_e 0\ncell_on\n"
        b"meas_loop_cv p c 0 100m -100m 10m 10m\npck_start\npck_add p\npck_end\nendloop\n"
        b"on_finished:\ncell_off\n\n"
    )
    said = b.say(script) + b.wait(4.5) + b.say(b"R\n") + b.wait(100.0)
    assert [round(t, 3) for t in times(said)] == [
        0.0, 0.01, 0.02, 0.03,
        0.04, 0.03, 0.02, 0.01, 0.0, -0.01, -0.02, -0.03, -0.04, -0.05, -0.06, -0.07, -0.08, -0.09, -0.1,
        -0.09, -0.08, -0.07, -0.06, -0.05, -0.04, -0.03, -0.02, -0.01, 0.0,
    ]  # fmt: skip
    assert said.endswith(b"*\n\n")


@pytest.mark.parametrize("interrupt", [b"", b"h\n", b"Y\n", b"Z\n"])
def test_how_often_one_looks_makes_no_difference(bench: Any, interrupt: bytes) -> None:
    def run(look: Callable[[Any, float], bytes]) -> tuple[bytes, float, float]:
        b = bench(pace=2.0)
        said = (
            b.say(PLAIN)
            + look(b, 7.3)
            + b.say(interrupt)
            + look(b, 20.0)
            + b.say(b"H\n" * (interrupt == b"h\n"))
        )
        said += look(b, 400.0)
        return said, b.cell.lived, b.cell.charge

    def rarely(b: Any, seconds: float) -> bytes:
        heard: bytes = b.wait(seconds)
        return heard

    def often(b: Any, seconds: float) -> bytes:
        begun, steps = b.now, 97
        heard = b""
        for n in range(1, steps + 1):
            b.now = begun + seconds * n / steps
            heard += b.hear()
        return heard

    once, other = run(rarely), run(often)
    assert once[0] == other[0]
    assert once[1:] == pytest.approx(other[1:], rel=1e-12)
