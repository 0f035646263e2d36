"""Li||Li cells: what their papers print, judged by cycling them without noise."""

from __future__ import annotations

import numpy as np
import pytest

from hilcycler.errors import RequestError
from hilcycler_simulators.cells import catalogue

HOUR = 3600.0


def half_cycles(name: str, count: int, density: float, hours: float) -> np.ndarray:
    """Mean |V| over the central half of each half-cycle; `density` in mA/cm2."""
    cell = catalogue.make(name, seed=1)
    current = density * 1e-3 * 1.131
    times = np.linspace(0.25, 0.75, 61) * hours * HOUR
    means = []
    for number in range(count):
        course = cell.galvanostatic(current if number % 2 == 0 else -current, times)
        means.append(float(np.mean(np.abs(course.voltage))))
        course.commit(hours * HOUR)
    return np.array(means)


def test_bn_pp_shows_the_papers_13_mv() -> None:
    means = half_cycles("li-li/bn-pp", 200, 1.0, 1.0)
    assert means[180:].mean() == pytest.approx(0.013, abs=1e-4)


def test_pp_rises_after_300_h_to_100_mv_at_870_h() -> None:
    means = half_cycles("li-li/pp", 870, 1.0, 1.0)
    assert means[300] < means[-1] / 3.0, "most of the rise comes after 300 h"
    assert means[-1] == pytest.approx(0.100, rel=0.03)


def test_polling_changes_nothing() -> None:
    polled, left_alone = (catalogue.make("li-li/bn-pp", seed=1) for _ in range(2))
    for _ in range(100):
        polled.galvanostatic(1e-3, np.array([0.25])).commit(0.25)
    left_alone.galvanostatic(1e-3, np.array([25.0])).commit(25.0)
    after = np.array([1.0, 2.0])
    assert np.array_equal(
        polled.galvanostatic(-1e-3, after).voltage, left_alone.galvanostatic(-1e-3, after).voltage
    )


def test_crossing_is_where_the_voltage_is() -> None:
    cell = catalogue.make("li-li/pp", seed=1)
    found = cell.crossing(1.131e-3, 0.05, HOUR)
    assert found is not None
    assert cell.galvanostatic(1.131e-3, np.array([found])).voltage[0] == pytest.approx(0.05, abs=1e-12)
    assert cell.crossing(1.131e-3, 0.5, HOUR) is None


def test_an_unknown_cell_is_refused_with_the_names() -> None:
    with pytest.raises(RequestError, match="li-li/bn-pp"):
        catalogue.make("li-li/nothing", seed=1)
