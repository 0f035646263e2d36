"""Whole runs on a faulty EmStat, in virtual time: what was said, what was true, what could go wrong where."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from dummy_cell import Dummy
from spine import order

from hilcycler.engine import Execution
from hilcycler.errors import CyclerError
from hilcycler.journal import Run, Settings, Verdict, open_run, verify
from hilcycler.links import Connect, Link
from hilcycler.quantities import Second
from hilcycler.records import (
    Failed,
    ImpedancePoint,
    OffState,
    OperatorAction,
    Outcome,
    Record,
    StepEnded,
    StepStarted,
    Tripped,
    to_json,
)
from hilcycler.service.foreground import perform
from hilcycler_simulators import faults as f
from hilcycler_simulators.faults import At, Fault
from hilcycler_simulators.instruments.emstat import EmStatTwin
from hilcycler_simulators.virtual_time import run

HALF_CYCLES = """
protocol: short half-cycles
safety: {voltage: -1 V to 1 V, current: -10 mA to 10 mA, charge: 2 mAh}
record: {every: 5 s}
steps:
  - rest: {for: 1 min}
  - repeat: 2
    steps:
      - plate: {current: 1 mA, for: 2 min}
      - strip: {current: 1 mA, for: 2 min}
"""

EVERY_TECHNIQUE = """
protocol: every technique
safety: {voltage: -1 V to 1 V, current: -10 mA to 10 mA, charge: 2 mAh}
record: {every: 5 s, decide every: 500 ms}
steps:
  - rest: {for: 10 s, name: rest}
  - plate: {current: 1 mA, for: 20 s, record: {every: 5 s, voltage change: 3 mV}, name: CC}
  - strip: {current: 1 mA, hold at: 15 mV, for: 20 s, until: {current: below 50 uA}, name: CC-CV}
  - constant voltage: {voltage: -10 mV, for: 20 s, until: {current: above 8 mA -> stop}, name: CV}
  - constant voltage: {voltage: 10 mV, for: 20 s, record: {points per decade: 10, decide every: 100 ms}, name: CA}
  - linear sweep: {from: -10 mV, to: 10 mV, rate: 1 mV/s, step: 1 mV, name: LSV}
  - cyclic voltammetry: {start: 0 V, first vertex: -5 mV, second vertex: 5 mV, rate: 1 mV/s, scans: 2, name: CV scan}
  - peis: {amplitude: 10 mV rms, from: 100 kHz, to: 10 Hz, points per decade: 3, bias: 0 V, name: PEIS}
  - geis: {amplitude: 0.5 mA rms, from: 100 kHz, to: 10 Hz, points per decade: 3, name: GEIS}
"""
"""Each technique of the instrument once, and each way of recording."""

KINDS = ("garbage", "dropped", "duplicated", "delayed", "half line", "xon", "run together", "stalled", "unplugged",
         "firmware", "reboot", "deaf", "nan", "stuck reading", "overload", "open lead")  # fmt: skip

PLACELESS = frozenset({"xon", "run together", "deaf"})
"""Faults that are there all the time: no step is theirs."""

MEASURED_OTHERWISE = frozenset({"nan", "stuck reading", "overload", "open lead"})
"""Faults that change what the instrument measures, so that its samples are not those without them."""

PACE = 10.0


@dataclass(frozen=True)
class Told:
    """What a run on a faulty bench said, and what was true."""

    found: Run
    energised: bool

    @property
    def outcome(self) -> tuple[Outcome, OffState]:
        assert self.found.ended is not None
        return self.found.ended.outcome, self.found.ended.off

    @property
    def reason(self) -> str:
        assert self.found.ended is not None
        return self.found.ended.reason

    def samples(self) -> list[tuple[int, float, float, float]]:
        """Step count, test time, voltage, current."""
        columns = self.found.columns(("step_count", "test_time", "voltage", "current"))
        rows = zip(*(columns[each].tolist() for each in columns), strict=True)
        return [(int(n), round(t, 6), v, i) for n, t, v, i in rows]

    def points(self) -> list[tuple[int, float, float, float, float]]:
        """Step count, test time, frequency, real and imaginary part."""
        found = [each for each in self.found.events() if isinstance(each, ImpedancePoint)]
        return [(p.step_count, round(p.test_time, 6), p.frequency, p.real, p.imaginary) for p in found]

    def story(self) -> list[str]:
        """All that is on file, as text without the name of the run, to compare with another's."""
        name = self.found.header.run
        columns = self.found.columns()
        return [
            *(to_json(each).replace(name, "run") for each in self.found.events()),
            *(f"{key} {columns[key].tobytes().hex()}" for key in sorted(columns)),
        ]


def on(
    faults: Sequence[Fault],
    folder: Path,
    *,
    seed: int = 1,
    pace: float | None = PACE,
    text: str = HALF_CYCLES,
    wire: bytearray | None = None,
) -> Told:
    """One run. `seed` says what garbage is made of; `wire`, if given, takes every byte that passed."""
    folder.mkdir(exist_ok=True)

    async def main() -> tuple[Path, bool]:
        twin = faulty(faults, seed, pace)
        connect = twin.connect if wire is None else recorded(twin, wire)
        performed = await perform(
            order(twin, connect, folder, text, channel=f"seed {seed}"), settings=Settings(inline=True)
        )
        return performed.path, twin.energised

    path, energised = run(main())
    assert verify(path).verdict is Verdict.WHOLE
    told = Told(open_run(path), energised)
    if any(isinstance(each, OperatorAction) for each in told.found.events()):
        # Nobody operates here: SIGTERM, as `timeout` sends it, ended the run in good order. That is no
        # finding about the fault, and the tests were told to end, not to go on.
        raise KeyboardInterrupt(told.reason)
    return told


def faulty(faults: Sequence[Fault], seed: int, pace: float | None) -> EmStatTwin:
    """The same cell and the same noise whatever `seed` is, which is that of the line alone."""
    return EmStatTwin(Dummy(20.0, 20.0, 1.0), seed=1, pace=pace, faults=faults, line_seed=seed)


def recorded(twin: EmStatTwin, wire: bytearray) -> Connect:
    """A way to `twin` on which every byte, in both directions, is put down in `wire`."""

    async def connect() -> Link:
        wire.extend(b"\n(connected)\n")
        return _Recorded(await twin.connect(), wire)

    return connect


@dataclass(frozen=True)
class _Recorded:
    """A link that is listened to."""

    link: Link
    wire: bytearray

    @property
    def name(self) -> str:
        return self.link.name

    async def send(self, data: bytes) -> None:
        self.wire.extend(b">" + data)
        await self.link.send(data)

    async def receive(self, deadline: Second) -> bytes:
        data = await self.link.receive(deadline)
        self.wire.extend(b"<" + data)
        return data

    async def aclose(self) -> None:
        await self.link.aclose()


# --- what must hold --------------------------------------------------------------------------


@dataclass(frozen=True)
class Truth:
    """What a run measures when nothing is wrong."""

    samples: dict[tuple[int, float], tuple[float, float]]
    points: frozenset[tuple[int, float, float, float, float]]


@cache
def truth(text: str) -> Truth:
    """One undisturbed run of `text`."""
    with TemporaryDirectory() as folder:
        told = on([], Path(folder), text=text)
        assert told.outcome == (Outcome.COMPLETED, OffState.OFF), told.reason
        samples = {(n, t): (v, i) for n, t, v, i in told.samples()}
        return Truth(samples, frozenset(told.points()))


def hold(told: Told, true: Truth, *, measured_otherwise: bool = False) -> None:
    """The invariants, whatever the fault.

    I1 a run that says OFF has left the output off; I2 the file is whole (checked by `on`); I3 no row
    says what the instrument did not measure, and none comes twice; one that was completed has them all;
    I4 the run ends with a named outcome and a reason.
    """
    outcome, off = told.outcome
    if off is OffState.OFF:
        assert not told.energised, "I1: said OFF"
    samples, points = told.samples(), told.points()
    times = [t for _, t, _, _ in samples]
    assert (np.diff(times) > 0).all(), "I3: a row twice, or out of order"
    assert len(set(points)) == len(points), "I3: a point twice"
    if not measured_otherwise:
        for n, t, v, i in samples:
            assert true.samples.get((n, t)) == (v, i), f"I3: at {t} s, {v} V was never measured"
        assert set(points) <= true.points, "I3: a point that was never measured"
        if outcome is Outcome.COMPLETED:
            assert len(samples) == len(true.samples), "I3: rows are missing, and nobody noticed"
            assert len(points) == len(true.points), "I3: points are missing, and nobody noticed"
    if outcome is not Outcome.COMPLETED:
        assert told.reason, "I4"
        assert any(isinstance(each, Failed | Tripped) for each in told.found.events()), "I4"


def law(fault: Fault, folder: Path, *, seed: int, text: str, measured_otherwise: bool) -> Told | None:
    """One run with `fault`, held against the truth; None where it was refused before it began."""
    try:
        told = on([fault], folder, seed=seed, text=text)
    except CyclerError:  # nothing was set, nothing is on file
        assert not list(folder.glob("*.run.sqlite"))
        return None
    hold(told, truth(text), measured_otherwise=measured_otherwise)
    return told


# --- where -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """What passes during one step of an undisturbed run, from where to where.

    On the line: bytes and lines; in the instrument: scripts (from 1), packages of the first of them,
    samples; on the cell's clock: seconds.
    """

    name: str
    bytes: range
    lines: range
    script: int
    packages: int
    samples: range
    seconds: tuple[Second, Second]


@dataclass
class _Survey:
    """Looks at a bench whenever a step begins or ends."""

    twin: EmStatTwin
    wire: bytearray
    places: list[Place]
    name: str = ""
    _begun: tuple[int, int, int, Second] = (0, 0, 0, 0.0)

    def _now(self) -> tuple[int, int, int, Second]:
        return len(self.wire), self.wire.count(b"\n"), self.twin.unit.samples, self.twin.unit.circuit.clock

    def put(self, record: Record) -> None:
        match record:
            case StepStarted(step=step):
                self.name, self._begun = step.name, self._now()
            case StepEnded():
                begun, ended = self._begun, self._now()
                heard = bytes(self.wire[begun[0] :])
                self.places.append(
                    Place(
                        self.name,
                        range(begun[0], ended[0]),
                        range(begun[1], ended[1]),
                        len(self.places) + 1,
                        heard.count(b"\nP"),
                        range(begun[2], ended[2]),
                        (begun[3], ended[3]),
                    )
                )
            case _:
                pass

    async def commit(self) -> None:
        pass


@cache
def places(text: str) -> tuple[Place, ...]:
    """Each step of `text`, where it is in an undisturbed run."""
    wire, found = bytearray(), list[Place]()

    def watch(_: Execution) -> _Survey:
        return survey

    async def main() -> None:
        await perform(order(twin, hearing, Path(folder), text), watch, Settings(inline=True))

    async def hearing() -> Link:
        return _Heard(await twin.connect(), wire)

    twin = faulty([], 1, PACE)
    survey = _Survey(twin, wire, found)
    with TemporaryDirectory() as folder:
        run(main())
    return tuple(found)


@dataclass(frozen=True)
class _Heard(_Recorded):
    """Only what the instrument says."""

    async def send(self, data: bytes) -> None:
        await self.link.send(data)

    async def receive(self, deadline: Second) -> bytes:
        data = await self.link.receive(deadline)
        self.wire.extend(data)
        return data


def at_step(kind: str, place: Place, seed: int) -> Fault:
    """A fault of `kind` somewhere in the step at `place`."""
    chance = random.Random(f"{kind} {place.name} {seed}")
    at = chance.choice(place.bytes)
    script = At(place.script, chance.randint(0, place.packages))
    sample = chance.choice(place.samples) if place.samples else 0
    match kind:
        case "garbage":
            return f.Garbage(at, chance.randint(1, 40))
        case "dropped":
            return f.Dropped(at, chance.randint(1, 60))
        case "duplicated":
            return f.Duplicated(at, chance.randint(1, 60))
        case "delayed":
            return f.Delayed(at, chance.choice([0.01, 1.0, 5.0, 60.0]))
        case "half line":
            return f.HalfLine(chance.choice(place.lines))
        case "xon":
            return f.FlowControl(chance.randint(1, 50))
        case "run together":
            return f.RunTogether()
        case "stalled":
            return f.Stalled(at, chance.choice([1.0, 10.0, float("inf")]))
        case "unplugged":
            return f.Unplugged(at, chance.choice([0.5, 4.0, float("inf")]))
        case "firmware":
            return f.FirmwareError(script, chance.choice([0x0032, 0x0001, 0x7FFF]))
        case "reboot":
            return f.Reboot(script, chance.choice([0.5, 3.0]))
        case "deaf":
            return f.Deaf(chance.choice([0.3, 1.0]))
        case "nan":
            return f.NotANumber(sample, chance.randint(1, 3))
        case "stuck reading":
            return f.StuckReading(sample)
        case "overload":
            return f.Overload(sample)
        case "open lead":
            return f.OpenLead(chance.uniform(*place.seconds))
        case _:
            raise AssertionError(kind)


def anywhere(kind: str, seed: int) -> Fault:
    """A fault of `kind` somewhere in a run of HALF_CYCLES, in its beginning and its end too."""
    chance = random.Random(f"{kind} {seed}")
    whole = Place("", range(20, 9000), range(2, 200), chance.randint(1, 6), 20, range(500), (0.0, 500.0))
    return at_step(kind, whole, seed)
