"""What this machine cannot test is said at the top of every report."""

from __future__ import annotations

import small_disk


def pytest_report_header() -> list[str]:
    return (
        [] if small_disk.available() else ["no loop devices here: real full and failing disks stay untested"]
    )
