"""Nothing that is accepted commands a voltage or a current beyond the limits: read from the compiled scripts.

Whatever step a file may hold, whatever the bench allows: it is refused, or each number that its script
gives to the hardware lies within the bench's limits and the file's own. The default run is small; the large
one: `LANGUAGE_EXAMPLES=100000 pytest tests/preflight/test_set_points.py --timeout 7200`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from hilcycler.cell import Cell, Electrode
from hilcycler.engine import at_open_circuit
from hilcycler.errors import RequestError, StepRefused
from hilcycler.language import loads, outside
from hilcycler.protocol import Envelope, steps_of
from hilcycler.steps import OperatorPause, SetTemperature, Step
from hilcycler_drivers.emstat import refusal
from hilcycler_drivers.emstat.compile import compile_step
from hilcycler_drivers.emstat.wire.devices import DEVICES
from hilcycler_drivers.emstat.wire.script import Command, Literal, MeasureLoop, Script, Statement

EXAMPLES = int(os.environ.get("LANGUAGE_EXAMPLES", "300"))
CELL = Cell("c", Electrode("Li", active_mass=1e-5), Electrode("Li"), area=1.131e-4, nominal_capacity=7.2)
DEVICE = DEVICES["es4_hr"]
ROOT_TWO = math.sqrt(2.0)


def numbers(low: float, high: float) -> st.SearchStrategy[str]:
    return st.floats(low, high).map(lambda value: f"{value:.5g}")


VOLTS = numbers(-7.0, 7.0)
MILLIAMPERES = numbers(0.001, 250.0)
CURRENTS = st.one_of(
    MILLIAMPERES.map(lambda value: f"{value} mA"),
    numbers(0.01, 200.0).map(lambda value: f"{value} mA/cm2"),
    numbers(0.01, 50.0).map(lambda value: f"{value} C"),
)
HOLDS = st.one_of(st.just(""), VOLTS.map(lambda value: f", hold at: {value} V"))
VERSUS = st.sampled_from(["", ", versus: open circuit"])
KINDS = st.one_of(
    st.just("rest: 1 h"),
    st.builds(
        lambda kind, current, hold: f"{kind}: {{current: {current}{hold}, for: 1 h}}",
        st.sampled_from(["plate", "strip", "charge", "discharge"]), CURRENTS, HOLDS,
    ),
    st.builds(
        lambda sign, value, hold: f"constant current: {{current: {sign}{value} mA{hold}, for: 1 h}}",
        st.sampled_from(["-", ""]), MILLIAMPERES, HOLDS,
    ),
    st.builds(lambda v, versus: f"constant voltage: {{voltage: {v} V{versus}, for: 1 h}}", VOLTS, VERSUS),
    st.builds(
        lambda a, b, versus: f"linear sweep: {{from: {a} V, to: {b} V, rate: 10 mV/s{versus}}}", VOLTS, VOLTS, VERSUS
    ),
    st.builds(
        lambda a, b, c, versus: "cyclic voltammetry: "
        f"{{start: {a} V, first vertex: {b} V, second vertex: {c} V, rate: 10 mV/s, scans: 2{versus}}}",
        VOLTS, VOLTS, VOLTS, VERSUS,
    ),
    st.builds(
        lambda size, kind, bias: f"peis: {{amplitude: {size} mV {kind}, from: 1 kHz, to: 1 Hz{bias}}}",
        numbers(0.1, 2000.0), st.sampled_from(["rms", "peak"]),
        st.one_of(st.just(""), VOLTS.map(lambda value: f", bias: {value} V")),
    ),
    st.builds(
        lambda size, kind, sign, bias: f"geis: {{amplitude: {size} mA {kind}, from: 1 kHz, to: 1 Hz, bias: {sign}{bias} mA}}",
        numbers(0.001, 200.0), st.sampled_from(["rms", "peak"]), st.sampled_from(["-", ""]), MILLIAMPERES,
    ),
)  # fmt: skip
LIMITS = st.tuples(st.floats(-7.0, 0.0), st.floats(0.0, 7.0))
BENCHES = st.builds(
    lambda voltage, most: Envelope(voltage=voltage, current=(-most, most)), LIMITS, st.floats(1e-5, 0.3)
)


@st.composite
def files(draw: st.DrawFn) -> str:
    steps = draw(st.lists(KINDS, min_size=1, max_size=3))
    low, high = draw(LIMITS)
    safety = draw(st.sampled_from(["", f"safety: {{voltage: {low:.4g} V to {high:.4g} V}}\n"]))
    return (
        "protocol: any\n" + safety + "steps:\n  - rest: 5 min\n" + "".join(f"  - {step}\n" for step in steps)
    )


def commanded(script: Script) -> Iterator[tuple[str, float]]:
    """Every voltage (`V`) and current (`A`) that a script gives to the hardware."""
    for command in _commands(script.body):
        given_ = [each.value for each in command.arguments if isinstance(each, Literal)]
        match command.name:
            case "set_e":
                yield "V", given_[0]
            case "set_i":
                yield "A", given_[0]
            case "meas_loop_ca":
                yield "V", given_[0]
            case "meas_loop_cp":
                yield "A", given_[0]
            case "meas_loop_lsv":
                yield from (("V", each) for each in given_[:2])
            case "meas_loop_cv":
                yield from (("V", each) for each in given_[:3])
            case "meas_loop_eis":
                yield from (("V", given_[-1] + sign * ROOT_TWO * given_[0]) for sign in (-1.0, 1.0))
            case "meas_loop_geis":
                yield from (("A", given_[-1] + sign * ROOT_TWO * given_[0]) for sign in (-1.0, 1.0))
            case _:
                continue


def _commands(body: tuple[Statement, ...]) -> Iterator[Command]:
    for statement in body:
        match statement:
            case Command():
                yield statement
            case MeasureLoop():
                yield statement.command
                yield from _commands(statement.body)
            case _:
                for inner in getattr(statement, "branches", ()):
                    yield from _commands(inner.body)
                yield from _commands(getattr(statement, "otherwise", ()) or getattr(statement, "body", ()))


def accepted(step: Step, envelope: Envelope) -> bool:
    """As the engine accepts a step: by the driver, and within the limits."""
    try:
        refusal.check(step, envelope, DEVICE, DEVICE.script_bits)
        compile_step(step, envelope, DEVICE)
    except StepRefused:
        return False
    return outside(step, envelope) is None


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files(), BENCHES, st.floats(-5.0, 5.0))
def test_what_is_accepted_commands_nothing_beyond_the_limits(
    text: str, bench: Envelope, open_circuit: float
) -> None:
    try:
        protocol = loads(text).bind(CELL)
    except RequestError:
        event("the file is refused")
        return
    envelope = bench.intersect(protocol.safety)
    for written in steps_of(protocol.body):
        if isinstance(written, OperatorPause | SetTemperature):
            continue
        step = at_open_circuit(written, open_circuit)
        if not accepted(step, envelope):
            event("the step is refused")
            continue
        event("accepted")
        for unit, value in commanded(compile_step(step, envelope, DEVICE).script):
            low, high = envelope.voltage if unit == "V" else envelope.current
            slack = 1e-6 * abs(value)  # of a literal: six digits at least
            assert low - slack <= value <= high + slack or value == 0.0, (step, unit, value, envelope)


def test_a_script_is_read_in_full() -> None:
    """What is looked for is what is there: each technique's own numbers."""
    steps = loads(
        "protocol: p\nsteps:\n  - charge: {current: 1 mA, hold at: 1.5 V, for: 1 h}\n"
        "  - cyclic voltammetry: {start: 0.1 V, first vertex: 0.2 V, second vertex: -0.3 V, rate: 10 mV/s}\n"
        "  - geis: {amplitude: 2 mA rms, from: 1 kHz, to: 1 Hz, bias: 1 mA}\n"
    ).bind(CELL).body  # fmt: skip
    found = [
        sorted(
            {
                (unit, round(value, 6))
                for unit, value in commanded(compile_step(step, Envelope(), DEVICE).script)
            }
        )
        for step in steps_of(steps)
    ]
    assert found[0] == [("A", 0.0), ("A", 0.001), ("V", 1.5)]
    assert found[1] == [("V", -0.3), ("V", 0.1), ("V", 0.2)]
    assert {("A", -0.001828), ("A", 0.003828)} <= set(found[2])
