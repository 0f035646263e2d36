"""The number that runs along is the evaluation's own, and a broken plug-in does not close the view."""

from collections.abc import Sequence

import numpy as np
import pytest
from imagined_run import ImaginedRun

from hilcycler.evaluation import Evaluation, Finding
from hilcycler.records import Record
from hilcycler.tui.per_cycle import FirstOfEachCycle
from hilcycler_protocols.evaluation.overpotential import Definition, Overpotentials, evaluation


def test_the_live_number_is_that_of_the_evaluation_afterwards(imagined: ImaginedRun) -> None:
    records = [imagined.started(), *imagined.cycles(1, 4), imagined.ended()]
    live, afterwards = FirstOfEachCycle(evaluation), Overpotentials()
    for record in records:
        live.put(record)
        afterwards.put(record)
    cycles, values = live.points()
    assert cycles.tolist() == [1.0, 2.0, 3.0, 4.0]
    expected = [cycle.overpotential(Definition.CENTRAL) for cycle in afterwards.cycles]
    assert values == pytest.approx(np.array(expected), rel=1e-12)
    assert (live.label, live.unit) == ("Overpotential, mean over the central part of the charge", "V")


def test_a_plug_in_that_breaks_is_left_out(imagined: ImaginedRun) -> None:
    class Breaks:
        def put(self, record: Record) -> Sequence[Finding]:
            raise ZeroDivisionError("by the cycle number")

        def finish(self) -> Sequence[Finding]:
            return ()

        def summary(self, last: int | None = None) -> Sequence[Finding]:
            return ()

    live = FirstOfEachCycle(Evaluation("theirs", "", Breaks))
    live.put(imagined.started())
    assert live.broken == "theirs broke: ZeroDivisionError: by the cycle number"
    live.put(imagined.ended())
    assert len(live.points()[0]) == 0
