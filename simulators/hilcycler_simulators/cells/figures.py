"""The figures of docs/cells.md: `python -m hilcycler_simulators.cells.figures docs/figures`.

Everything drawn is what a perfect instrument would see of cells of the catalogue, without noise.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hilcycler.report.style import GREY, INK, SECOND, blank, panel_title, save, styled
from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.cells.bank import Floats
from hilcycler_simulators.cells.procedures import cycle_full, cycle_symmetric
from hilcycler_simulators.cells.wiener import WienerCell

_HOUR: Final = 3600.0
_MAH_CM2: Final = 3.6e4  # C/m2
_MAH_G: Final = 3.6e3  # C/kg
_COLOURS: Final = (INK, SECOND, "#3f8f6b", "#c79a2b", GREY)
_NONE: Final = np.empty(0)


def _make(name: str) -> tuple[WienerCell, float]:
    cell = catalogue.make(name, seed=1)
    area = cell.label.area
    assert area is not None
    return cell, area


def _panels(count: int) -> tuple[Figure, Sequence[Axes]]:
    figure = blank(7.2, 2.5)
    return figure, list(np.atleast_1d(figure.subplots(1, count)))


def _half(cell: WienerCell, current: float, limit: float, longest: float) -> tuple[Floats, Floats]:
    """Capacity (mAh/g) and voltage up to a cut-off, and the cell lives through it."""
    mass = cell.label.working.active_mass
    assert mass is not None
    seconds = cell.crossing(current, limit, longest) or longest
    times = np.linspace(1.0, seconds, 400)
    course = cell.galvanostatic(current, times)
    voltage = course.voltage
    course.commit(seconds)
    return abs(current) * times / mass / _MAH_G, voltage


def _cycled(axes: Axes, name: str, window: tuple[float, float], rate: float, style: tuple[str, str]) -> None:
    """One charge and one discharge, or the other way round for sulfur; colour and label."""
    colour, label = style
    cell, _ = _make(name)
    nominal = cell.label.nominal_capacity
    assert nominal is not None
    current, longest = rate * nominal / _HOUR, 3.0 * _HOUR / rate
    signs = ((-1.0, window[0]), (1.0, window[1]))
    for at, (sign, limit) in enumerate(signs if name.startswith("li-s/") else signs[::-1]):
        capacity, voltage = _half(cell, sign * current, limit, longest)
        axes.plot(
            capacity, voltage, color=colour, lw=0.9, ls="-" if sign < 0 else "--", label=label if at else None
        )


def charge_discharge() -> Figure:
    """Discharge (solid) and charge (broken) of every cathode; rates of one."""
    figure, (kinds, rates, sulfur) = _panels(3)
    cells = (
        ("li-lfp/wng", (2.5, 4.0), "LFP"),
        ("li-ncm811/wn-mo2n", (2.8, 4.3), "NCM811"),
        ("li-ncm523/bn-pp", (3.0, 4.3), "NCM523"),
        ("li-lco/pota-no3", (3.0, 4.5), "LCO"),
    )
    for colour, (name, window, label) in zip(_COLOURS, cells, strict=False):
        _cycled(kinds, name, window, 0.1, (colour, label))
    panel_title(kinds, "C/10")
    for colour, rate in zip(_COLOURS, (0.2, 1.0, 5.0, 10.0), strict=False):
        cell, _ = _make("li-ncm811/wn-mo2n")
        nominal = cell.label.nominal_capacity
        assert nominal is not None
        _half(cell, 0.2 * nominal / _HOUR, 4.3, 20 * _HOUR)
        rates.plot(*_half(cell, -rate * nominal / _HOUR, 2.8, 20 * _HOUR), color=colour, label=f"{rate:g} C")
    panel_title(rates, "NCM811, discharge after C/5 charge")
    for colour, name, label in ((INK, "li-s/bn-pp", "weak shuttle"), (SECOND, "li-s/pp", "strong shuttle")):
        _cycled(sulfur, name, (1.7, 2.8), 0.2, (colour, label))
    panel_title(sulfur, "Li||S, C/5")
    for axes in (kinds, rates, sulfur):
        axes.set(xlabel="capacity / mAh g$^{-1}$", ylabel="voltage / V")
        axes.legend()
    return figure


def nyquist() -> Figure:
    """Ageing, temperature and a blocking cell."""
    figure, (ageing, warm, blocking) = _panels(3)
    frequencies = np.logspace(6, -2, 81)

    def draw(axes: Axes, cell: WienerCell, colour: str, label: str) -> None:
        z = cell.impedance(frequencies) * 1e4 * (cell.label.area or 1.0)
        axes.plot(z.real, -z.imag, color=colour, label=label)
        decades = slice(0, None, 10)
        axes.plot(z.real[decades], -z.imag[decades], ".", color=colour, ms=3)

    for colour, hours in zip(_COLOURS, (0, 300, 600, 870), strict=False):
        cell, area = _make("li-li/pp")
        for number in range(hours):
            cell.galvanostatic((-1) ** number * 10.0 * area, _NONE).commit(_HOUR)
        cell.galvanostatic(0.0, _NONE).commit(10 * _HOUR)
        draw(ageing, cell, colour, f"{hours} h")
    ageing.set(xlim=(0, 110), ylim=(0, 110))
    panel_title(ageing, "Li||Li, bare PP, 1 mA cm⁻²; dots: decades")
    for colour, celsius in zip(_COLOURS, (0, 10, 25, 40), strict=False):
        cell, _ = _make("li-li/wn-mo2n")
        cell.temperature = 273.15 + celsius
        draw(warm, cell, colour, f"{celsius} °C")
    warm.set(xlim=(0, 165), ylim=(0, 165))
    panel_title(warm, "Li||Li, WN/Mo2N@HCN, new")
    for colour, name, label in ((INK, "ss-ss/bn-pp", "BN@PP"), (SECOND, "ss-ss/pp", "PP")):
        draw(blocking, _make(name)[0], colour, label)
    blocking.set(xlim=(0, 6), ylim=(0, 6))
    panel_title(blocking, "SS||SS")
    for axes in (ageing, warm, blocking):
        axes.set(xlabel="Z' / Ω cm$^2$", ylabel="-Z'' / Ω cm$^2$")
        axes.set_aspect("equal", adjustable="box")
        axes.legend()
    return figure


def copper() -> Figure:
    """Nucleation under a current and under a voltage; the end of a strip."""
    figure, (plating, held, strip) = _panels(3)
    for colour, name, label in ((INK, "li-cu/pota-no3", "POTA-NO$_3$"), (SECOND, "li-cu/pota-bare", "bare")):
        cell, area = _make(name)
        times = np.linspace(0.0, 900.0, 3000)
        plating.plot(
            times / _HOUR, 1e3 * cell.galvanostatic(-10.0 * area, times).voltage, color=colour, label=label
        )
    plating.set(ylim=(-75, 60), xlabel="charge / mAh cm$^{-2}$", ylabel="voltage / mV")
    panel_title(plating, "first plating on Cu, 1 mA cm⁻²")
    cell, area = _make("li-cu/limmt")
    times = np.linspace(0.3, 20.0, 400)
    density = -cell.potentiostatic(np.full(400, -0.1), times).current / area
    top = int(np.argmax(density))
    x = np.linspace(0.05, 4.0, 200)
    held.plot(x, 1.9542 / x * (1 - np.exp(-1.2564 * x)) ** 2, color=GREY, ls="--", label="instantaneous")
    held.plot(x, 1.2254 / x * (1 - np.exp(-2.3367 * x**2)) ** 2, color=GREY, ls=":", label="progressive")
    some = slice(0, None, 12)
    held.plot(
        times[some] / times[top], (density[some] / density[top]) ** 2, ".", color=INK, ms=3, label="cell"
    )
    held.set(xlim=(0, 4), ylim=(0, 1.1), xlabel="t/t$_m$", ylabel="(i/i$_m$)$^2$")
    panel_title(held, "LiMMT, -100 mV")
    for colour, density_ in zip(_COLOURS, (2.5, 5.0, 10.0), strict=False):
        cell, area = _make("li-cu/bn-pp")
        cell.galvanostatic(-density_ * area, _NONE).commit(_MAH_CM2 / density_)
        end = cell.crossing(density_ * area, 1.0, 2 * _MAH_CM2 / density_)
        assert end is not None
        before = np.linspace(-60.0, 20.0, 2000)
        voltage = cell.galvanostatic(density_ * area, end + before).voltage
        strip.plot(before, voltage, color=colour, label=f"{density_ / 10:g} mA cm$^{{-2}}$")
    strip.axhline(1.0, color=GREY, lw=0.5)
    strip.set(xlabel="seconds from 1 V", ylabel="voltage / V", ylim=(0, 4))
    panel_title(strip, "end of the strip, 1 mAh cm⁻²")
    for axes in (plating, held, strip):
        axes.legend()
    return figure


def lives() -> Figure:
    """Polarisation over a life; a soft short as it is seen; capacity over cycles."""
    figure, (whole, short, faded) = _panels(3)
    symmetric = (
        ("li-li/bn-pp", 10.0, 1000.0, "BN@PP"),
        ("li-li/pp", 10.0, 1000.0, "PP"),
        ("li-li/pota-bare", 10.0, 330.0, "bare Li, LS-002"),
        ("li-li/wng", 20.0, 1000.0, "WNG, 2 mA cm$^{-2}$"),
    )
    for colour, (name, density, hours, label) in zip(_COLOURS, symmetric, strict=False):
        run = cycle_symmetric(_make(name)[0], density, _MAH_CM2, hours)
        whole.semilogy(run.hours, 1e3 * run.voltage, color=colour, label=label)
    whole.set(xlabel="time / h", ylabel="mean |V| / mV", ylim=(3, 4000))
    panel_title(whole, "Li||Li, 1 mAh cm⁻²")
    cell, area = catalogue.make("li-li/limmt-pe", seed=7), _make("li-li/limmt-pe")[1]
    times, seen, volts = np.linspace(36.0, 3 * _HOUR, 300), [], []
    for number in range(100):
        course = cell.galvanostatic((-1) ** number * 10.0 * area, times)
        seen.append(cell.clock / _HOUR + times / _HOUR)
        volts.append(1e3 * course.voltage)
        course.commit(3 * _HOUR)
    short.plot(np.concatenate(seen), np.concatenate(volts), color=INK, lw=0.6)
    short.set(xlabel="time / h", ylabel="voltage / mV", xlim=(180, 300))
    panel_title(short, "soft shorts: Li||Li, PE, 3 mAh cm⁻²")
    full = (
        ("li-lfp/wng", (2.5, 4.0), 300, "LFP, WNG"),
        ("li-ncm811/wn-mo2n", (2.8, 4.3), 400, "NCM811, composite"),
        ("li-ncm811/wn-mo2n-foil", (2.8, 4.3), 400, "NCM811, foil"),
        ("li-s/bn-pp", (1.7, 2.8), 300, "S, BN@PP"),
        ("li-s/pp", (1.7, 2.8), 300, "S, PP"),
    )
    for colour, (name, window, cycles, label) in zip(_COLOURS, full, strict=False):
        found = cycle_full(_make(name)[0], window, [1.0] * cycles).discharged / _MAH_G
        faded.plot(np.arange(1, cycles + 1), 100.0 * found / found[0], color=colour, label=label)
    faded.set(xlabel="cycle", ylabel="capacity / % of the first", ylim=(0, 105))
    panel_title(faded, "full cells, 1 C")
    for axes in (whole, faded):
        axes.legend()
    return figure


FIGURES: Final[Iterable[tuple[str, Callable[[], Figure]]]] = (
    ("cells-charge-discharge", charge_discharge),
    ("cells-nyquist", nyquist),
    ("cells-copper", copper),
    ("cells-lives", lives),
)


def main(folder: str) -> None:
    """Draw them all into `folder`."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    with styled():
        for name, draw in FIGURES:
            figure = draw()
            save(figure, Path(folder) / f"{name}.svg")


if __name__ == "__main__":
    main(*sys.argv[1:])
