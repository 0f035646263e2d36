"""One protocol file, two kinds of instrument: they agree about the cell, and about the charge."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from spine import make_twin, order

from hilcycler import registry
from hilcycler.journal import Run, Settings, open_run
from hilcycler.records import Outcome, StepEnded
from hilcycler.service.consent import HOLDS_FOR_EVER
from hilcycler.service.foreground import perform
from hilcycler_drivers.keithley.wire.models import MODELS
from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.instruments.keithley import KeithleyTwin
from hilcycler_simulators.instruments.keithley.firmware import Smu
from hilcycler_simulators.virtual_time import run

CYCLES = int(os.environ.get("HILCYCLER_SMU_CYCLES", "5"))
CURRENT = 1e-3
TEXT = """
protocol: symmetric cycling with rests
safety: {{voltage: -1 V to 1 V, current: -10 mA to 10 mA, charge: 2 mAh}}
record: {{every: 10 s, decide every: 5 s}}
steps:
  - repeat: {cycles}
    steps:
      - rest: {{for: 30 s}}
      - plate: {{current: 1 mA, until: {{charge: 0.1 mAh}}}}
      - rest: {{for: 30 s}}
      - strip: {{current: 1 mA, until: {{charge: 0.1 mAh}}}}
"""


def done(twin: object, driver: str, folder: Path, cycles: int) -> Run:
    folder.mkdir()

    async def main() -> Path:
        wanted = replace(
            order(twin, twin.connect, folder, TEXT.format(cycles=cycles)),  # type: ignore[arg-type, attr-defined]
            driver=registry.driver(driver),
            accepts=frozenset({HOLDS_FOR_EVER}),
        )
        performed = await perform(wanted, settings=Settings(inline=True))
        assert performed.ended.outcome is Outcome.COMPLETED
        return performed.path

    return open_run(run(main()))


def last_overpotentials(found: Run) -> list[float]:
    columns = found.columns()
    driven = np.abs(columns["current"]) > CURRENT / 2
    ends = driven & ~np.append(driven[1:] & (np.diff(np.sign(columns["current"])) == 0), False)
    return [float(each) for each in columns["voltage"][ends]]


def test_overpotentials_agree_within_a_millivolt_and_the_leads(tmp_path: Path) -> None:
    smu = Smu(MODELS["2450"], catalogue.make("li-li/bn-pp", 1))
    one = last_overpotentials(done(KeithleyTwin(smu), "keithley", tmp_path / "smu", 3))
    other = last_overpotentials(done(make_twin(), "emstat", tmp_path / "potentiostat", 3))
    assert len(one) == len(other) == 6
    for a, b in zip(one, other, strict=True):
        assert abs(a - b) < 1e-3 + CURRENT * smu.output.lead


@pytest.mark.timeout(60 + 4 * CYCLES)
def test_the_journal_and_the_cell_agree_about_the_charge(tmp_path: Path) -> None:
    """HILCYCLER_SMU_CYCLES=1000 for the whole law. The truth is what the cell lived through."""
    smu = Smu(MODELS["2450"], catalogue.make("li-li/bn-pp", 1))
    passed = {"net": 0.0, "through": 0.0}
    let_pass = smu.output.let_pass

    def counted(seconds: float) -> None:
        let_pass(seconds)
        passed["net"] += smu.output.cell_current * seconds
        passed["through"] += abs(smu.output.cell_current) * seconds

    smu.output.let_pass = counted  # type: ignore[method-assign]
    found = done(KeithleyTwin(smu), "keithley", tmp_path / "smu", CYCLES)
    charges = [each.result.charge for each in found.events() if isinstance(each, StepEnded)]
    # Declared: gain and offset of the current range over the time it was read, and for each step the
    # moments between the set-point's coming on and the first reading, and after the last one.
    scale = MODELS["2450"].current_range(CURRENT)[1]
    lasted = found.columns(["test_time"])["test_time"][-1]
    edges = len(charges) * CURRENT * 0.03
    off_net = abs(sum(charges) - passed["net"])
    off_through = abs(sum(abs(each) for each in charges) - passed["through"])
    net = scale.offset * lasted + edges
    through = scale.gain * passed["through"] + net
    print(
        f"\n{CYCLES} cycles, {passed['through']:.3f} C through the cell: the journal is off by {off_net:.2e} C "
        f"net (declared {net:.2e} C) and by {off_through:.2e} C of what passed (declared {through:.2e} C, "
        f"{through / passed['through']:.1e} of it)"
    )
    assert off_net <= net
    assert off_through <= through
    assert passed["through"] == pytest.approx(2 * CYCLES * 0.36, rel=2e-3)
