"""Spectra in the complex plane, measured points and fitted curves, one scale for both axes."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hilcycler.quantities import engineering
from hilcycler.report.content import Content, Spectrum
from hilcycler.report.style import COLUMN, blank, caption, panel_title

MOST: Final = 5
"""Spectra drawn: the first, the last, and evenly between."""

_DENSE: Final = 400
_HEIGHT: Final = 0.62  # of the width, at least
_NEAR: Final = 0.03  # of a decade: a point that close to a power of ten stands for it


def figure(content: Content) -> Figure | None:
    """The figure; None without spectra."""
    if not content.spectra:
        return None
    area = content.header.cell.area
    unit, scale = ("Ω", 1.0) if area is None else ("Ω cm²", area * 1e4)
    drawn = blank(COLUMN, 2.7)
    caption(drawn, content)
    axes = drawn.add_subplot()
    chosen = _chosen(content.spectra)
    shades = colormaps["cividis"](np.linspace(0.0, 0.75, len(chosen)))
    for spectrum, shade in zip(chosen, shades, strict=True):
        z = spectrum.impedance * scale
        axes.plot(
            z.real, -z.imag, "o", markersize=2.6, markerfacecolor="none", markeredgewidth=0.7, color=shade,
            label=f"cycle {spectrum.cycle}",
        )  # fmt: skip
        if spectrum.fit is not None:
            dense = np.geomspace(spectrum.frequency.max(), spectrum.frequency.min(), _DENSE)
            curve = spectrum.fit.impedance(dense) * scale
            axes.plot(curve.real, -curve.imag, color=shade, linewidth=0.8)
    marks = _decades(axes, chosen[0], scale, shades[0])
    _square(axes, np.concatenate([spectrum.impedance for spectrum in chosen]), scale)
    axes.set_xlabel(f"Z′ ({unit})")
    axes.set_ylabel(f"−Z″ ({unit})")
    axes.legend(loc="upper right", ncols=2, columnspacing=1.0, handletextpad=0.3)
    fitted = "; lines: fitted" if any(spectrum.fit is not None for spectrum in chosen) else ""
    panel_title(axes, f"points: measured{marks}{fitted}")
    return drawn


def _decades(axes: Axes, spectrum: Spectrum, scale: float, shade: NDArray[np.float64]) -> str:
    """Full marks at whole powers of ten in hertz; says which."""
    decades = np.log10(spectrum.frequency)
    whole = np.flatnonzero(np.abs(decades - np.round(decades)) < _NEAR)
    z = spectrum.impedance[whole] * scale
    axes.plot(z.real, -z.imag, "o", markersize=3.2, color=shade)
    if len(whole) < 2:
        return ""
    ends = (engineering(10.0 ** float(np.round(decades[at])), "Hz") for at in (whole[0], whole[-1]))
    return f" (full: {' … '.join(ends)})"


def _square(axes: Axes, impedance: NDArray[np.complex128], scale: float) -> None:
    """One scale for both axes, both with zero, and room for the legend above the arcs."""
    x, y = scale * impedance.real, -scale * impedance.imag
    right = 1.05 * max(float(x.max()), 0.0)
    top = max(1.1 * float(y.max()), _HEIGHT * right)
    axes.set_xlim(min(0.0, 1.05 * float(x.min())), right)
    axes.set_ylim(min(0.0, 1.1 * float(y.min())), top)
    axes.set_aspect("equal", adjustable="box")


def _chosen(spectra: tuple[Spectrum, ...]) -> list[Spectrum]:
    at = np.unique(np.linspace(0, len(spectra) - 1, min(MOST, len(spectra))).round().astype(int))
    return [spectra[n] for n in at]
