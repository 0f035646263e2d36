"""Acceptance 3: charge is conserved, over any protocol, to 1e-9 of the charge that was passed.

What passed the terminals is what the test itself integrates where the current is held (I t); where
the voltage is held it is the cell's own meter, which the integral of the current seen must match as
well as a sampled integral can.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.cells.wiener import WienerCell

STEPS = st.lists(
    st.tuples(st.sampled_from(["current", "voltage", "rest"]), st.floats(-1.0, 1.0), st.floats(1.0, 7200.0)),
    min_size=1,
    max_size=6,
)
VOLTAGES = {
    "Li": (-0.05, 0.05),
    "Na": (-0.05, 0.05),
    "Cu": (-0.2, 0.8),
    "LFP": (2.9, 3.9),
    "NCM811": (3.0, 4.3),
    "NCM523": (3.0, 4.3),
    "LCO": (3.2, 4.4),
    "S": (1.8, 2.6),
}
NAMES = [
    *("li-li/pp", "li-li/limmt-pe", "na-na/bn-pp", "k-k/bn-pp"),
    *("li-cu/wng", "li-cu/limmt", "li-s/bn-pp", "ss-ss/pp", "li-ss/ether"),
    *("li-lfp/wng", "li-ncm811/wn-mo2n", "li-ncm523/bn-pp", "li-lco/pota-no3"),
]


def live(cell: WienerCell, step: tuple[str, float, float]) -> tuple[float, float, bool]:
    """The charge that passed, that which went back and forth, and whether the first is exact."""
    kind, size, seconds = step
    area = cell.label.area
    assert area is not None
    if kind == "voltage":
        low, high = VOLTAGES.get(cell.label.working.material, (-0.5, 0.5))
        before = cell.truth["passed_C"]
        times = np.linspace(0.0, seconds, 201)[1:]
        held = 0.5 * (low + high) + 0.5 * (high - low) * size
        cell.potentiostatic(np.full(200, held), times).commit(seconds)
        passed = cell.truth["passed_C"] - before
        return passed, abs(passed), False
    current = 10.0 * area * size if kind == "current" else 0.0
    cell.galvanostatic(current, np.empty(0)).commit(seconds)
    return current * seconds, abs(current) * seconds, True


@pytest.mark.parametrize("name", NAMES)
@settings(
    max_examples=int(os.environ.get("CELL_EXAMPLES", "4")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_what_passes_is_found_again(name: str, steps: list[tuple[str, float, float]]) -> None:
    cell = catalogue.make(name, seed=1)
    passed = throughput = 0.0
    for step in steps:
        through, size, _ = live(cell, step)
        passed += through
        throughput += size
    truth = cell.truth
    enough = 1e-9 * max(throughput, 1e-6)
    assert truth["passed_C"] == pytest.approx(passed, abs=enough)
    assert sum(truth["ledger_C"].values()) + truth["leaked_C"] == pytest.approx(passed, abs=enough)


@pytest.mark.parametrize(
    "name", ["li-lfp/wng", "li-ncm811/wn-mo2n", "li-ncm523/bn-pp", "li-lco/pota-no3", "li-s/pp"]
)
def test_full_cells_conserve_their_lithium(name: str) -> None:
    """In the host, isolated, on the anode, dead and in its SEI; what oxidised electrolyte left is salt."""
    cell = catalogue.make(name, seed=1)
    nominal = cell.label.nominal_capacity
    assert nominal is not None

    def inventory() -> float:
        held = dict(cell.truth["inventory_C_m2"])
        anode = held["lithium active"] + held["lithium dead"] + held["lithium SEI"]
        if "host" in held:
            return float(anode + held["host"] + held["isolated host"] - held["electrolyte oxidised"])
        return float(anode - held["sulfur charge"] - held["isolated sulfur"] - held["shuttled"])

    before = inventory()
    for _ in range(20):
        for sign in (-1.0, 1.0) if cell.label.working.material == "S" else (1.0, -1.0):
            cell.galvanostatic(sign * nominal / 3600.0, np.empty(0)).commit(2000.0)
    assert inventory() == pytest.approx(before, rel=1e-9)


def test_a_shorted_cell_passes_most_of_the_charge_beside_the_ions() -> None:
    """At 308 h the bare cell shorts: from then on the leak takes nearly all, and the books still agree."""
    cell = catalogue.make("li-li/pota-bare", seed=1)
    area = cell.label.area
    assert area is not None
    for number in range(310):
        cell.galvanostatic((-1) ** number * 10.0 * area, np.empty(0)).commit(3600.0)
    assert cell.truth["short_S_m2"] > 0.0
    before = cell.truth
    cell.galvanostatic(10.0 * area, np.empty(0)).commit(3600.0)
    after = cell.truth
    through = after["passed_C"] - before["passed_C"]
    beside = after["leaked_C"] - before["leaked_C"]
    assert through == pytest.approx(10.0 * area * 3600.0)
    assert 0.9 < beside / through < 1.0
    assert sum(after["ledger_C"].values()) + after["leaked_C"] == pytest.approx(
        after["passed_C"], abs=1e-9 * 4e3
    )


def test_the_charge_meter_agrees_with_the_current_seen() -> None:
    cell = catalogue.make("li-li/pp", seed=1)
    times = np.concatenate((np.geomspace(1e-7, 1.0, 3000), np.linspace(1.0, 600.0, 2000)[1:]))
    course = cell.potentiostatic(np.full(len(times), 0.02), times)
    integral = np.trapezoid(course.current, times) + course.current[0] * times[0]
    course.commit(600.0)
    assert cell.truth["passed_C"] == pytest.approx(integral, rel=1e-5)
