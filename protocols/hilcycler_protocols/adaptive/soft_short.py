"""Symmetric cycling that stops by itself once the cell is softly shorted.

A short carries a part of the current, so the voltage at the end of a half-cycle falls. Two half-cycles
in a row below a share of the best one before are taken as a short; a single one may be noise.
"""

from __future__ import annotations

from hilcycler.protocol import Plan, Planned
from hilcycler.quantities import Ampere, Coulomb
from hilcycler.steps import ChargeReached, ConstantCurrent, End, Process, Sampling

SHARE = 0.6
"""Of the greatest end voltage so far: below it a half-cycle is suspect."""


def until_soft_short(current: Ampere, charge: Coulomb, cycles: int) -> Plan:
    """Plate and strip `charge` at `current` (both positive), at most `cycles` times."""
    ends, sampling = (End(ChargeReached(charge)),), Sampling(every=60.0)
    halves = (
        ConstantCurrent(-current, ends, sampling, Process.PLATE),
        ConstantCurrent(current, ends, sampling, Process.STRIP),
    )
    greatest, suspect = 0.0, 0
    for cycle in range(1, cycles + 1):
        for index, step in enumerate(halves, start=1):
            result = yield Planned(step, index, cycle)
            voltage = abs(result.last_voltage or 0.0)
            suspect = suspect + 1 if voltage < SHARE * greatest else 0
            greatest = max(greatest, voltage)
            if suspect >= 2:
                return
