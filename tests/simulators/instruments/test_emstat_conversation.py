"""What the simulated firmware answers, byte for byte.

Origin of the transcripts: lines marked (M) are from PalmSens' published material (example scripts,
their Python client's command registry, its hardware tests) as far as their replies are shown there;
(I) were recorded from an independent open simulator of the EmStat Pico; (O) are our own reading of
the manual as others describe it. None was recorded from hardware by us.
"""

from typing import Any

import numpy as np
import pytest

from hilcycler_drivers.emstat.wire import (
    Echo,
    EmptyLine,
    LoopEnded,
    LoopStarted,
    Packages,
    Reply,
    ReplyDecoder,
    ScanEnded,
    ScanStarted,
)

ALWAYS = 0.2  # longer than an error makes the firmware deaf


def decode(data: bytes) -> list[Reply]:
    return ReplyDecoder().feed(data)


def packages(data: bytes) -> Packages:
    (found,) = [reply for reply in decode(data) if isinstance(reply, Packages)]
    return found


def script(text: str) -> bytes:
    return ("e\n" + "".join(f"{line.strip()}\n" for line in text.strip().splitlines()) + "\n").encode()


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"\n", b"\n"),  # (M) their hardware tests expect it
        (b"t\n", b"tes4_hr1500#Mar 12 2026 14:28:01\nR*\n"),  # (M) the form
        (b"i\n", b"iES4HR20B0008\n"),  # (M) the form
        (b"v\n", b"v01.09.00\n"),  # (M)
        (b"Z\n", b"Z!0006\n"),  # (M), (I)
        (b"h\n", b"h!0006\n"),  # (O)
        (b"fail\n", b"f!0003\n"),  # (M), (I)
        (b"m\n", b"m!0048\n"),  # (M)
        (b"r\n", b"r!000C\n"),  # (M)
        (b"e\nfail\n\n", b"e!4001: Line 1, Col 5\n"),  # (I)
        (b"l\nvar x\nvar x\n\n", b"l!4026: Line 2, Col 6\n"),  # (O)
        (b"e\nset_pgstat_mode 2\nset_e 7\n\n", b"e\n!000F: Line 2\n"),  # (I) the form
        (b"e\nset_pgstat_mode 6\nset_i 1\n\n", b"e\n!4205: Line 2\n"),  # (O)
        (b"e\nset_pgstat_mode 9\n\n", b"e\n!0021: Line 1\n"),  # (M) the code
        (b"e\ncell_off\n\n", b"e\n\n"),  # (M)
        (b'e\nsend_string "hello"\n\n', b"e\nThello\n\n"),  # (M)
        (
            b"e\nvar p\nset_pgstat_mode 6\nmeas_loop_cp p p 1m 1 3\nendloop\n\n",
            b"e\n!4027: Line 3\n",
        ),  # (M) the code
    ],
)
def test_commands_and_their_answers(bench: Any, sent: bytes, answer: bytes) -> None:
    assert bench().say(sent) == answer


def test_a_loaded_script_runs_as_often_as_asked(bench: Any) -> None:
    b = bench()
    assert b.say(b'l\nsend_string "x"\n\n') == b"l\n"
    assert b.say(b"r\n") == b"r\nTx\n\n"
    assert b.say(b"r\n") == b"r\nTx\n\n"


def test_after_an_error_the_firmware_is_deaf_for_a_while(bench: Any) -> None:
    b = bench()
    assert b.say(b"Z\n") == b"Z!0006\n"
    assert b.say(b"t\n") == b""
    b.wait(ALWAYS)
    assert b.say(b"t\n").startswith(b"tes4_hr")


def test_the_pico_refuses_galvanostat_commands_and_says_where(bench: Any) -> None:
    b = bench(model="espico")
    assert b.say(b"t\n").startswith(b"tespico")
    assert b.say(b"e\nvar p\n meas_loop_cp p p 1m 1 3\nendloop\n\n") == b"e!4001: Line 2, Col 14\n"


def test_a_bootloader_knows_only_who_it_is(bench: Any) -> None:
    b = bench(model="espbl")
    assert b.say(b"t\n").startswith(b"tespbl")
    assert b.say(b"e\ncell_off\n\n") == b"e!0003\n"


@pytest.mark.parametrize("model", ["es4_lr", "es4_hr", "mes4lr", "mes4hr", "nexus1", "espico"])
def test_capability_bits_tell_whether_there_is_a_galvanostat(bench: Any, model: str) -> None:
    bits = int(bench(model=model).say(b"CM\n")[1:], 16)
    assert bool(bits >> 67 & 1) == (model != "espico")


def test_the_recorded_cyclic_voltammogram_has_the_same_shape(bench: Any, dummy: Any) -> None:
    """(I): same markers, same potentials to one converter step; currents are those of the cell."""
    said = bench(dummy(rs=1e6)).say(
        script(
            """
            var p
            var c
            set_pgstat_mode 2
            set_range ba 100n
            set_e 0
            cell_on
            meas_loop_cv p c 0 100m 0 50m 1 nscans(2)
            pck_start
            pck_add p
            pck_add c
            pck_end
            endloop
            on_finished:
            cell_off
            """
        )
    )
    shape = [type(reply) for reply in decode(said)]
    scan = [ScanStarted, Packages, ScanEnded]
    assert shape == [Echo, LoopStarted, *scan, *scan, LoopEnded, EmptyLine]
    assert said.startswith(b"e\nM0005\nC0000\nPda8000000 ;ba")
    first, second = (reply for reply in decode(said) if isinstance(reply, Packages))
    assert first.values[:, 0] == pytest.approx([0.0, 0.05, 0.1, 0.05, 0.0], abs=5e-5)
    assert second.values[:, 0] == pytest.approx([0.05, 0.1, 0.05, 0.0], abs=5e-5)
    assert first.values[:, 1] == pytest.approx(first.values[:, 0] / 1e6, abs=2e-10)
    assert first.measured == (False, True)


CONSTANT_CURRENT = """
    var t
    var u
    var i
    set_pgstat_chan 0
    set_pgstat_mode 6
    set_max_bandwidth 40
    set_range ab 5
    set_range db 10m
    set_autoranging db 10m 10m
    set_i 0
    cell_on
    timer_start
    meas_loop_cp u i {current} 1 {seconds}
    timer_get t
    pck_start
    pck_add t
    pck_add u
    pck_add i
    pck_end
    if u >= 4200m
    breakloop
    endif
    if u <= -4200m
    breakloop
    endif
    endloop
    on_finished:
    cell_off
    """


def test_constant_current_on_a_resistor_and_a_capacitor(bench: Any, dummy: Any) -> None:
    b = bench(dummy(rs=10.0, rp=20.0, c=5.0))
    said = b.say(script(CONSTANT_CURRENT.format(current="5m", seconds=600)))
    assert said.startswith(b"e\nM000A\nPeb80F4240u;ab")
    assert said.endswith(b"*\n\n")
    block = packages(said)
    t, u, i = block.values.T
    assert block.vartypes == ("eb", "ab", "db")
    assert t.tolist() == list(range(1, 601))
    assert np.unique(i) == pytest.approx([5e-3])
    truth = 5e-3 * (10.0 + 20.0 * (1.0 - np.exp(-t / 100.0)))
    assert u == pytest.approx(truth, rel=2e-3, abs=4e-4)
    assert not b.unit.cell_is_on
    assert b.cell.charge == pytest.approx(3.0, rel=2e-3)


def test_the_cut_off_acts_inside_the_instrument(bench: Any, dummy: Any) -> None:
    b = bench(dummy(rs=0.001, rp=1e6, c=1.0))
    said = b.say(script(CONSTANT_CURRENT.format(current="100m", seconds=36000).replace("10m", "100m")))
    block = packages(said)
    assert (block.values[:-1, 1] < 4.2).all()
    assert block.values[-1, 1] >= 4.2
    assert 41 <= len(block) <= 43
    assert not b.unit.cell_is_on


def test_open_circuit_is_watched_with_the_cell_off(bench: Any, dummy: Any) -> None:
    text = "var u\nmeas_loop_ocp u 1 5\npck_start\npck_add u\npck_end\nendloop"
    block = packages(bench(dummy(rest=3.3)).say(script(text)))
    assert block.values[:, 0] == pytest.approx([3.3] * 5, abs=2e-3)
    on = "set_pgstat_mode 2\nset_e 0\ncell_on\n"
    assert bench().say(script(on + text)).endswith(b"!0014: Line 5\n")


def test_after_a_runtime_error_the_cell_stays_on_and_on_finished_is_skipped(bench: Any) -> None:
    b = bench()
    said = b.say(
        script(
            """
            set_pgstat_mode 6
            set_i 1m
            cell_on
            set_i 5
            on_finished:
            cell_off
            """
        )
    )
    assert said == b"e\n!4205: Line 4\n"
    assert b.unit.cell_is_on
    b.wait(ALWAYS)
    assert b.say(b"e\ncell_off\n\n") == b"e\n\n"
    assert not b.unit.cell_is_on


def test_loops_conditions_and_texts(bench: Any) -> None:
    said = bench().say(
        script(
            """
            var n
            store_var n 0i ja
            loop n < 5i
              add_var n 1i
              if n == 2i
                send_string f"two is {n}"
              elseif n > 3i
                breakloop
              else
                send_string "other"
              endif
            endloop
            abort
            send_string "never"
            on_finished:
            send_string "done"
            """
        )
    )
    assert said == b"e\nL\nTother\nTtwo is 2\nTother\n+\nTdone\n\n"


def test_a_muted_script_says_nothing_but_still_works(bench: Any, dummy: Any) -> None:
    b = bench(dummy(rs=100.0))
    said = b.say(
        script(
            """
            var u
            var i
            set_pgstat_mode 6
            cell_on
            set_script_output 0
            meas_loop_cp u i 1m 1 10
            pck_start
            pck_add u
            pck_end
            endloop
            set_script_output 1
            pck_start
            pck_add u
            pck_end
            """
        )
    )
    assert said.count(b"P") == 1
    assert packages(said).values[0, 0] == pytest.approx(0.1, rel=5e-3)


def test_a_script_that_never_gets_anywhere_can_still_be_aborted(bench: Any) -> None:
    b = bench()
    b.firmware.feed(script("loop 1i < 2i\nendloop\non_finished:\ncell_off"), b.now)
    said = b"".join(b.firmware.emit(b.now) for _ in range(50))
    assert said == b"e\nL\n"
    b.now += 1.0
    assert b.say(b"Z\n") == b"Z\n+\n\n"
