"""Before a run begins, the cell must show itself to be the one that was meant: on both instruments."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from spine import make_twin, order
from typer.testing import CliRunner

from hilcycler import registry
from hilcycler.cell import Cell, Electrode
from hilcycler.cli import app, runs
from hilcycler.engine.entry import Shown, refuse_unless_it_fits, refuse_unless_within
from hilcycler.errors import LinkError, RequestError
from hilcycler.journal import Settings, open_run
from hilcycler.protocol import Envelope
from hilcycler.records import Note, OperatorAction, Outcome
from hilcycler.service.foreground import Order, Performed, perform
from hilcycler.steps import End, Rest, Sampling, TimeReached
from hilcycler_drivers.keithley.wire.models import MODELS
from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.cells.terminals import Course, SimulatedCell
from hilcycler_simulators.faults import OpenLead
from hilcycler_simulators.instruments.emstat import EmStatTwin
from hilcycler_simulators.instruments.keithley import KeithleyTwin
from hilcycler_simulators.instruments.keithley.firmware import Smu
from hilcycler_simulators.instruments.keithley.mishaps import Mishaps
from hilcycler_simulators.virtual_time import run

LIMITS = Envelope(voltage=(-5.0, 5.0), current=(-0.01, 0.01))


def shows(cell: SimulatedCell, described: Cell, driver: str, *, lead_off: bool = False) -> Shown:
    async def main() -> Shown:
        faults = [OpenLead(0.0)] if lead_off else []
        twin: EmStatTwin | KeithleyTwin
        if driver == "emstat":
            twin = EmStatTwin(cell, faults=faults)
        else:
            twin = KeithleyTwin(Smu(MODELS["2450"], cell, mishaps=Mishaps(faults)))
        async with registry.driver(driver).open(twin.connect) as channel:
            try:
                return await refuse_unless_it_fits(channel, described, LIMITS)
            finally:
                assert not twin.energised

    return run(main())


@pytest.mark.parametrize("driver", ["emstat", "keithley"])
@pytest.mark.parametrize("name", ["li-li/bn-pp", "li-cu/pota-no3", "li-lfp/wng", "ss-ss/bn-pp", "li-s/bn-pp"])
def test_each_kind_of_cell_is_itself(name: str, driver: str) -> None:
    cell = catalogue.make(name, 1)
    shown = shows(cell, cell.label, driver)
    assert str(shown).startswith("open circuit")


@pytest.mark.parametrize("driver", ["emstat", "keithley"])
@pytest.mark.parametrize(("hangs", "meant"), [("li-lfp/wng", "li-li/bn-pp"), ("li-li/bn-pp", "li-lfp/wng")])
def test_another_cell_is_refused(hangs: str, meant: str, driver: str) -> None:
    with pytest.raises(RequestError, match=r"does not look like .*open circuit .*nothing was begun"):
        shows(catalogue.make(hangs, 1), catalogue.make(meant, 1).label, driver)


@pytest.mark.parametrize("driver", ["emstat", "keithley"])
def test_a_lead_that_hangs_in_the_air_is_refused(driver: str) -> None:
    cell = catalogue.make("li-li/bn-pp", 1)
    with pytest.raises(RequestError, match=r"ohm|contacts"):
        shows(cell, cell.label, driver, lead_off=True)


@dataclass
class Reversed:
    """A cell with its two leads exchanged."""

    inner: SimulatedCell

    @property
    def label(self) -> Cell:
        return self.inner.label

    @property
    def truth(self) -> dict[str, Any]:
        return self.inner.truth

    @property
    def temperature(self) -> float:
        return self.inner.temperature

    @temperature.setter
    def temperature(self, value: float) -> None:
        self.inner.temperature = value

    def galvanostatic(self, current: float, times: NDArray[np.float64]) -> Course:
        return _Exchanged(self.inner.galvanostatic(-current, times))

    def potentiostatic(self, voltage: NDArray[np.float64], times: NDArray[np.float64]) -> Course:
        return _Exchanged(self.inner.potentiostatic(-voltage, times))

    def crossing(self, current: float, limit: float, horizon: float) -> float | None:
        return self.inner.crossing(-current, -limit, horizon)

    def impedance(self, frequencies: NDArray[np.float64]) -> NDArray[np.complex128]:
        return self.inner.impedance(frequencies)


@dataclass
class _Exchanged:
    course: Course

    @property
    def voltage(self) -> NDArray[np.float64]:
        return -self.course.voltage

    @property
    def current(self) -> NDArray[np.float64]:
        return -self.course.current

    def commit(self, until: float) -> None:
        self.course.commit(until)


def test_looking_at_another_cell_costs_it_nothing() -> None:
    """At 1 V an SMU that rests with its output on and 1 V limits would pull a cell of 3 V down."""
    cell = catalogue.make("li-lfp/wng", 1)
    passed = [0.0]

    async def main() -> None:
        twin = KeithleyTwin(Smu(MODELS["2450"], cell))
        let_pass = twin.smu.output.let_pass

        def counted(seconds: float) -> None:
            let_pass(seconds)
            passed[0] += abs(twin.smu.output.cell_current) * seconds

        twin.smu.output.let_pass = counted  # type: ignore[method-assign]
        async with registry.driver("keithley").open(twin.connect) as channel:
            meant = catalogue.make("li-li/bn-pp", 1).label
            with pytest.raises(RequestError, match="open circuit 2"):
                await refuse_unless_it_fits(channel, meant, Envelope((-1.0, 1.0), (-0.01, 0.01)))

    run(main())
    assert passed[0] < 1e-6, "coulombs"


@pytest.mark.parametrize(
    ("model", "refused"), [("emstat4-lr", True), ("emstat4-hr", False), ("keithley-2450", False)]
)
def test_a_cell_that_must_leave_the_instruments_window_is_refused_unseen(model: str, refused: bool) -> None:
    ncm = replace(catalogue.make("li-lfp/wng", 1).label, name="Li||NCM", working=Electrode("NCM811"))
    family = "keithley" if model.startswith("keithley") else "emstat"

    async def main() -> None:
        twin = make_twin(model)
        async with registry.driver(family).open(twin.connect) as channel:
            refuse_unless_within(channel.capabilities, ncm)

    if not refused:
        run(main())
        return
    with pytest.raises(RequestError, match=r"about 3\.8 V.*measures -3 V to 3 V"):
        run(main())


def test_what_a_killed_process_left_running_is_waited_for(tmp_path: Path) -> None:
    """Killed while it looked at the cell: there is no file yet, and the instrument is busy with the rest."""

    async def main() -> None:
        twin = EmStatTwin(catalogue.make("li-li/bn-pp", 1), pace=1.0)
        wanted = replace(
            order(twin, twin.connect, tmp_path, "protocol: one\nsteps:\n  - rest: {for: 1 s}\n"),
            check_cell=True,
        )
        looking = asyncio.create_task(_left_looking(twin))
        await asyncio.sleep(3.0)
        looking.cancel()
        with pytest.raises(LinkError, match="no run of ours"):
            await perform(wanted, settings=Settings(inline=True))
        await asyncio.sleep(30.0)
        performed = await perform(wanted, settings=Settings(inline=True))
        assert performed.ended.outcome is Outcome.COMPLETED

    run(main())


async def _left_looking(twin: EmStatTwin) -> None:
    """A process that is killed switches nothing off."""
    async with registry.driver("emstat").open(twin.connect) as channel:
        await channel.start(Rest((End(TimeReached(10.0)),), Sampling(0.5, 0.5)), LIMITS)
        async for _ in channel.records():
            pass


def test_from_the_command_line_the_cell_is_looked_at_unless_somebody_says_not_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool | None] = []

    async def caught(order: Order, **_: object) -> Performed:
        asked.append(order.check_cell)
        raise RequestError("far enough")

    monkeypatch.setattr(runs, "shown", caught)
    protocol = tmp_path / "one.yaml"
    protocol.write_text(
        "protocol: one\ncell: {working: Li, counter: Li}\nsafety: {voltage: -1 V to 1 V}\n"
        "steps:\n  - rest: {for: 10 s}\n"
    )
    for option in ([], ["--no-check-cell"]):
        CliRunner().invoke(
            app, ["run", str(protocol), "--port", "/dev/null", "--data", str(tmp_path), *option]
        )
    assert asked == [True, False]


def test_that_nobody_looked_is_written_down(tmp_path: Path) -> None:
    twin = KeithleyTwin(Smu(MODELS["2450"], catalogue.make("li-li/bn-pp", 1)))
    performed = run(perform(_wanted(twin, tmp_path, look=False), settings=Settings(inline=True)))
    actions = [each for each in open_run(performed.path).events() if isinstance(each, OperatorAction)]
    assert [each.verb for each in actions] == ["skip-check"]


def test_leads_the_wrong_way_round_are_named() -> None:
    cell = catalogue.make("li-lfp/wng", 1)
    with pytest.raises(RequestError, match="wrong way round"):
        shows(Reversed(cell), cell.label, "keithley")


def _wanted(twin: KeithleyTwin, folder: Path, *, look: bool) -> Order:
    text = "protocol: one\nsafety: {voltage: -1 V to 1 V}\nsteps:\n  - plate: {current: 1 mA, for: 10 s}\n"
    wanted = order(EmStatTwin(twin.smu.cell), twin.connect, folder, text)
    return replace(wanted, driver=registry.driver("keithley"), check_cell=look)


def test_what_the_cell_showed_stands_in_the_run(tmp_path: Path) -> None:
    twin = KeithleyTwin(Smu(MODELS["2450"], catalogue.make("li-li/bn-pp", 1)))
    performed = run(perform(_wanted(twin, tmp_path, look=True), settings=Settings(inline=True)))
    assert performed.ended.outcome is Outcome.COMPLETED
    notes = [each.text for each in open_run(performed.path).events() if isinstance(each, Note)]
    assert any("ohm to a pulse" in each for each in notes)
