"""What a simulated EmStat measures on known circuits, within what its class promises."""

from typing import Any

import numpy as np
import pytest

from hilcycler.protocol import Envelope
from hilcycler.steps import (
    ChargeReached,
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CurrentBelow,
    CyclicVoltammetry,
    End,
    LinearSweep,
    Rest,
    Sampling,
    Step,
    TimeReached,
    VoltageAbove,
    VoltageSettled,
)
from hilcycler_drivers.emstat.compile import compile_step
from hilcycler_drivers.emstat.wire import Execute, LoopStarted, Packages, ReplyDecoder, encode
from hilcycler_drivers.emstat.wire.devices import DEVICES
from hilcycler_drivers.emstat.wire.script import print_script
from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.instruments.emstat.converter import Converter, CurrentChoice

Array = np.ndarray[Any, np.dtype[np.float64]]


def measure(bench: Any, loop: str, setup: str, *, outputs: str = "a b", add: str = "") -> Packages:
    names = outputs.split() + (["m"] if add else [])
    lines = [f"var {name}" for name in names] + setup.strip().splitlines() + ["cell_on"]
    lines += [
        f"{loop} {add}".strip(),
        "pck_start",
        *(f"pck_add {name}" for name in names),
        "pck_end",
        "endloop",
    ]
    said = bench.say(
        ("e\n" + "\n".join(line.strip() for line in lines) + "\non_finished:\ncell_off\n\n").encode()
    )
    found = [reply for reply in ReplyDecoder().feed(said) if isinstance(reply, Packages)]
    assert found, said
    assert not bench.unit.cell_is_on
    return Packages(
        found[0].vartypes,
        found[0].measured,
        np.concatenate([block.values for block in found]),
        np.concatenate([block.status for block in found]),
        np.concatenate([block.ranges for block in found]),
    )


POTENTIOSTAT = "set_pgstat_mode 2\nset_autoranging ba 100n 100m\nset_e 0"


def test_chronoamperometry_of_a_capacitor(bench: Any, dummy: Any) -> None:
    b = bench(dummy(rs=100.0, rp=900.0, c=0.01))
    block = measure(b, "meas_loop_ca a b 500m 100m 10", POTENTIOSTAT)
    t = np.arange(1, 101) * 0.1
    truth = 0.5 / 1000.0 + (0.5 / 100.0 - 0.5 / 1000.0) * np.exp(-t / 0.9)
    assert block.vartypes == ("da", "ba")
    assert block.values[:, 0] == pytest.approx(np.full(100, 0.5), abs=3e-5)
    assert block.values[:, 1] == pytest.approx(truth, rel=4e-3, abs=2e-6)
    assert set(block.ranges[:, 1]) == {21, 24}  # 1 mA and, at the beginning, 10 mA


def test_linear_sweeps_of_a_resistor_and_of_a_capacitor(bench: Any, dummy: Any) -> None:
    block = measure(bench(dummy(rs=1000.0)), "meas_loop_lsv a b -100m 200m 5m 10m", POTENTIOSTAT)
    assert block.values[:, 0] == pytest.approx(np.linspace(-0.1, 0.2, 61), abs=3e-5)
    assert block.values[:, 1] == pytest.approx(block.values[:, 0] / 1000.0, rel=3e-3, abs=1e-7)
    b = bench(dummy(rs=100.0, rp=1e9, c=10e-3))  # the stairs are short against its 1 s
    block = measure(b, "meas_loop_lsv a b 0 1 1m 100m", POTENTIOSTAT)
    assert block.values[600:, 1] == pytest.approx(np.full(401, 10e-3 * 0.1), rel=1e-2)


def test_a_current_sweep_of_a_resistor(bench: Any, dummy: Any) -> None:
    setup = "set_pgstat_mode 6\nset_range db 1m\nset_i 0"
    block = measure(bench(dummy(rs=500.0)), "meas_loop_lsp a b 0 1m 100u 100u", setup)
    assert block.vartypes == ("ab", "db")
    assert block.values[:, 1] == pytest.approx(np.linspace(0.0, 1e-3, 11), abs=1e-9)
    assert block.values[:, 0] == pytest.approx(500.0 * block.values[:, 1], rel=3e-3, abs=3e-4)


def test_the_measured_current_of_a_galvanostatic_step(bench: Any, dummy: Any) -> None:
    setup = "set_pgstat_mode 6\nset_range db 10m\nset_i 0"
    block = measure(bench(dummy()), "meas_loop_cp a b 5m 1 50", setup, add="add_meas(0 ba m)")
    assert block.measured == (True, False, True)
    assert np.unique(block.values[:, 1]) == pytest.approx([5e-3])
    assert block.values[:, 2] == pytest.approx(np.full(50, 5e-3), rel=2e-3, abs=5e-6)


@pytest.mark.parametrize("galvanostatic", [False, True])
def test_a_spectrum_of_a_resistor_and_a_capacitor(bench: Any, dummy: Any, *, galvanostatic: bool) -> None:
    b = bench(dummy(rs=20.0, rp=80.0, c=1e-3))
    if galvanostatic:
        setup, loop = "set_pgstat_mode 6\nset_range db 1m\nset_i 0", "meas_loop_geis a b c 100u 100k 10m 71 0"
    else:
        setup, loop = (
            "set_pgstat_mode 3\nset_autoranging ba 1u 100m\nset_e 0",
            "meas_loop_eis a b c 5m 100k 10m 71 0",
        )
    block = measure(b, loop, setup, outputs="a b c")
    assert block.vartypes == ("dc", "cc", "cd")
    f = block.values[:, 0]
    assert f == pytest.approx(np.geomspace(1e5, 1e-2, 71), rel=1e-5)
    truth = 20.0 + 80.0 / (1.0 + 2j * np.pi * f * 0.08)
    seen = block.values[:, 1] + 1j * block.values[:, 2]
    assert (np.abs(seen - truth) / np.abs(truth) < 8e-3).all()
    assert block.values[35, 2] < 0.0  # capacitive: the physical sign
    assert b.cell.lived > 3.0 / 0.01


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("set_pgstat_mode 2\ncell_on\nmeas_loop_eis a b c 5m 100k 1 5 0\nendloop", b"!0023: Line 6\n"),
        ("set_pgstat_mode 3\ncell_on\nmeas_loop_eis a b c 5m 1M 1 5 0\nendloop", b"!0011: Line 6\n"),
        ("set_pgstat_mode 3\ncell_on\nmeas_loop_eis a b c 2 1k 1 5 0\nendloop", b"!0012: Line 6\n"),
        ("set_pgstat_mode 3\ncell_on\nmeas_loop_cp a b 1m 1 5\nendloop", b"!0023: Line 6\n"),
        ("set_pgstat_mode 2\ncell_on\nmeas_loop_ca a b 9 1 5\nendloop", b"!000F: Line 6\n"),
        ("set_pgstat_mode 2\ncell_on\nmeas_loop_ca a b 1 0 5\nendloop", b"!4204: Line 6\n"),
        ("set_pgstat_mode 2\ncell_on\nmeas_loop_ca a b 1 5 1\nendloop", b"!4029: Line 6\n"),
        ("set_pgstat_mode 2\nmeas_loop_lsv a b 0 1 1m 1m\nendloop", b"!4027: Line 5\n"),
        ("set_pgstat_mode 6\nset_range db 1m\nset_i 10m", b"!4205: Line 6\n"),
    ],
)
def test_what_cannot_be_measured_is_refused(bench: Any, script: str, error: bytes) -> None:
    assert bench().say(f"e\nvar a\nvar b\nvar c\n{script}\n\n".encode()) == b"e\n" + error


# --- ranges, noise --------------------------------------------------------------------------


def test_a_fixed_range_flags_and_clips_what_it_cannot_hold() -> None:
    device = DEVICES["es4_hr"]
    choice = CurrentChoice(tuple(r for r in device.current_ranges if r.nominal == 1e-3))
    true = np.array([1e-5, 1e-3, 2.6e-3, 5e-3, -5e-3, np.nan])
    reading = Converter(device, seed=4).read_current(true, 0, choice)
    assert reading.status.tolist() == [4, 0, 8, 2, 2, 2]
    assert reading.values[[3, 4, 5]].tolist() == [2.92e-3, -2.92e-3, 2.92e-3]
    assert set(reading.ranges) == {21}


def test_autoranging_takes_the_smallest_range_that_holds_the_current() -> None:
    device = DEVICES["es4_hr"]
    reading = Converter(device, seed=4).read_current(
        np.array([1e-8, 2e-7, 5e-6, 1e-3, 0.09]), 0, CurrentChoice(device.current_ranges)
    )
    assert reading.ranges.tolist() == [9, 9, 15, 21, 27]
    assert reading.values == pytest.approx([1e-8, 2e-7, 5e-6, 1e-3, 0.09], rel=1e-2)


def test_noise_belongs_to_the_sample_and_not_to_the_look() -> None:
    converter = Converter(DEVICES["es4_hr"], seed=9)
    whole = converter.read_voltage(np.full(1000, 0.3), 500).values
    parts = [converter.read_voltage(np.full(100, 0.3), 500 + 100 * n).values for n in range(10)]
    assert whole.tolist() == np.concatenate(parts).tolist()
    assert (
        Converter(DEVICES["es4_hr"], seed=9).read_voltage(np.full(1000, 0.3), 500).values.tolist()
        == whole.tolist()
    )
    assert (
        Converter(DEVICES["es4_hr"], seed=8).read_voltage(np.full(1000, 0.3), 500).values.tolist()
        != whole.tolist()
    )


def test_noise_is_white_and_a_few_converter_counts() -> None:
    values = Converter(DEVICES["es4_hr"], seed=2).read_voltage(np.full(100_000, 0.3), 0).values
    counts = np.round(values * 20_000.0)
    assert np.abs(counts - values * 20_000.0).max() < 1e-6  # nothing between two counts
    assert 0.5 < counts.std() < 1.2
    centred = counts - counts.mean()
    assert abs(float(centred[1:] @ centred[:-1])) / float(centred @ centred) < 0.015


def test_the_last_digits_of_a_processor_do_not_show() -> None:
    converter = Converter(DEVICES["es4_hr"], seed=2)
    true = np.random.default_rng(0).uniform(-1.0, 1.0, 20_000)
    nudged = np.nextafter(np.nextafter(true, np.inf), np.inf)
    assert (
        converter.read_voltage(true, 0).values.tolist() == converter.read_voltage(nudged, 0).values.tolist()
    )


# --- the law, on the scripts that the driver sends ------------------------------------------

ENVELOPE = Envelope(voltage=(-2.0, 2.0), current=(-5e-3, 5e-3), charge=20.0)
LATER = End(TimeReached(900.0))
STEPS: dict[str, Step] = {
    "constant current": ConstantCurrent(-1.131e-3, (LATER, End(VoltageAbove(1.0)))),
    "by change": ConstantCurrent(1.131e-3, (LATER,), Sampling(1.0, 60.0, voltage_change=2e-4)),
    "by charge": ConstantCurrent(1.131e-3, (End(ChargeReached(1.0)),)),
    "by decades": ConstantVoltage(0.02, (LATER,), Sampling(0.1, None, points_per_decade=20)),
    "by decades, a period and change": ConstantCurrent(
        1.131e-3, (LATER,), Sampling(1.0, 90.0, voltage_change=2e-4, points_per_decade=10)
    ),
    "rest": Rest((End(TimeReached(300.0)),)),
    "settling": Rest((End(VoltageSettled(1e-6)), LATER)),
    "hold": ConstantVoltage(
        0.02, (End(CurrentBelow(1e-6)), End(TimeReached(300.0))), Sampling(1.0, 10.0, current_change=1e-6)
    ),
    "cc-cv": ConstantCurrentConstantVoltage(1e-3, 0.02, (End(TimeReached(300.0)),)),
    "sweep": LinearSweep(0.0, 0.02, 1e-3),
    "cycles": CyclicVoltammetry(0.0, 0.005, -0.005, 5e-3, scans=2),
}


@pytest.mark.parametrize("name", STEPS)
def test_scripts_run_over_whole_grids_as_they_run_line_by_line(bench: Any, name: str) -> None:
    text = print_script(compile_step(STEPS[name], ENVELOPE, DEVICES["es4_hr"]).script)
    said = []
    for vectorise in (True, False):
        b = bench(catalogue.make("li-li/bn-pp", 3), seed=3, vectorise=vectorise)
        said.append((b.say(encode(Execute(text))), b.cell.truth["clock_s"], b.unit.samples))
    assert said[0] == said[1]
    assert any(isinstance(reply, LoopStarted) for reply in ReplyDecoder().feed(said[0][0]))
    assert said[0][0].endswith(b"\n\n")
