"""Which arc is which: interchangeable parts of a circuit are sorted, or followed, before they are named."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hilcycler_protocols.evaluation.impedance.circuits import Circuit, Parallel, Series, in_series

Real = NDArray[np.float64]


def relaxation_times(circuit: Circuit, x: Real) -> list[float | None]:
    """The time constant of each part in series, None for parts that are no arc."""
    return [part.relaxation_time(x[span]) for part, span in in_series(circuit)]


def named(circuit: Circuit, x: Real, earlier: Real | None = None) -> Real:
    """Coordinates with interchangeable arcs in the right places.

    Without `earlier` they ascend in their time constants. With the coordinates of an earlier
    spectrum each place gets the arc that continues the one that was there: least change of the
    coordinates (of resistance, time constant and exponent) overall.
    """
    parts, times = in_series(circuit), relaxation_times(circuit, x)
    arranged = x.copy()
    for places in _interchangeable([part for part, _ in parts], times):
        arcs = [x[parts[place][1]] for place in places]
        if earlier is None:
            arcs = [arcs[k] for k in np.argsort([times[place] or 0.0 for place in places], kind="stable")]
        else:
            arcs = _continued(arcs, [earlier[parts[place][1]] for place in places])
        for place, arc in zip(places, arcs, strict=True):
            arranged[parts[place][1]] = arc
    return arranged


def _interchangeable(parts: Sequence[Circuit], times: Sequence[float | None]) -> list[list[int]]:
    """Groups of places whose parts are built alike."""
    groups: defaultdict[object, list[int]] = defaultdict(list)
    for place, (part, time) in enumerate(zip(parts, times, strict=True)):
        if time is not None:
            groups[_shape(part)].append(place)
    return [places for places in groups.values() if len(places) > 1]


def _shape(circuit: Circuit) -> object:
    if isinstance(circuit, Series | Parallel):
        return (type(circuit), tuple(_shape(part) for part in circuit.parts))
    return type(circuit)


def _continued(arcs: list[Real], earlier: list[Real]) -> list[Real]:
    def change(order: Sequence[Real]) -> float:
        return sum(float(np.abs(now - then).sum()) for now, then in zip(order, earlier, strict=True))

    return min((list(order) for order in itertools.permutations(arcs)), key=change)
