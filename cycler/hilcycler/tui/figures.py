"""The plots of a run: what of it is drawn against what."""

from __future__ import annotations

from hilcycler.records import RunStarted
from hilcycler.tui.live import Live
from hilcycler.tui.picture import Axis, Mark, Plan, Series
from hilcycler.tui.plain import plain

_TIME = Axis("test time", "s")


def voltage(live: Live, cycles: int) -> Plan:
    """Voltage against test time over the last `cycles` cycles."""
    time, volts, _ = live.trace.last_cycles(cycles)
    axis = Axis(f"Voltage {_between(live.started)}".rstrip(), "V")
    return Plan(_TIME, axis, series=(Series(time, volts, _span(cycles)),))


def current(live: Live, cycles: int) -> Plan:
    """Current against test time over the last `cycles` cycles."""
    time, _, amperes = live.trace.last_cycles(cycles)
    return Plan(_TIME, Axis("Current", "A"), series=(Series(time, amperes, colour=1),))


def nyquist(live: Live) -> Plan:
    """The spectra that are kept; the latest as points, on square axes that include zero."""
    kept = live.spectra.kept()
    series = []
    for at, spectrum in enumerate(kept):
        latest = at == len(kept) - 1
        z = spectrum.impedance
        # The word once: on a narrow screen there is no room for it three times.
        label = f"{'cycle ' if at == 0 else ''}{spectrum.cycle}" if len(kept) > 1 else ""
        mark, colour = (Mark.POINTS, 0) if latest else (Mark.LINE, 3 if at == 0 else 1)
        series.append(Series(z.real, -z.imag, label, mark, colour))
    x, y = Axis("Z′", "Ω", includes=0.0), Axis("−Z″", "Ω", includes=0.0)
    return Plan(x, y, square=True, empty="no spectrum yet", series=tuple(series))


def per_cycle(live: Live) -> Plan:
    """The live evaluation against cycle."""
    if live.per_cycle is None:
        return Plan(Axis("cycle"), Axis("Overpotential", "V"), empty="no evaluation installed")
    cycles, values = live.per_cycle.points()
    axis = Axis(plain(live.per_cycle.label), live.per_cycle.unit)
    series = Series(cycles, values, mark=Mark.POINTS, colour=2)
    empty = plain(live.per_cycle.broken) or "no complete cycle yet"
    return Plan(Axis("cycle"), axis, empty=empty, series=(series,))


def _between(started: RunStarted | None) -> str:
    return "" if started is None else started.cell.voltage_label


def _span(cycles: int) -> str:
    return "last cycle" if cycles == 1 else f"last {cycles} cycles"
