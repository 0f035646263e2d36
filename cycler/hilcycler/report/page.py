"""One page of a run, in one file that needs nothing else: no network, no script, nothing to install.

Everything on it is taken from the run file. Names and messages are other people's text: they are made
harmless (`plain`) and escaped by the template.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from hilcycler import registry
from hilcycler.errors import RequestError
from hilcycler.evaluation import Accumulator, Finding, in_columns, refusals
from hilcycler.journal import open_run, verify
from hilcycler.language.description import describe_envelope
from hilcycler.quantities import duration, engineering
from hilcycler.records import RunStarted
from hilcycler.report.content import Content, read
from hilcycler.report.executed import at_utc, executed, happenings, methods
from hilcycler.report.figures import drawn, needed
from hilcycler.tui.plain import plain

_SVG_MOST: Final = 400_000
"""Bytes: a drawing with more lines than that becomes a picture."""
_QUOTED: Final = 4
"""Results of an evaluation that are shown at once; the others unfold."""
_CYCLES: Final = 2000
"""Rows of the table of cycles; more are thinned evenly, first and last kept."""
_EVENTS: Final = 200
_TITLES: Final = {
    "voltage": "Voltage",
    "overpotential": "Overpotential of every cycle",
    "coulombic-efficiency": "Coulombic efficiency of every cycle",
    "retention": "Capacity of every discharge",
    "nyquist": "Spectra",
}


_FIRST: Final = (
    "coulombic-efficiency",
    "reservoir-efficiency",
    "retention",
    "overpotential",
    "lifetime",
    "impedance",
)
"""The order of the results; whatever else is installed comes after these."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as the page holds it: `source` is the whole of it."""

    title: str
    source: str
    wide: bool


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What one evaluation says: the numbers to quote, those that unfold, and its refusals."""

    name: str
    summary: str
    quoted: Sequence[Mapping[str, str]]
    more: Sequence[Mapping[str, str]]
    refused: Sequence[str]


@dataclass(frozen=True, slots=True)
class Cycles:
    """A table of cycles: a column for each evaluation that says something of every one."""

    names: Sequence[str]
    rows: Sequence[Sequence[str]]
    left_out: int


def page(path: Path, out: Path) -> Path:
    """Write the page of the run in the file at `path` to the file `out`.

    RequestError without the libraries that it needs; JournalError for a file that cannot be read.
    """
    needed("matplotlib", "reports")
    needed("jinja2", "reports in HTML")
    from jinja2 import Environment, StrictUndefined

    template = files("hilcycler.report").joinpath("page.html.jinja").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_harmless
    )
    text = environment.from_string(template).render(**_told(path))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    return out


def _harmless(value: object) -> object:
    return plain_text(value) if type(value) is str else value


def plain_text(text: str) -> str:
    """Line by line harmless and whole: `plain` alone cuts what is long and joins lines."""
    size = 250
    lines = text.splitlines() or [""]
    return "\n".join(
        "".join(plain(line[at : at + size]) for at in range(0, max(len(line), 1), size)) for line in lines
    )


def _told(path: Path) -> dict[str, Any]:
    """Everything that the template shows."""
    run = open_run(path)
    content = read(path, registry.names("evaluations"))
    header, ended = content.header, content.ended
    proved = verify(path)
    steps = executed(content.events)
    events = happenings(content.events)
    evaluated = [_evaluated(name, *content.found[name]) for name in sorted(content.found, key=_rank)]
    shown = events if len(events) <= _EVENTS else [*events[: _EVENTS // 2], *events[-_EVENTS // 2 :]]
    return {
        "header": header,
        "ended": ended,
        "state": str(ended.outcome) if ended else str(run.state),
        "facts": list(_facts(content, run.rows, run.last_test_time)),
        "cell": list(_cell(header)),
        "safety": describe_envelope(header.envelope) or "none stated",
        "methods": methods(header, ended, steps, run.rows),
        "steps": steps,
        "duration": duration,
        "pictures": _pictures(content),
        "results": [each for each in evaluated if each.quoted],
        "without": [each for each in evaluated if not each.quoted],
        "cycles": _cycles(content.found),
        "events": shown,
        "events_left_out": len(events) - len(shown),
        "grave": [each for each in events if each.grave],
        "verified": proved,
        "path": path,
        "size": path.stat().st_size,
        "truth": _truth(header),
    }


def _facts(content: Content, rows: int, lasted: float) -> Iterator[tuple[str, str]]:
    header, ended = content.header, content.ended
    instrument = header.instrument
    yield "Run", header.run
    yield "Protocol", header.protocol_name
    yield "Instrument", f"{instrument.model}{' ' + instrument.serial if instrument.serial else ''}"
    if header.channel:
        yield "Channel", header.channel
    yield "Begun", at_utc(header.stamp.utc)
    if ended is not None:
        yield "Ended", f"{at_utc(ended.stamp.utc)}, {ended.outcome}; output {ended.off}"
    yield "Test time", duration(lasted)
    yield "Samples", f"{rows:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _cell(header: RunStarted) -> Iterator[tuple[str, str]]:
    cell = header.cell
    yield "Electrodes", f"{cell.working.material} (working) against {cell.counter.material}"
    if cell.reference is not None:
        yield "Reference", cell.reference.material
    if cell.area is not None:
        yield "Area", f"{1e4 * cell.area:.4g} cm²"
    if cell.working.active_mass is not None:
        yield "Active mass", f"{1e6 * cell.working.active_mass:.4g} mg"
    if cell.nominal_capacity is not None:
        yield "1 C", engineering(cell.nominal_capacity / 3600.0, "A")
    if cell.separator_thickness is not None:
        yield "Separator", f"{1e6 * cell.separator_thickness:.4g} µm"
    if cell.electrolyte:
        yield "Electrolyte", cell.electrolyte
    yield from cell.notes.items()
    yield "Voltage", f"{cell.voltage_label}; positive current oxidises the working electrode"


def _pictures(content: Content) -> list[Picture]:
    from hilcycler.report.style import drawing, styled

    found = []
    with styled():
        for name, figure in drawn(content):
            kind, data = "svg+xml", drawing(figure, "svg")
            if len(data) > _SVG_MOST:
                kind, data = "png", drawing(figure, "png")
            source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
            found.append(Picture(_TITLES.get(name, name), source, wide=figure.get_figwidth() > 5.0))
    return found


def _rank(name: str) -> tuple[int, str]:
    return (_FIRST.index(name) if name in _FIRST else len(_FIRST)), name


def _evaluated(name: str, accumulator: Accumulator, _: Sequence[Finding]) -> Evaluated:
    try:
        rows = [in_columns(each) for each in accumulator.summary()]
    except RequestError as refusal:
        rows, reasons = [], [str(refusal)]
    else:
        reasons = refusals(accumulator)
    few = reasons if len(reasons) <= _QUOTED else [*reasons[:_QUOTED], f"and {len(reasons) - _QUOTED} more"]
    summary = registry.evaluation(name).summary
    return Evaluated(name, summary, rows[:_QUOTED], rows[_QUOTED:], few)


def _cycles(found: Mapping[str, tuple[Accumulator, Sequence[Finding]]]) -> Cycles:
    """The first finding of each cycle, of every evaluation that has one for more than one cycle."""
    columns: dict[str, dict[int, str]] = {}
    for name, (_, findings) in found.items():
        for each in findings:
            cycle = str(each.as_dict().get("inputs", {}).get("cycles", ""))
            if cycle.isdecimal():
                columns.setdefault(name, {}).setdefault(int(cycle), each.text())
    several = {name: column for name, column in columns.items() if len(column) > 1}
    numbers = sorted({cycle for column in several.values() for cycle in column})
    kept = numbers
    if len(numbers) > _CYCLES:
        kept = [numbers[round(at * (len(numbers) - 1) / (_CYCLES - 1))] for at in range(_CYCLES)]
    rows = [[str(cycle), *(column.get(cycle, "–") for column in several.values())] for cycle in kept]
    return Cycles(list(several), rows, len(numbers) - len(kept))


def _truth(header: RunStarted) -> list[tuple[str, str]]:
    """What a simulated cell really was when the run began."""
    known = header.truth or {}
    return [(name, f"{value:.6g}") for name, value in known.items() if isinstance(value, int | float)]
