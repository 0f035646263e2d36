"""Days of a whole service in virtual time; `HILCYCLER_SOAK_DAYS=90` is the whole measure (`cycler bench soak --full`)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hilcycler_simulators.service_soak import soaked

DAYS = float(os.environ.get("HILCYCLER_SOAK_DAYS", "1"))


@pytest.mark.timeout(60 + 20 * DAYS)
def test_days_of_eight_channels(tmp_path: Path) -> None:
    found = soaked(tmp_path, DAYS)
    assert found["rows"] == round(8 * 8640 * DAYS)
    assert found["deadlines missed"] == 0
    assert found["files that verify"] == f"{found['runs']} of {found['runs']}"
    assert found["slope MB a day"] < 1.0
