"""`cycler reindex`: the catalogue of runs, made again from the run files."""

from __future__ import annotations

from hilcycler.catalogue import Catalogue
from hilcycler.cli import app
from hilcycler.cli.files import DATA
from hilcycler.cli.output import say
from hilcycler.service.folder import data_folder


@app.command()
def reindex(data: DATA = None) -> None:
    """Make the catalogue of the data folder again. It is a cache: nothing is lost without it."""
    catalogue = Catalogue(data_folder(data))
    known = catalogue.reindex()
    unreadable = sum(bool(each.summary.problem) for each in known)
    say(f"{len(known)} runs in {catalogue.path}" + (f", {unreadable} unreadable" if unreadable else ""))
