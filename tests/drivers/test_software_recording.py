"""What a host-stepped channel records of its samples: by period, or by decades of the step's time."""

from __future__ import annotations

import numpy as np
import pytest

from hilcycler.channel import ConditionMet, Measured, Samples
from hilcycler.clock import loop_time
from hilcycler.protocol import Envelope
from hilcycler.quantities import Ampere, Volt
from hilcycler.steps import End, Rest, Sampling, TimeReached
from hilcycler_drivers.software_steps import Reading, Stepping
from hilcycler_simulators.virtual_time import run


class Idle:
    """A source at open circuit that measures in no time."""

    async def rest(self, envelope: Envelope) -> str:
        return ""

    async def drive_current(self, current: Ampere, envelope: Envelope) -> None:
        raise AssertionError

    async def drive_voltage(self, voltage: Volt, most: Ampere, envelope: Envelope) -> None:
        raise AssertionError

    async def measure(self) -> Reading:
        return Reading(0.1, 0.0)

    async def off(self) -> None:
        pass


def recorded(sampling: Sampling, seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    async def main() -> list[Measured]:
        step = Rest((End(TimeReached(seconds)),), sampling)
        return [each async for each in Stepping(Idle(), 0.01).run(step, Envelope())]

    found = run(main())
    assert isinstance(found[-1], ConditionMet)
    return np.concatenate([each.columns["step_time"] for each in found if isinstance(each, Samples)])


def test_points_by_the_decade() -> None:
    times = recorded(Sampling(0.1, None, points_per_decade=10), 1000.0)
    assert times[:3] == pytest.approx([0.1, 0.2, 0.3])
    late = times[times > 1.0]
    assert (late[1:-1] / late[:-2]).min() >= 10.0**0.1
    assert (late[1:-1] / late[:-2]).max() < 10.0**0.1 + 0.1
    assert len(times) == pytest.approx(10 + 3 * 10, abs=6)
    assert times[-1] == pytest.approx(1000.0)


def test_a_period_beside_them_is_the_longest_interval() -> None:
    times = recorded(Sampling(0.1, 20.0, points_per_decade=10), 200.0)
    assert np.diff(times).max() == pytest.approx(20.0, abs=0.11)


def test_without_a_rule_everything_is_recorded() -> None:
    assert len(recorded(Sampling(0.1, None), 5.0)) == 50


@pytest.mark.parametrize("sampling", [Sampling(0.1, 60.0), Sampling(60.0, 60.0), Sampling(0.1, 0.1)])
def test_no_row_waits_for_a_later_one(sampling: Sampling) -> None:
    """What is recorded is handed on within a second, so that a kill cannot cost more."""

    async def main() -> float:
        step = Rest((End(TimeReached(200.0)),), sampling)
        began, longest = loop_time(), 0.0
        async for each in Stepping(Idle(), 0.01).run(step, Envelope()):
            if isinstance(each, Samples):
                longest = max(longest, loop_time() - began - each.columns["step_time"][0])
        return longest

    assert run(main()) <= 1.0 + 1e-9
