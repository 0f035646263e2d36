"""`cycler report`: the figures of a run in files. Needs matplotlib (`pip install 'hilcycler[report]'`)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from hilcycler.errors import RequestError
from hilcycler.report.content import read

FORMATS: Final = ("png", "svg", "pdf")


def report(path: Path, out: Path, formats: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Draw the run in the file at `path` into the folder `out`; the files written.

    The voltage profile always, the overpotential of every cycle where one was completed, the
    spectra where there are any. The same run gives the same files, byte for byte, with the same
    matplotlib. RequestError without matplotlib or for an unknown format; JournalError for a file that
    cannot be read.
    """
    for name in formats:
        if name not in FORMATS:
            raise RequestError(f"no figures in format {name!r}; there are: {', '.join(FORMATS)}")
    if find_spec("matplotlib") is None:
        raise RequestError("figures need matplotlib: pip install 'hilcycler[report]'")
    from hilcycler.report import nyquist, per_cycle, voltage
    from hilcycler.report.style import save, styled

    content = read(path)
    out.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with styled():
        for name, draw in (
            ("voltage", voltage.figure),
            ("overpotential", per_cycle.figure),
            ("nyquist", nyquist.figure),
        ):
            figure = draw(content)
            if figure is not None:
                stem = f"{content.header.run}-{name}"
                written += [save(figure, out / f"{stem}.{each}") for each in formats]
    return written
