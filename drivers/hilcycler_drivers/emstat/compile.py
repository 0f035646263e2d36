"""A step to a script: set-point, cut-offs, safety limits and recording, all inside the instrument.

Every script ends by switching the cell off, then says why it ended (`send_string`), so that the
cause comes from the instrument and is never guessed. The shape of each:

    declarations; set-up; cell_on; timer_start
    meas_loop_...
     timer_get t
     judge the sample: w
     decide whether it is recorded; send it
     leave if w says so
    endloop
    cell_off; the last sample, if it was not sent yet; how many were sent; the cause
    on_finished: cell_off
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import assert_never

from hilcycler.errors import StepRefused, WireError
from hilcycler.protocol import Envelope, ends_of
from hilcycler.quantities import Ampere, Second, Volt
from hilcycler.steps import (
    ChargeReached,
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CyclicVoltammetry,
    End,
    GalvanostaticImpedance,
    LinearSweep,
    OperatorPause,
    PotentiostaticImpedance,
    Rest,
    Sampling,
    SetTemperature,
    Step,
    VoltageAbove,
    VoltageBelow,
)
from hilcycler_drivers.emstat import ending, program, timing
from hilcycler_drivers.emstat import ranges as choose
from hilcycler_drivers.emstat import writing as write
from hilcycler_drivers.emstat.judging import LIMITS, Judgement
from hilcycler_drivers.emstat.program import Cause, Program
from hilcycler_drivers.emstat.recording import SENT, Recording
from hilcycler_drivers.emstat.wire.devices import Device
from hilcycler_drivers.emstat.wire.script import (
    Branch,
    Command,
    If,
    Literal,
    Option,
    Script,
    Statement,
    VarType,
    number,
)

GALVANOSTAT = 6
LOW_SPEED = 2
HIGH_SPEED = 3

_MARGIN: Volt = 10e-3
"""Beyond the voltages of a step, so that the range of a hold is a range."""

_SAMPLES = (program.TIME, program.VOLTAGE, program.CURRENT)
_SPECTRUM = (program.TIME, program.FREQUENCY, program.REAL, program.IMAGINARY)
_MEASURED_VOLTAGE = Option("add_meas", (Literal(0), VarType("ab"), write.var("u")))


def compile_step(step: Step, envelope: Envelope, device: Device) -> Program:
    """The program for `step`; StepRefused, with the reason, for what this language cannot say.

    What the model cannot do is refused by `refusal.check`, before this.
    """
    try:
        return _compile(step, envelope, device)
    except WireError as error:
        raise StepRefused(f"{step.kind}: {error}") from error


def _compile(step: Step, envelope: Envelope, device: Device) -> Program:
    match step:
        case Rest():
            return _rest(step, envelope, device)
        case ConstantCurrent():
            return _constant_current(step, envelope, device)
        case ConstantVoltage():
            return _constant_voltage(step, envelope, device)
        case ConstantCurrentConstantVoltage():
            return _constant_current_constant_voltage(step, envelope, device)
        case LinearSweep() | CyclicVoltammetry():
            return _sweep(step, envelope, device)
        case PotentiostaticImpedance() | GalvanostaticImpedance():
            return _impedance(step, device)
        case SetTemperature() | OperatorPause():
            raise StepRefused(f"a potentiostat cannot do {step.kind}")
        case _:
            assert_never(step)


# --- techniques -----------------------------------------------------------------------------


def _rest(step: Rest, envelope: Envelope, device: Device) -> Program:
    limited = replace(envelope, current=(-math.inf, math.inf), charge=math.inf)
    span = ending.time_limit(step.ends, None, limited)
    loop = timing.divide(span.seconds, step.sampling.decide)
    judgement = Judgement(limited, ending.judged(step.ends, None), loop.interval.value, current=False)
    recording = Recording.of(step.sampling, loop.interval.value, ("u",))
    body = _sample(judgement, recording)
    command = write.call("meas_loop_ocp", write.var("u"), loop.interval, loop.duration)
    statements = [
        *_choose(LOW_SPEED, loop.interval.value),
        *choose.voltage(envelope, device),
        write.call("cell_off"),
        write.call("timer_start"),
        write.measure(command, body),
    ]
    causes = _causes(step, judgement, (span.text, span.cause(loop.seconds)))
    script = _script("tu", judgement, recording, statements, causes)
    return Program(step, script, _SAMPLES[:2], causes, recording.silence, loop.interval.value)


def _constant_current(step: ConstantCurrent, envelope: Envelope, device: Device) -> Program:
    span = ending.time_limit(step.ends, step.current, envelope)
    loop = timing.divide(span.seconds, step.sampling.decide)
    judgement = Judgement(envelope, ending.judged(step.ends, step.current), loop.interval.value)
    recording = Recording.of(step.sampling, loop.interval.value, ("u", "i"))
    body = _sample(judgement, recording)
    statements = [
        *_galvanostat(step.current, loop.interval.value, envelope, device),
        write.call("timer_start"),
        write.measure(_current_loop(step.current, loop.interval, loop.duration), body),
    ]
    causes = _causes(step, judgement, (span.text, span.cause(loop.seconds)))
    script = _script("tui", judgement, recording, statements, causes)
    index = choose.for_current(abs(step.current), device).index
    return Program(
        step, script, _SAMPLES, causes, recording.silence, loop.interval.value, current_range=index
    )


def _constant_voltage(step: ConstantVoltage, envelope: Envelope, device: Device) -> Program:
    span = ending.time_limit(step.ends, None, envelope)
    loop = timing.divide(span.seconds, step.sampling.decide)
    judgement = Judgement(envelope, ending.judged(step.ends, None), loop.interval.value, integrate=True)
    recording = Recording.of(step.sampling, loop.interval.value, ("u", "i"))
    body = _sample(judgement, recording)
    statements = [
        *_potentiostat((step.voltage,), loop.interval.value, envelope, device),
        write.call("timer_start"),
        write.measure(_voltage_loop(step.voltage, loop.interval, loop.duration), body),
    ]
    causes = _causes(step, judgement, (span.text, span.cause(loop.seconds)))
    script = _script("tuie", judgement, recording, statements, causes)
    return Program(step, script, _SAMPLES, causes, recording.silence, loop.interval.value)


def _constant_current_constant_voltage(
    step: ConstantCurrentConstantVoltage, envelope: Envelope, device: Device
) -> Program:
    """Two loops in one script, the cell on throughout: no relaxation between them.

    The ends belong to the hold, but time and charge also count, and may end the step, before it.
    """
    span = ending.time_limit(step.ends, None, envelope)
    period = timing.divide(span.seconds, step.sampling.decide).interval
    both = [
        (at, end) for at, end in ending.judged(step.ends, None) if isinstance(end.condition, ChargeReached)
    ]
    rising = step.current > 0.0
    arrived = VoltageAbove(step.voltage) if rising else VoltageBelow(step.voltage)
    hold = len(step.ends)  # one beyond the ends: the way from the first loop into the second
    first = Judgement(envelope, [*both, (hold, End(arrived))], period.value, integrate=True)
    recording = Recording.of(step.sampling, period.value, ("u", "i"))
    first_body = _sample(first, recording)
    second = Judgement(envelope, ending.judged(step.ends, None), period.value, integrate=True)
    second_body = _sample(second, recording)
    second.used |= first.used | {"y"}
    held = [
        *_potentiostat((step.voltage,), period.value, envelope, device),
        write.measure(_voltage_loop(step.voltage, period, "y"), second_body),
    ]
    arrive = [
        write.store("w", 0),
        write.store("y", span.seconds, "eb"),
        write.change("sub", "y", "t"),
        write.when([write.compare("y", ">=", period)], *held),
    ]
    statements = [
        *_galvanostat(step.current, period.value, envelope, device),
        write.call("timer_start"),
        write.measure(_current_loop(step.current, period, number(span.seconds)), first_body),
        write.when([write.compare("w", "==", hold + 1)], *arrive),
    ]
    causes = _causes(step, second, (span.text, span.cause(span.seconds)))
    script = _script("tuie", second, recording, statements, causes)
    index = choose.for_current(abs(step.current), device).index
    return Program(step, script, _SAMPLES, causes, recording.silence, period.value, current_range=index)


def _sweep(step: LinearSweep | CyclicVoltammetry, envelope: Envelope, device: Device) -> Program:
    period = step.step / step.rate
    judgement = Judgement(envelope, list(enumerate(step.ends)), period, integrate=True)
    recording = Recording.of(Sampling(decide=period, every=period), period, ("u", "i"))
    outputs = (write.var("e"), write.var("i"))
    options = [_MEASURED_VOLTAGE]
    match step:
        case LinearSweep():
            name, turns = "meas_loop_lsv", [step.start, step.stop]
        case CyclicVoltammetry():
            name, turns = "meas_loop_cv", [step.start, step.first_vertex, step.second_vertex]
            if step.scans > 1:
                options.append(Option("nscans", (Literal(step.scans),)))
    numbers = [number(each) for each in (*turns, step.step, step.rate)]
    body = _sample(judgement, recording)
    statements = [
        *_potentiostat(turns, period, envelope, device),
        write.call("timer_start"),
        write.measure(write.call(name, *outputs, *numbers, options=options), body),
    ]
    causes = _causes(step, judgement, (ending.NO_END, Cause()))
    script = _script("tuie", judgement, recording, statements, causes)
    return Program(step, script, _SAMPLES, causes, recording.silence, period)


def _impedance(step: PotentiostaticImpedance | GalvanostaticImpedance, device: Device) -> Program:
    """A spectrum from the highest frequency down; with the drift check, the first point once more."""
    bias = step.bias
    assert bias is not None, "refused before: the engine resolves what is set against open circuit"
    potentiostatic = isinstance(step, PotentiostaticImpedance)
    names, number_of = (write.var("f"), write.var("r"), write.var("z")), "n"
    amplitude, highest = number(step.amplitude), number(step.highest)
    verb = "meas_loop_eis" if potentiostatic else "meas_loop_geis"
    body = [
        write.call("timer_get", write.var("t")),
        write.change("add", number_of, 1),
        *write.package(("t", "f", "r", "z", number_of)),
    ]

    def sweep(lowest: Literal, count: int) -> Statement:
        return write.measure(
            write.call(verb, *names, amplitude, highest, lowest, Literal(count), number(bias)), body
        )

    if potentiostatic:
        setup = choose.impedance_at_voltage(bias, step.amplitude, step.highest, device)
    else:
        setup = choose.impedance_at_current(bias, step.amplitude, step.highest, device)
    statements = [
        *setup,
        write.call("cell_on"),
        write.call("timer_start"),
        sweep(number(step.lowest), points(step)),
        *([sweep(highest, 1)] if step.drift_check else []),
        write.call("cell_off"),
        write.say(ending.NO_END),
    ]
    declared = [*write.declare(("t", "f", "r", "z", number_of)), write.store(number_of, 0)]
    script = Script((*declared, *statements), (write.call("cell_off"),))
    silence = 10.0 + 4.0 * max(step.periods, 3) / step.lowest
    return Program(
        step, script, _SPECTRUM, {ending.NO_END: Cause()}, silence, rows=points(step) + step.drift_check
    )


def points(step: PotentiostaticImpedance | GalvanostaticImpedance) -> int:
    """Frequencies of a spectrum, both ends included."""
    return 1 + max(1, round(step.points_per_decade * math.log10(step.highest / step.lowest)))


# --- parts that techniques share ------------------------------------------------------------


def _sample(judgement: Judgement, recording: Recording) -> list[Statement]:
    """What happens at each sample."""
    return [
        write.call("timer_get", write.var("t")),
        *judgement.statements(),
        *recording.statements(),
        write.when([write.compare("w", "!=", 0)], write.call("breakloop")),
    ]


def _causes(step: Step, judgement: Judgement, timed: tuple[str, Cause]) -> dict[str, Cause]:
    """Each text that the script may end with; the first is that of a loop which ran out."""
    causes = dict([timed])
    causes |= {ending.at_end(at): Cause(end=at) for at, _ in judgement.ends if at < len(ends_of(step))}
    causes |= {f"limit {limit}": Cause(limit=limit) for limit in judgement.limits}
    return causes


def _script(
    names: Iterable[str],
    judgement: Judgement,
    recording: Recording,
    statements: Iterable[Statement],
    causes: dict[str, Cause],
) -> Script:
    """The whole script around the measurement in `statements`."""
    variables = (set(names) | {"w"} | judgement.used | set(recording.variables)) - judgement.arrays
    by_loop, *rest = causes
    branches = []
    for text in rest:
        cause = causes[text]
        outcome = LIMITS[cause.limit] if cause.limit else (cause.end or 0) + 1
        branches.append(Branch(write.compare("w", "==", outcome), (write.say(text),)))
    return Script(
        (
            *write.declare(sorted(variables)),
            *judgement.declarations,
            write.store("w", 0),
            *_initial(variables),
            *judgement.before,
            *statements,
            write.call("cell_off"),
            *recording.last(),
            If(tuple(branches), (write.say(by_loop),)) if branches else write.say(by_loop),
        ),
        (write.call("cell_off"),),
    )


def _initial(variables: Iterable[str]) -> list[Statement]:
    """Values for what is read before anything was stored in it."""
    vartypes = {"v": "ab", "j": "ba", "q": "ja", "g": "eb", "z": "eb"}
    stored: list[Statement] = [write.store(name, 0.0, t) for name, t in vartypes.items() if name in variables]
    stored.append(write.store(SENT, 0))
    # Counted up at each sample, and recorded at zero: so the first sample is recorded.
    return [*stored, write.store("n", -1)] if "n" in variables else stored


def _choose(mode: int, interval: Second) -> list[Statement]:
    """Channel, mode and a bandwidth that suits one sample every `interval`."""
    return [
        write.call("set_pgstat_chan", Literal(0)),
        write.call("set_pgstat_mode", Literal(mode)),
        write.call("set_max_bandwidth", number(float(f"{max(5.85 / interval, 0.1):.3g}"))),
    ]


def _galvanostat(current: Ampere, interval: Second, envelope: Envelope, device: Device) -> list[Statement]:
    return [
        *_choose(GALVANOSTAT, interval),
        *choose.voltage(envelope, device),
        *choose.galvanostat(current, device),
        write.call("set_i", number(0.0)),
        write.call("cell_on"),
    ]


def _potentiostat(
    voltages: Sequence[Volt], interval: Second, envelope: Envelope, device: Device
) -> list[Statement]:
    """The cell is switched on at the first of `voltages`; all of them will be applied."""
    lowest = max(min(voltages) - _MARGIN, device.voltage[0])
    highest = min(max(voltages) + _MARGIN, device.voltage[1])
    return [
        *_choose(LOW_SPEED, interval),
        write.call("set_range_minmax", VarType("da"), number(lowest), number(highest)),
        *choose.current(envelope, device),
        write.call("set_e", number(voltages[0])),
        write.call("cell_on"),
    ]


def _current_loop(current: Ampere, interval: Literal, duration: Literal) -> Command:
    return write.call("meas_loop_cp", write.var("u"), write.var("i"), number(current), interval, duration)


def _voltage_loop(voltage: Volt, interval: Literal, duration: Literal | str) -> Command:
    return write.call(
        "meas_loop_ca",
        write.var("e"),
        write.var("i"),
        number(voltage),
        interval,
        write.value(duration),
        options=[_MEASURED_VOLTAGE],
    )
