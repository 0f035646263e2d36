"""How every figure looks: a journal's column, few colours, ticks inside; and how it becomes a file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hilcycler.records import Outcome
from hilcycler.report.content import Content
from hilcycler.tui.plain import plain

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

COLUMN: Final = 3.5
"""Inches: one column of a journal; two are 7.2."""

_PER_INCH: Final = 20  # characters of the caption

INK: Final = "#1b3a5c"
SECOND: Final = "#b5533c"
GREY: Final = "#8c8c8c"
FAINT: Final = "#d9e2ec"

_STYLE: Final[dict[RcKeyType, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "axes.linewidth": 0.6,
    "axes.formatter.useoffset": False,
    "axes.unicode_minus": True,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "lines.linewidth": 0.9,
    "lines.solid_joinstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 7.0,
    "legend.handlelength": 1.4,
    "savefig.dpi": 300,
    "svg.fonttype": "path",
    "svg.hashsalt": "hilcycler",
    "pdf.fonttype": 42,
    "path.simplify": True,
    "figure.facecolor": "white",
}

# Without these the same figure is another file every time, or after an update of the library.
_METADATA: Final[dict[str, dict[str, Any]]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@contextmanager
def styled() -> Iterator[None]:
    """Figures drawn and saved in here look like ours, whatever the user's own settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def blank(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def caption(figure: Figure, content: Content) -> None:
    """What it is a figure of, in two small lines above it; a twin is always called one."""
    header, ended = content.header, content.ended
    which = [header.cell.name, header.run]
    if header.instrument.simulated:
        which.append("SIMULATED")
    if ended is None:
        which.append("not ended")
    elif ended.outcome is not Outcome.COMPLETED:
        which.append(str(ended.outcome))
    room = int(_PER_INCH * figure.get_figwidth())
    lines = [
        shorten(plain(line), room, placeholder="…") for line in (" · ".join(which), header.protocol_name)
    ]
    figure.suptitle("\n".join(lines), fontsize=6.0, color=GREY, x=0.01, ha="left", parse_math=False)


def panel_title(axes: Axes, text: str) -> None:
    """A few words above a panel."""
    axes.set_title(text, loc="left", fontsize=7.0, pad=3.0, parse_math=False)


def save(figure: Figure, path: Path) -> Path:
    """Write the figure in the format that the name of the file says."""
    path.write_bytes(drawing(figure, path.suffix.removeprefix(".")))
    return path


def drawing(figure: Figure, kind: str) -> bytes:
    """The figure as a file of that `kind`: png, svg, pdf."""
    written = BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a cell's name may be in any script
        figure.savefig(written, format=kind, metadata=_METADATA[kind])
    return written.getvalue()
