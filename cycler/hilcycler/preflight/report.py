"""The whole of a preflight: what is asked, what was found, what the rehearsal came to."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hilcycler import registry
from hilcycler.cell import Cell
from hilcycler.channel import Capabilities
from hilcycler.clock import process_time, wall_clock
from hilcycler.errors import RequestError
from hilcycler.language import describe, describe_step
from hilcycler.language.faults import FileError
from hilcycler.preflight import reading
from hilcycler.preflight.findings import Finding, Severity, error, note, once_each, warning
from hilcycler.preflight.profile import in_a_line
from hilcycler.preflight.rehearsal import MOST_STEPS, Rehearsed, Seen, Span, rehearse
from hilcycler.protocol import Envelope, Protocol, count_steps, ends_of, walk
from hilcycler.quantities import AMPERE_HOUR, duration, engineering
from hilcycler.records import Instrument, Outcome
from hilcycler.steps import ChargeReached, ConstantCurrent, OperatorPause, Rest, SetTemperature
from hilcycler.twin import TwinFamily, TwinRequest

TWIN: Final = "twin"
USUAL: Final = "emstat4-hr"
_UNREADABLE: Final = (
    (r"area of the cell|needs the area", "missing-area"),
    (r"active mass", "missing-active-mass"),
    (r"nominal capacity", "missing-capacity"),
    (r"rms|peak", "amplitude-without-rms-or-peak"),
    (r"has no unit", "missing-unit"),
    (r"safety limits", "outside-safety"),
    (r"for ever|certain to end|could last|nothing ends", "never-ends"),
    (r"(plate|strip|charge|discharge)\.current: .* greater than zero", "wrong-sign"),
    (r"is not a key", "unknown-key"),
)


@dataclass(frozen=True, slots=True)
class Report:
    """What preflight has to say. `envelope` is the protocol's within the instrument's."""

    protocol: Protocol
    model: str
    cell: str
    capabilities: Capabilities
    envelope: Envelope
    findings: tuple[Finding, ...]
    rehearsed: Rehearsed | None
    seconds: float

    def open(self, accepted: frozenset[str] = frozenset()) -> tuple[Finding, ...]:
        """Errors, and warnings that nobody has accepted."""
        return tuple(
            each
            for each in self.findings
            if each.severity is Severity.ERROR
            or (each.severity is Severity.WARNING and each.code not in accepted)
        )

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.severity is Severity.ERROR)


def preflight(protocol: Protocol, label: Cell | None, on: str, cell: str, seed: int = 1) -> Report:
    """Read and rehearse `protocol` on a twin of model `on` ('twin': the usual one, with a chamber).

    `label` is the cell as the file describes it; `cell` the profile of the simulated one. RequestError
    for an unknown model or profile.
    """
    began = process_time()
    request = TwinRequest(USUAL if on == TWIN else on, cell, seed)
    family = _family_of(request.model)
    twin = family.make(request)
    capabilities, instrument, findings, envelope = asyncio.run(
        _asked(protocol, label or twin.cell, family, request)
    )
    rehearsed = None
    if not any(each.severity is Severity.ERROR for each in findings):
        channel = family.direct(request, _with_chamber(capabilities), instrument)
        rehearsed = asyncio.run(rehearse(walk(protocol), channel, envelope, label or twin.cell))
        findings = [*findings, *_seen(protocol, rehearsed)]
    seconds = process_time() - began
    return Report(
        protocol, request.model, cell, capabilities, envelope, once_each(findings), rehearsed, seconds
    )


def unreadable(fault: FileError) -> tuple[Finding, ...]:
    """A file that means nothing, as findings."""
    found = []
    for each in fault.faults:
        said = f"{each.where.key}: {each.message}"
        code = next((code for pattern, code in _UNREADABLE if re.search(pattern, said)), "unreadable")
        line = f"line {each.where.line}, " if each.where.line else ""
        found.append(error(code, line + said))
    return once_each(found)


async def _asked(
    protocol: Protocol, label: Cell, family: TwinFamily, request: TwinRequest
) -> tuple[Capabilities, Instrument, list[Finding], Envelope]:
    """What the real driver says, connected to the twin over a memory link."""
    async with registry.driver(family.driver).open(family.make(request).connect) as channel:
        able = channel.capabilities
        most = max(each.full_scale for each in able.current_ranges)
        bench = Envelope(voltage=able.voltage, current=(-most, most))
        envelope = bench.intersect(protocol.safety)
        return able, channel.instrument, list(reading.read(protocol, label, channel, envelope)), envelope


def _with_chamber(able: Capabilities) -> Capabilities:
    return replace(able, techniques=able.techniques | {SetTemperature})


def _family_of(model: str) -> TwinFamily:
    known: list[str] = []
    for name in registry.names("twins"):
        family = registry.twin(name)
        if model in family.models:
            return family
        known += family.models
    raise RequestError(f"--on {model}: expected {TWIN} or one of {', '.join(known)}")


# --- what the rehearsal shows ---------------------------------------------------------------


def _seen(protocol: Protocol, done: Rehearsed) -> Iterator[Finding]:
    assert done.ended is not None, "not rehearsed"
    if done.tripped is not None:
        past = ""
        if done.tripped.violation.quantity == "voltage":
            past = "; if a cut-off lies before it, the voltage ran past both between two samples: decide more often"
        yield error("trips", f"on the twin a safety limit trips: {done.tripped.violation}{past}")
    elif done.outcome is Outcome.FAILED:
        yield error("fails", f"on the twin the run fails: {done.ended.reason}")
    elif done.truncated:
        yield warning("not-rehearsed-to-its-end", f"only the first {MOST_STEPS} steps were rehearsed")
    elif done.executed < count_steps(protocol.body):
        yield note(
            "ends-early",
            f"on the twin {done.executed} of {count_steps(protocol.body)} steps run: {done.ended.reason}",
        )
    if done.pauses:
        yield note("pauses", f"{done.pauses} operator pauses, counted as no time")
    for index, seen in sorted(done.steps.items()):
        yield from _seen_step(index, seen)


def _seen_step(index: int, seen: Seen) -> Iterator[Finding]:
    ends = ends_of(seen.step)
    if isinstance(seen.step, ConstantCurrent) and seen.fewest_rows <= 1 and seen.ends:
        by = {end for end in seen.ends if end is not None}
        kinds = {ends[end].condition.kind for end in by if ends[end].condition.kind.startswith("voltage")}
        if kinds:
            yield warning(
                "ends-at-once", f"on the twin it ends with its first sample, by {min(kinds)}", index
            )
    for at, end in enumerate(ends):
        if isinstance(end.condition, ChargeReached) and not seen.ends[at] and seen.charge.seen:
            reached = engineering(
                max(map(abs, (seen.charge.lowest, seen.charge.highest))) / AMPERE_HOUR, "Ah"
            )
            asked = engineering(end.condition.charge / AMPERE_HOUR, "Ah")
            yield note("charge-not-reached", f"on the twin {reached} pass of the {asked} it asks for", index)


# --- telling it -----------------------------------------------------------------------------


def in_words(report: Report) -> list[str]:
    """The report, a line each, without its findings."""
    able = report.capabilities
    lines = [*describe(report.protocol), ""]
    done = report.rehearsed
    if done is not None:
        lines += _told(report, done)
    lines += _measured(report)
    lines.append(f"if this computer dies: {able.host_death.in_words}")
    lines += _phases(report)
    return lines


def _told(report: Report, done: Rehearsed) -> Iterator[str]:
    end = datetime.fromtimestamp(wall_clock(), UTC) + timedelta(seconds=done.duration)
    yield f"rehearsed on {report.model} with {report.cell} in {report.seconds:.1f} s: {done.outcome.value}"
    yield f"duration      {duration(done.duration)}; started now it ends {end:%Y-%m-%d %H:%M} UTC"
    yield f"cycles        {done.cycles}; steps {done.executed}"
    yield f"rows          {done.rows}; points of spectra {done.points}; at most {done.bytes_at_most / 1e6:.1f} MB"
    safe = report.envelope
    yield f"voltage       {_span(done.voltage, 'V')}; allowed {safe.voltage[0]:g} V to {safe.voltage[1]:g} V"
    yield f"current       {_span(done.current, 'A')}; allowed {safe.current[0]:g} A to {safe.current[1]:g} A"
    most = f"{engineering(safe.charge / AMPERE_HOUR, 'Ah')}" if math.isfinite(safe.charge) else "any"
    charge = Span(done.charge.lowest / AMPERE_HOUR, done.charge.highest / AMPERE_HOUR)
    yield f"charge a step {_span(charge, 'Ah')}; allowed {most}"
    passed = [engineering(each / AMPERE_HOUR, "Ah") for each in (done.charged, done.discharged)]
    bars = done.profile.bars
    yield f"voltage       {in_a_line(bars.time, bars.lowest_voltage, bars.highest_voltage)}"
    yield f"current       {in_a_line(bars.time, bars.lowest_current, bars.highest_current)}"
    yield f"passed        {passed[0]} positive, {passed[1]} negative, {done.energy / 3600.0:.4g} Wh"
    if done.temperature.seen:
        yield f"temperature   {done.temperature.lowest:.2f} K to {done.temperature.highest:.2f} K"


def _measured(report: Report) -> Iterator[str]:
    """What the instrument promises of voltages within these limits, and what a rest and OFF are on it."""
    able = report.capabilities
    low, high = able.voltage
    on = able.voltage_range(report.envelope.voltage)
    yield (
        f"voltages are measured on the range of {engineering(on.full_scale, 'V')}, of a window of {low:g} V to "
        f"{high:g} V, within {on.gain:.2g} of the reading and {engineering(on.offset, 'V')}"
    )
    yield f"a rest is {able.at_rest}"
    if able.off_is_known_by:
        yield f"OFF is known by {able.off_is_known_by}"


def _phases(report: Report) -> Iterator[str]:
    """Each step as written: range, accuracy, what it is if this computer dies in it."""
    able = report.capabilities
    for index, step in reading.written(report.protocol.body):
        if isinstance(step, Rest):
            death = f"rests: {able.at_rest}"
        elif isinstance(step, SetTemperature | OperatorPause):
            death = "open circuit: nothing flows"
        elif able.host_death.holds_for_ever:
            death = "stays energised"
        else:
            death = "ended by the instrument"
        words = [describe_step(step).split(";")[0]]
        current = reading.working_current(step)
        if current is not None and (found := reading.range_of(current, able)) is not None:
            wrong = engineering(reading.current_error(current, able), "A")
            words.append(f"range {engineering(found.full_scale, 'A')}, within {wrong}")
        yield f"  {index}. {'; '.join(words)}; host dies: {death}"


def _span(span: Span, unit: str) -> str:
    return f"{engineering(span.lowest, unit)} to {engineering(span.highest, unit)}" if span.seen else "none"


def as_json(report: Report, accepted: frozenset[str]) -> dict[str, Any]:
    """The report for programs; SI units."""
    done = report.rehearsed
    found = [
        {"code": f.code, "severity": f.severity.value, "step": f.step, "message": f.message,
         "accepted": f.severity is Severity.WARNING and f.code in accepted}
        for f in report.findings
    ]  # fmt: skip
    result: dict[str, Any] = {
        "protocol": report.protocol.name,
        "on": report.model,
        "cell": report.cell,
        "findings": found,
        "host death": report.capabilities.host_death.in_words,
        "at rest": report.capabilities.at_rest,
        "voltage window V": list(report.capabilities.voltage),
        "voltage ranges": [asdict(each) for each in report.capabilities.voltage_ranges],
        "voltage range": asdict(report.capabilities.voltage_range(report.envelope.voltage)),
        "seconds": round(report.seconds, 3),
        "rehearsal": None,
    }
    if done is not None:
        result["rehearsal"] = {
            "outcome": done.outcome.value,
            "duration s": done.duration,
            "steps": done.executed,
            "cycles": done.cycles,
            "rows": done.rows,
            "points": done.points,
            "bytes at most": done.bytes_at_most,
            "voltage V": _pair(done.voltage),
            "current A": _pair(done.current),
            "charge a step C": _pair(done.charge),
            "charge passed C": [done.charged, done.discharged],
            "energy J": done.energy,
        }
    return result


def _pair(span: Span) -> list[float] | None:
    return [span.lowest, span.highest] if span.seen else None
