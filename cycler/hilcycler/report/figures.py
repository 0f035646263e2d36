"""`cycler report`: the figures of a run in files. Needs matplotlib (`pip install 'hilcycler[report]'`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hilcycler.errors import RequestError
from hilcycler.report.content import Content, read

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS: Final = ("png", "svg", "pdf")


def report(path: Path, out: Path, formats: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Draw the run in the file at `path` into the folder `out`; the files written.

    The voltage profile always; overpotential, efficiency and capacity of every cycle where one was
    completed; the spectra where there are any. The same run gives the same files, byte for byte, with the same
    matplotlib. RequestError without matplotlib or for an unknown format; JournalError for a file that
    cannot be read.
    """
    for name in formats:
        if name not in FORMATS:
            raise RequestError(f"no figures in format {name!r}; there are: {', '.join(FORMATS)}")
    needed("matplotlib", "figures")
    from hilcycler.report.style import save, styled

    content = read(path)
    out.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with styled():
        for name, figure in drawn(content):
            stem = f"{content.header.run}-{name}"
            written += [save(figure, out / f"{stem}.{each}") for each in formats]
    return written


def drawn(content: Content) -> Iterator[tuple[str, Figure]]:
    """The figures that `content` has something for, each with its name; within `styled`."""
    from hilcycler.report import nyquist, per_cycle, voltage

    figures = [("voltage", voltage.figure(content))]
    figures += [(name, per_cycle.figure(content, name)) for name in content.per_cycle]
    figures.append(("nyquist", nyquist.figure(content)))
    yield from ((name, figure) for name, figure in figures if figure is not None)


def needed(library: str, what: str) -> None:
    """RequestError if `library`, which `what` need, is not installed."""
    if find_spec(library) is None:
        raise RequestError(f"{what} need {library}: pip install 'hilcycler[report]'")
