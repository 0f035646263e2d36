"""The evaluation that runs along with a view: one number a cycle, by the code that also judges afterwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilcycler.evaluation import Evaluation, Finding
from hilcycler.records import Record


class FirstOfEachCycle:
    """What `evaluation` finds first in each cycle, which is the number that it would quote.

    A plug-in that breaks is left out from then on, with its reason; the view goes on.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        self._name = evaluation.name
        self._accumulator = evaluation.start()
        self._cycles: list[float] = []
        self._values: list[float] = []
        self._formula, self._unit, self._broken = "", "", ""

    @property
    def label(self) -> str:
        """What is plotted, with its definition."""
        words = self._formula or self._name
        return words[:1].upper() + words[1:]

    @property
    def unit(self) -> str:
        """SI."""
        return self._unit

    @property
    def broken(self) -> str:
        """Why there will be no more numbers; empty while there may."""
        return self._broken

    def put(self, record: Record) -> None:
        """Take one record."""
        if self._broken:
            return
        try:
            found = self._accumulator.put(record)
            if found:
                self._keep(found)
        except Exception as error:  # noqa: BLE001  (somebody else's plug-in must not close the view)
            self._broken = f"{self._name} broke: {type(error).__name__}: {error}"

    def points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Cycles and values so far."""
        return np.array(self._cycles), np.array(self._values)

    def _keep(self, found: Sequence[Finding]) -> None:
        first: dict[str, Any] = found[0].as_dict()
        cycle = _number(first.get("inputs", {}).get("cycles"))
        if not math.isfinite(cycle):
            return
        self._formula, self._unit = str(first.get("formula", "")), str(first.get("unit", ""))
        self._cycles.append(cycle)
        self._values.append(float(first["value"]))


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return math.nan
