"""One simulated cell on a simulated potentiostat, run through the wire in virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from hilcycler import registry
from hilcycler.errors import RequestError
from hilcycler.evaluation import Accumulator, Finding, evaluate
from hilcycler.journal import Run, Settings, open_run
from hilcycler.language import loads
from hilcycler.records import Outcome
from hilcycler.service.foreground import Order, perform
from hilcycler_simulators.cells.catalogue import catalogue
from hilcycler_simulators.cells.wiener import WienerCell
from hilcycler_simulators.instruments.emstat import twin
from hilcycler_simulators.instruments.emstat.twin import EmStatTwin
from hilcycler_simulators.virtual_time import run as run_in_virtual_time

SEED: Final = 1


@dataclass
class Bench:
    """A fresh cell of `profile`; runs on it are files in `folder`. No run file holds the cell's truth.

    `whole`: nothing of a life is passed without the wire.
    """

    profile: str
    folder: Path
    whole: bool = False
    _runs: int = field(default=0)

    @cached_property
    def cell(self) -> WienerCell:
        """The cell itself: aged by procedures of its own, and looked at by nobody else."""
        return catalogue.make(self.profile, SEED)

    def run(self, text: str) -> Run:
        """Run the protocol in `text` on the cell; RequestError unless it comes to its end."""
        self._runs += 1
        instrument = EmStatTwin(self.cell, seed=SEED + self._runs)
        order = Order(
            protocol=loads(text, self.profile).bind(instrument.cell),
            text=text,
            cell=instrument.cell,
            driver=registry.driver(twin.driver),
            connect=instrument.connect,
            channel=f"{self.profile}-{self._runs}",
            folder=self.folder,
            simulated=True,
        )
        performed = run_in_virtual_time(perform(order, None, Settings(inline=True)))
        if performed.ended.outcome not in {Outcome.COMPLETED, Outcome.STOPPED}:
            raise RequestError(f"{self.profile}: {performed.ended.outcome}: {performed.ended.reason}")
        return open_run(performed.path)


def evaluated(run: Run, name: str) -> tuple[Accumulator, list[Finding]]:
    """What the installed evaluation `name` says of a run, from its file alone."""
    return evaluate(run, registry.evaluation(name))
