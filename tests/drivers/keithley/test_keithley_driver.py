"""The driver against the simulated SMU, whole runs in virtual time, and what goes wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from spine import make_twin, on_memory, order

from hilcycler import registry
from hilcycler.channel import EnvelopeCrossed
from hilcycler.clock import loop_time
from hilcycler.errors import StepRefused, WrongInstrument
from hilcycler.journal import Run, Settings, open_run
from hilcycler.protocol import Envelope
from hilcycler.records import OffState, Outcome, StepEnded, Tripped
from hilcycler.service.consent import HOLDS_FOR_EVER
from hilcycler.service.foreground import perform
from hilcycler.steps import (
    ConstantCurrent,
    ConstantVoltage,
    End,
    PotentiostaticImpedance,
    Rest,
    Sampling,
    TimeReached,
)
from hilcycler_drivers.keithley.driver import Keithley
from hilcycler_drivers.keithley.wire.models import MODELS
from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.instruments.keithley import KeithleyTwin
from hilcycler_simulators.instruments.keithley.firmware import Smu
from hilcycler_simulators.virtual_time import run

T = TypeVar("T")
LIMITS = Envelope(voltage=(-1.0, 1.0), current=(-0.01, 0.01))
SHORT = """
protocol: two half-cycles and a hold
safety: {voltage: -1 V to 1 V, current: -10 mA to 10 mA, charge: 2 mAh}
record: {every: 10 s}
steps:
  - rest: {for: 1 min}
  - plate: {current: 1 mA/cm2, until: {charge: 0.1 mAh/cm2}}
  - strip: {current: 1 mA/cm2, until: {charge: 0.1 mAh/cm2}}
  - constant voltage: {voltage: 10 mV, for: 2 min}
"""


def smu(model: str = "2450") -> KeithleyTwin:
    return KeithleyTwin(Smu(MODELS[model], catalogue.make("li-li/bn-pp", 1)))


def talk(conversation: Callable[[Keithley, KeithleyTwin], Awaitable[T]], model: str = "2450") -> T:
    async def main() -> T:
        twin = smu(model)
        channel = Keithley(twin.connect)
        await channel.connect()
        try:
            return await conversation(channel, twin)
        finally:
            await channel.aclose()

    return run(main())


def whole_run(twin: KeithleyTwin, folder: Path, text: str = SHORT) -> Run:
    async def main() -> Path:
        wanted = replace(
            order(make_twin(), twin.connect, folder, text),
            driver=registry.driver("keithley"),
            accepts=frozenset({HOLDS_FOR_EVER}),
        )
        return (await perform(wanted, settings=Settings(inline=True))).path

    return open_run(run(main()))


@pytest.mark.parametrize("model", ["2450", "2461", "2400"])
def test_a_protocol_runs_and_passes_the_charge_that_was_asked_for(model: str, tmp_path: Path) -> None:
    found = whole_run(smu(model), tmp_path)
    assert found.ended is not None
    assert (found.ended.outcome, found.ended.off) == (Outcome.COMPLETED, OffState.OFF)
    rest, plate, strip, hold = [each.result for each in found.events() if isinstance(each, StepEnded)]
    asked = 0.1 * 1.131e-3 * 3600.0
    assert plate.charge == pytest.approx(-asked, rel=2e-3)
    assert strip.charge == pytest.approx(asked, rel=2e-3)
    assert rest.elapsed == pytest.approx(60.0, abs=0.1)
    assert hold.last_voltage == pytest.approx(0.010, abs=1e-3)
    assert plate.last_voltage is not None
    assert plate.last_voltage < 0.0


def test_both_instruments_tell_the_same_story_of_one_cell(tmp_path: Path) -> None:
    (tmp_path / "smu").mkdir()
    (tmp_path / "potentiostat").mkdir()
    steps = {}
    for name, found in (
        ("smu", whole_run(smu(), tmp_path / "smu")),
        ("potentiostat", open_run(on_memory(make_twin(), tmp_path / "potentiostat", SHORT).path)),
    ):
        steps[name] = [each.result for each in found.events() if isinstance(each, StepEnded)]
    for one, other in zip(steps["smu"][1:3], steps["potentiostat"][1:3], strict=True):
        assert one.last_voltage is not None
        assert other.last_voltage is not None
        assert abs(one.last_voltage - other.last_voltage) < 1e-3
        assert one.charge == pytest.approx(other.charge, rel=2e-3)


@pytest.mark.parametrize("model", ["2450", "2400"])
def test_ranges_of_an_earlier_step_do_not_stand_in_the_way_of_the_next(model: str, tmp_path: Path) -> None:
    text = """
protocol: large and small in turn
safety: {voltage: -1 V to 1 V, current: -10 mA to 10 mA}
steps:
  - plate: {current: 5 mA, for: 5 s}
  - constant voltage: {voltage: 20 mV, for: 5 s}
  - plate: {current: 10 uA, for: 5 s}
  - constant voltage: {voltage: -10 mV, for: 5 s}
  - rest: {for: 5 s}
  - strip: {current: 5 mA, for: 5 s}
"""
    found = whole_run(smu(model), tmp_path, text)
    assert found.ended is not None
    assert (found.ended.outcome, found.ended.reason) == (Outcome.COMPLETED, "protocol complete")


@pytest.mark.parametrize("model", ["2450", "2400"])
@pytest.mark.parametrize(
    ("limits", "full_scale", "offset"),
    [("-150 mV to 150 mV", 0.2, 2e-4), ("-1 V to 1 V", 2.0, 3e-4), ("-5 V to 5 V", 20.0, 1e-3)],
)
def test_voltages_are_as_accurate_as_the_range_that_holds_the_limits(
    model: str, limits: str, full_scale: float, offset: float, tmp_path: Path
) -> None:
    """Sourcing current and sourcing voltage alike; the header says it, and the readings keep it."""
    twin = smu(model)
    found = whole_run(twin, tmp_path, SHORT.replace("-1 V to 1 V", limits))
    assert (found.header.voltage_gain, found.header.voltage_offset) == pytest.approx(
        (1.5e-4 if full_scale == 20.0 else 1.2e-4, offset)
    )
    assert [each.full_scale for each in found.header.voltage_ranges][-3:] == [0.2, 2.0, 20.0]
    assert twin.smu.voltage_range == full_scale
    assert twin.smu.source_voltage_range == full_scale
    held = found.columns()["voltage"][-5:]
    assert np.abs(held - 0.010).max() <= offset + 1.5e-4 * 0.010


@pytest.mark.parametrize("model", ["2450", "2400"])
def test_a_cell_beyond_the_limits_is_let_go_before_the_first_sample_is_due(model: str) -> None:
    """Its own limit clamps an SMU that meets a fuller cell: that must not last for a wide grid."""

    async def main() -> float:
        twin = KeithleyTwin(Smu(MODELS[model], catalogue.make("li-lfp/wng", 1)))
        channel = Keithley(twin.connect)
        await channel.connect()
        began = loop_time()
        await channel.start(Rest((End(TimeReached(600.0)),), Sampling(60.0, 60.0)), LIMITS)
        last = [each async for each in channel.records()][-1]
        assert isinstance(last, EnvelopeCrossed)
        assert not twin.smu.output.on
        assert await channel.safe() is OffState.OFF
        await channel.aclose()
        return loop_time() - began

    assert run(main()) < 0.5


def test_off_means_disconnected_before_a_cell_is_energised() -> None:
    async def conversation(channel: Keithley, twin: KeithleyTwin) -> dict[str, str]:
        return dict(twin.smu.output.off_state)

    assert talk(conversation) == {"CURR": "HIMP", "VOLT": "HIMP"}


def test_the_instruments_own_limit_stands_outside_the_envelope_before_the_output_goes_on() -> None:
    async def conversation(channel: Keithley, twin: KeithleyTwin) -> tuple[float, float, bool]:
        await channel.start(ConstantCurrent(-1e-3, (End(TimeReached(10.0)),)), LIMITS)
        assert twin.smu.output.on
        state = twin.smu.output.voltage_limit, twin.smu.output.current, twin.smu.four_wire
        assert await channel.safe() is OffState.OFF
        assert not twin.smu.output.on
        return state

    limit, current, four_wire = talk(conversation)
    assert limit == pytest.approx(1.05)
    assert (current, four_wire) == (-1e-3, True)


@pytest.mark.parametrize("model", ["2450", "2400"])
def test_beyond_the_envelope_off_is_the_next_thing_the_instrument_hears(model: str, tmp_path: Path) -> None:
    twin = smu(model)
    heard: list[str] = []
    original = twin.smu._message

    def listening(line: str) -> list[str]:
        heard.append(line)
        return original(line)

    twin.smu._message = listening  # type: ignore[method-assign]
    found = whole_run(twin, tmp_path, SHORT.replace("-1 V to 1 V", "-1 V to 15 mV"))
    assert found.ended is not None
    assert (found.ended.outcome, found.ended.off) == (Outcome.TRIPPED, OffState.OFF)
    (tripped,) = [each for each in found.events() if isinstance(each, Tripped)]
    assert tripped.seen_by == "instrument" or tripped.violation.quantity == "voltage"
    last_reading = max(at for at, line in enumerate(heard[:-4]) if line.startswith(":READ"))
    assert ":OUTP OFF" in heard[last_reading : last_reading + 3]


def test_an_output_that_does_not_obey_is_unconfirmed() -> None:
    async def conversation(channel: Keithley, twin: KeithleyTwin) -> OffState:
        await channel.start(ConstantCurrent(-1e-3, (End(TimeReached(10.0)),)), LIMITS)
        twin.smu.output.stuck_at = -1e-3
        return await channel.safe()

    assert talk(conversation) is OffState.UNCONFIRMED


def test_another_command_set_is_refused_with_what_to_do() -> None:
    async def main() -> None:
        twin = smu()
        twin.smu.language = "TSP"
        with pytest.raises(WrongInstrument, match="set its command set to SCPI"):
            await Keithley(twin.connect).connect()

    run(main())


def test_what_it_cannot_do_is_refused_with_the_limit() -> None:
    async def conversation(channel: Keithley, twin: KeithleyTwin) -> None:
        ends = (End(TimeReached(10.0)),)
        with pytest.raises(StepRefused, match=r"at most 1\.05 A"):
            channel.check(ConstantCurrent(2.0, ends), replace(LIMITS, current=(-3.0, 3.0)))
        with pytest.raises(StepRefused, match=r"-0\.01 A to 0\.01 A"):
            channel.check(ConstantCurrent(-0.02, ends), LIMITS)
        with pytest.raises(StepRefused, match=r"1\.5 V lies outside the safety limits"):
            channel.check(ConstantVoltage(1.5, ends), LIMITS)
        with pytest.raises(StepRefused, match="sets and measures"):
            channel.check(PotentiostaticImpedance(0.01, 1e5, 0.1), LIMITS)
        with pytest.raises(StepRefused, match=r"every 0\.001 s"):
            channel.check(ConstantCurrent(1e-3, ends, Sampling(0.001, 0.001)), LIMITS)

    talk(conversation)
