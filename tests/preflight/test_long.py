"""6300 h of symmetric cycling, rehearsed.

How long it takes is measured by `cycler check FILE --on twin`, which says so, not by a test. By default
630 h; the whole with HILCYCLER_LONG=1.
"""

from __future__ import annotations

import os

import pytest
from spine import CYCLES

from hilcycler.language import loads
from hilcycler.preflight import preflight

CYCLES_RUN = 3150 if os.environ.get("HILCYCLER_LONG") else 315


@pytest.mark.timeout(120)
def test_every_hour_is_rehearsed() -> None:
    area = "cell: {working: Li, counter: Li, area: 1.131 cm2}\n"
    document = loads(CYCLES.format(cycles=CYCLES_RUN).lstrip() + area)
    report = preflight(document.bind(), document.cell, "twin", "li-li/bn-pp")
    done = report.rehearsed
    assert done is not None
    assert report.errors == ()
    assert done.executed == 2 * CYCLES_RUN + 1
    # 5 min of rest, then two hours a cycle, and 0.1 s between any two steps.
    assert done.duration == pytest.approx(300.0 + 7200.0 * CYCLES_RUN + 0.1 * done.executed, rel=1e-9)
    assert done.rows == 6 + 2 * CYCLES_RUN * 61
