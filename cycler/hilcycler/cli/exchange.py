"""`cycler convert`: protocols of other programs into ours, and ours into theirs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hilcycler.cell import Cell
from hilcycler.cli import app
from hilcycler.cli.output import say
from hilcycler.errors import RequestError
from hilcycler.language import load, load_cell
from hilcycler.language.exchange import (
    Loss,
    from_pybamm,
    from_unicycler,
    to_pybamm,
    to_pyprobe_readme,
    to_unicycler,
)
from hilcycler.language.exchange.unicycler_reading import Wave
from hilcycler.protocol import Protocol


class Form(StrEnum):
    """Other programs' forms."""

    UNICYCLER = "unicycler"
    PYBAMM = "pybamm"
    PYPROBE = "pyprobe"


class Amplitude(StrEnum):
    """What the other program takes the amplitude of a spectrum for."""

    RMS = "rms"
    PEAK = "peak"


@app.command()
def convert(
    protocol: Annotated[
        Path, typer.Argument(help="Ours (.yaml), unicycler's (.json) or PyBaMM's strings, one a line (.txt).")
    ],
    to: Annotated[
        Form | None, typer.Option("--to", help="What ours becomes; others always become ours.")
    ] = None,
    cell: Annotated[
        Path | None, typer.Option(help="File that describes the cell; default: the protocol's own.")
    ] = None,
    amplitude: Annotated[
        Amplitude | None, typer.Option(help="Whether unicycler's reader takes amplitudes for rms or peak.")
    ] = None,
    accept: Annotated[
        list[str] | None, typer.Option(help="Name of a loss that you agree to, such as time-guard.")
    ] = None,
) -> None:
    """Print a protocol in another program's form, or another program's in ours. Nothing is dropped silently."""
    wave: Wave | None = None if amplitude is None else "rms" if amplitude is Amplitude.RMS else "peak"
    losses = [_loss(name) for name in accept or ()]
    if protocol.suffix in {".yaml", ".yml"}:
        if to is None:
            raise RequestError(f"{protocol.name} is ours already; expected --to {', '.join(Form)}")
        document = load(protocol)
        described = load_cell(cell) if cell is not None else document.cell
        say(_written(document.bind(described), described, to, wave, losses))
        return
    if to is not None:
        raise RequestError(f"--to {to.value}: only ours (.yaml) is converted to other forms")
    try:
        text = protocol.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{protocol}: cannot be read: {error}") from None
    if protocol.suffix == ".json":
        found = from_unicycler(text, str(protocol), amplitude=wave, accept=losses)
    elif protocol.suffix == ".txt":
        found = from_pybamm([line for line in text.splitlines() if line.strip()], protocol.stem)
    else:
        raise RequestError(f"{protocol.name}: expected .yaml (ours), .json (unicycler) or .txt (PyBaMM)")
    say(found.text.rstrip("\n"))


def _written(
    protocol: Protocol, cell: Cell | None, to: Form, amplitude: Wave | None, accept: list[Loss]
) -> str:
    if protocol.deciding is not None:
        raise RequestError(f"{protocol.deciding.name} decides as it goes; no other form can say that")
    match to:
        case Form.UNICYCLER:
            return to_unicycler(protocol, cell, amplitude=amplitude, accept=accept)
        case Form.PYBAMM:
            return "\n".join(to_pybamm(protocol, accept=accept))
        case Form.PYPROBE:
            return to_pyprobe_readme(protocol).rstrip("\n")


def _loss(name: str) -> Loss:
    known = {loss.name.lower().replace("_", "-"): loss for loss in Loss}
    if name not in known:
        raise RequestError(f"--accept {name}: expected one of {', '.join(known)}")
    return known[name]
