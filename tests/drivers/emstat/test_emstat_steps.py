"""Every technique on a real pair of ends: our driver, the simulated instrument, a linear circuit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hilcycler.cell import Cell, Electrode
from hilcycler.channel import ConditionMet, EnvelopeCrossed, Impedance, Measured, Samples
from hilcycler.errors import StepRefused
from hilcycler.protocol import Envelope
from hilcycler.steps import (
    AllOf,
    ChargeReached,
    Condition,
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CurrentAbove,
    CurrentBelow,
    CurrentSettled,
    CyclicVoltammetry,
    End,
    GalvanostaticImpedance,
    LinearSweep,
    OperatorPause,
    PotentiostaticImpedance,
    Rest,
    Sampling,
    SetTemperature,
    Step,
    TemperatureSettled,
    TimeReached,
    VoltageAbove,
    VoltageBelow,
    VoltageSettled,
)
from hilcycler_drivers.emstat import driver, refusal
from hilcycler_drivers.emstat.compile import compile_step
from hilcycler_drivers.emstat.driver import EmStat
from hilcycler_drivers.emstat.wire.devices import DEVICES, SCRIPT_BITS
from hilcycler_drivers.emstat.wire.script import print_script
from hilcycler_simulators.instruments.emstat import EmStatTwin
from hilcycler_simulators.virtual_time import run

Floats = NDArray[np.float64]


@dataclass
class Circuit:
    """`source` + `series` + (`parallel` with `capacitance`): solved exactly, stepped over grids."""

    source: float = 0.0
    series: float = 10.0
    parallel: float = 40.0
    capacitance: float = 0.5
    charge_voltage: float = 0.0  # across the capacitor
    temperature: float = 298.15

    @property
    def label(self) -> Cell:
        return Cell("circuit", Electrode("Li"), Electrode("Li"))

    @property
    def truth(self) -> dict[str, Any]:
        return {}

    @property
    def _tau(self) -> float:
        return self.parallel * self.capacitance

    def galvanostatic(self, current: float, times: Floats) -> Course:
        return Course(self, times, np.full(len(times), current))

    def potentiostatic(self, voltage: Floats, times: Floats) -> Course:
        """The current at the end of each interval; a shunted capacitor behind the series resistor."""
        tau = self.capacitance * self.series * self.parallel / (self.series + self.parallel)
        inner, current, before = self.charge_voltage, np.empty(len(times)), 0.0
        for n, (volts, time) in enumerate(zip(voltage, times, strict=True)):
            final = (volts - self.source) * self.parallel / (self.series + self.parallel)
            inner = final + (inner - final) * math.exp(-(time - before) / tau)
            current[n] = (volts - self.source - inner) / self.series
            before = time
        return Course(self, times, current, voltage)

    def crossing(self, current: float, limit: float, horizon: float) -> float | None:
        times = np.linspace(0.0, horizon, 100_000)
        course = self.galvanostatic(current, times)
        beyond = np.flatnonzero(np.diff(np.sign(course.voltage - limit)))
        return float(times[beyond[0] + 1]) if len(beyond) else None

    def impedance(self, frequencies: Floats) -> NDArray[np.complex128]:
        admittance = 1.0 / self.parallel + 2j * np.pi * frequencies * self.capacitance
        return np.asarray(self.series + 1.0 / admittance, np.complex128)


class Course:
    """What a Circuit would do under a current, constant or (with `voltage`) that of a held voltage."""

    def __init__(
        self, circuit: Circuit, times: Floats, current: Floats, voltage: Floats | None = None
    ) -> None:
        self._circuit, self._times, self._current, self._voltage = circuit, times, current, voltage

    @property
    def current(self) -> Floats:
        return self._current

    @property
    def voltage(self) -> Floats:
        if self._voltage is not None:
            return self._voltage
        c = self._circuit
        return c.source + self._current * c.series + self._inner(self._times)

    def _inner(self, times: Floats) -> Floats:
        c = self._circuit
        final = (float(self._current[0]) if len(self._current) else 0.0) * c.parallel
        result: Floats = final + (c.charge_voltage - final) * np.exp(-times / c._tau)
        return result

    def commit(self, until: float) -> None:
        c = self._circuit
        if self._voltage is None:
            c.charge_voltage = float(self._inner(np.array([until]))[0])
        elif until > 0.0:
            at = min(int(np.searchsorted(self._times, until)), len(self._times) - 1)
            c.charge_voltage = float(self._voltage[at] - c.source - self._current[at] * c.series)


WIDE = Envelope((-5.0, 5.0), (-0.15, 0.15))
RANGE_1MA, RANGE_10MA = 21, 24


def measured(
    step: Step, cell: Circuit | None = None, envelope: Envelope = WIDE, model: str = "es4_hr"
) -> tuple[list[Measured], Circuit]:
    """Everything that one step measures, its end last."""
    circuit = cell or Circuit()

    async def main() -> list[Measured]:
        twin = EmStatTwin(circuit, model)
        async with driver.open(twin.connect) as channel:
            channel.check(step, envelope)
            await channel.start(step, envelope)
            found = [each async for each in channel.records()]
            assert not twin.unit.cell_is_on
            return found

    return run(main()), circuit


def columns(found: list[Measured]) -> dict[str, Floats]:
    blocks = [each for each in found if isinstance(each, Samples)]
    return {name: np.concatenate([b.columns[name] for b in blocks]) for name in blocks[0].columns}


def end_of(found: list[Measured]) -> ConditionMet:
    assert isinstance(found[-1], ConditionMet)
    return found[-1]


def ends(*conditions: Condition) -> tuple[End, ...]:
    return tuple(map(End, conditions))


EVERY_SECOND = Sampling(decide=1.0, every=1.0)


# --- constant current -----------------------------------------------------------------------


def test_a_charge_end_lasts_exactly_as_long_as_the_charge_needs() -> None:
    found, _ = measured(ConstantCurrent(-1.131e-3, ends(ChargeReached(4.0716))))
    assert end_of(found) == ConditionMet(0, 3600.0)


@pytest.mark.parametrize("current", [0.7e-3, -1.3e-3, 3.3333e-3, 47e-6])
def test_odd_durations_are_kept_to_a_millionth(current: float) -> None:
    found, _ = measured(ConstantCurrent(current, ends(ChargeReached(3.6))))
    assert end_of(found).elapsed == pytest.approx(3.6 / abs(current), rel=1e-6)
    assert columns(found)["step_time"][-1] == pytest.approx(end_of(found).elapsed, abs=1e-3)


def test_the_voltage_follows_the_circuit() -> None:
    found, _ = measured(ConstantCurrent(2e-3, ends(TimeReached(60.0)), EVERY_SECOND))
    rows = columns(found)
    expected = 2e-3 * (10.0 + 40.0 * (1.0 - np.exp(-rows["step_time"] / 20.0)))
    assert rows["step_time"].tolist() == list(range(1, 61))
    assert np.abs(rows["voltage"] - expected).max() < 1.5e-3
    assert np.abs(rows["current"] - 2e-3).max() < 2e-6
    assert not rows["status"].any()


@pytest.mark.parametrize("current", [0.9e-3, -0.9e-3])
def test_both_half_cycles_use_one_range(current: float) -> None:
    found, _ = measured(ConstantCurrent(current, ends(TimeReached(10.0))))
    assert set(columns(found)["range"]) == {RANGE_1MA}


@pytest.mark.parametrize(("current", "limit"), [(2e-3, VoltageAbove(0.06)), (-2e-3, VoltageBelow(-0.06))])
def test_a_cut_off_is_found_at_the_deciding_rate_not_at_the_recording_rate(
    current: float, limit: Condition
) -> None:
    found, circuit = measured(ConstantCurrent(current, ends(TimeReached(600.0), limit), Sampling(0.1, 30.0)))
    crossing = circuit.parallel * circuit.capacitance * math.log(2.0)  # 0.02 + 0.08 (1 - exp) = 0.06
    assert end_of(found).end == 1
    assert crossing <= end_of(found).elapsed + 0.6 <= crossing + 1.2
    assert columns(found)["step_time"][-1] == end_of(found).elapsed


def test_the_first_of_two_ends_met_together_wins() -> None:
    found, _ = measured(ConstantCurrent(2e-3, ends(VoltageAbove(0.0), VoltageAbove(-1.0), TimeReached(9.0))))
    assert end_of(found).end == 0


def test_all_of_waits_for_the_last() -> None:
    both = AllOf((ChargeReached(0.08), VoltageAbove(0.01)))
    found, _ = measured(ConstantCurrent(2e-3, ends(both, TimeReached(600.0))))
    assert end_of(found) == ConditionMet(0, 40.0)


def test_a_step_that_only_a_condition_ends() -> None:
    found, _ = measured(ConstantCurrent(2e-3, ends(VoltageAbove(0.099)), Sampling(1.0, None)))
    assert end_of(found).end == 0
    assert end_of(found).elapsed == pytest.approx(20.0 * math.log(80.0), rel=0.1)
    assert np.diff(columns(found)["step_time"]).max() <= 60.0  # silence must mean trouble


# --- recording ------------------------------------------------------------------------------


def recorded(every: float | None, voltage_change: float | None, seconds: float) -> Floats:
    sampling = Sampling(1.0, every, voltage_change)
    found, _ = measured(ConstantCurrent(2e-3, ends(TimeReached(seconds)), sampling))
    return columns(found)["step_time"]


def test_first_and_last_sample_are_recorded_and_every_tenth_between() -> None:
    assert recorded(10.0, None, 45.0).tolist() == [1.0, 11.0, 21.0, 31.0, 41.0, 45.0]


def test_a_change_of_voltage_is_recorded() -> None:
    fine, coarse = recorded(1000.0, 2e-3, 60.0), recorded(1000.0, None, 60.0)
    assert coarse.tolist() == [1.0, 60.0]
    voltage = 0.08 * (1.0 - np.exp(-fine / 20.0))
    assert np.abs(np.diff(voltage)[:-1]).min() > 1.8e-3  # noise of 40 uV
    assert len(fine) > 20


def test_points_by_the_decade_of_a_transient() -> None:
    """Evenly on a logarithmic axis, from where the grid is finer than that; the instrument chooses them."""
    sampling = Sampling(0.01, None, points_per_decade=50)
    found, _ = measured(ConstantVoltage(0.1, ends(TimeReached(600.0)), sampling))
    seen = columns(found)
    growth, times = 10.0 ** (1.0 / 50.0), [0.01]
    while (after := math.ceil(max(times[-1] * growth, times[-1] + 0.01) * 100.0 - 1e-6) / 100.0) < 600.0:
        times.append(min(after, round(times[-1] + 60.0, 9)))
    assert seen["step_time"].tolist() == pytest.approx([*times, 600.0])
    decades = np.log10(seen["step_time"])
    assert [int(((decades >= d) & (decades < d + 1)).sum()) for d in (0, 1)] == pytest.approx([50, 50], abs=4)
    circuit = Circuit()
    tau = circuit.capacitance * circuit.series * circuit.parallel / (circuit.series + circuit.parallel)
    steady = 0.1 / (circuit.series + circuit.parallel)
    current = steady + (0.1 / circuit.series - steady) * np.exp(-seen["step_time"] / tau)
    assert seen["current"] == pytest.approx(current, rel=5e-3, abs=2e-6)


def test_a_period_beside_points_by_the_decade_is_the_longest_interval() -> None:
    sampling = Sampling(1.0, 20.0, points_per_decade=10)
    found, _ = measured(ConstantCurrent(1e-3, ends(TimeReached(200.0)), sampling))
    apart = np.diff(columns(found)["step_time"])
    assert apart.max() == 20.0
    assert apart[:3].tolist() == [1.0, 1.0, 1.0]


def test_a_script_says_how_many_samples_it_sent() -> None:
    """So that none is missing unnoticed, however they are spaced."""
    text = print_script(
        compile_step(ConstantCurrent(1e-3, ends(TimeReached(9.0))), WIDE, DEVICES["es4_hr"]).script
    )
    assert "add_var r 1i" in text
    assert text.rindex("pck_start\npck_add r\npck_end") > text.index("cell_off")


# --- limits ---------------------------------------------------------------------------------


def test_a_crossed_voltage_limit_is_no_end() -> None:
    limits = Envelope(voltage=(-0.05, 0.05))
    found, _ = measured(ConstantCurrent(2e-3, ends(TimeReached(600.0), VoltageAbove(0.09))), envelope=limits)
    crossed = found[-1]
    assert isinstance(crossed, EnvelopeCrossed)
    assert crossed.violation.quantity == "voltage"
    assert crossed.violation.value > 0.05
    assert columns(found)["voltage"][-1] == crossed.violation.value
    assert crossed.elapsed < 15.0


def test_a_limit_wins_over_an_end_met_at_the_same_sample() -> None:
    limits = Envelope(voltage=(-0.01, 0.01))
    found, _ = measured(ConstantCurrent(2e-3, ends(VoltageAbove(0.005))), envelope=limits)
    assert isinstance(found[-1], EnvelopeCrossed)


def test_the_charge_limit_stands_for_a_time() -> None:
    limits = Envelope(charge=0.05)
    found, _ = measured(ConstantCurrent(2e-3, ends(TimeReached(600.0))), envelope=limits)
    crossed = found[-1]
    assert isinstance(crossed, EnvelopeCrossed)
    assert (crossed.violation.quantity, crossed.elapsed) == ("charge", 25.0)


def test_the_charge_of_a_hold_is_limited_by_what_was_passed() -> None:
    limits = Envelope(charge=0.05)
    found, _ = measured(ConstantVoltage(0.1, ends(TimeReached(600.0)), EVERY_SECOND), envelope=limits)
    crossed = found[-1]
    assert isinstance(crossed, EnvelopeCrossed)
    rows = columns(found)
    passed = float(np.sum(rows["current"]))
    assert crossed.violation.quantity == "charge"
    assert 0.05 <= passed < 0.06


# --- rest -----------------------------------------------------------------------------------


def test_a_rest_measures_the_open_circuit() -> None:
    found, _ = measured(Rest(ends(TimeReached(120.0)), EVERY_SECOND), Circuit(3.4))
    rows = columns(found)
    assert end_of(found) == ConditionMet(0, 120.0)
    assert np.abs(rows["voltage"] - 3.4).max() < 2e-3
    assert not rows["current"].any()


@pytest.mark.parametrize(("decide", "window"), [(1.0, 20.0), (0.1, 20.0)])
def test_a_rest_until_the_voltage_has_settled(decide: float, window: float) -> None:
    rate = 1e-4
    cell = Circuit(charge_voltage=0.5)
    found, _ = measured(
        Rest(ends(TimeReached(3600.0), VoltageSettled(rate, window)), Sampling(decide, 10.0)), cell
    )
    # |V(t) - V(t - w)| = V0 exp(-t / tau) (exp(w / tau) - 1) = rate w
    expected = 20.0 * math.log(0.5 * (math.exp(window / 20.0) - 1.0) / (rate * window))
    assert end_of(found).end == 1
    assert end_of(found).elapsed == pytest.approx(expected, abs=3.0)


# --- constant voltage -----------------------------------------------------------------------


def test_a_hold_until_the_current_is_small() -> None:
    found, _ = measured(ConstantVoltage(0.1, ends(TimeReached(3600.0), CurrentBelow(2.5e-3)), EVERY_SECOND))
    rows = columns(found)
    expected = 0.1 / 50.0 * (1.0 + 4.0 * np.exp(-rows["step_time"] / 4.0))
    assert end_of(found).end == 1
    assert end_of(found).elapsed == pytest.approx(4.0 * math.log(16.0), abs=2.0)
    assert np.abs(rows["current"] - expected).max() < 5e-5
    assert np.abs(rows["voltage"] - 0.1).max() < 1.5e-3


def test_a_hold_until_the_current_is_steady() -> None:
    step = ConstantVoltage(0.1, ends(TimeReached(3600.0), CurrentSettled(1e-3, 10.0)), EVERY_SECOND)
    found, _ = measured(step)
    assert end_of(found).end == 1
    assert 15.0 < end_of(found).elapsed < 45.0


def test_a_hold_until_a_charge_has_passed() -> None:
    found, _ = measured(ConstantVoltage(-0.1, ends(ChargeReached(0.3)), EVERY_SECOND))
    assert end_of(found).end == 0
    assert -float(np.sum(columns(found)["current"])) == pytest.approx(0.3, rel=0.03)


def test_current_then_voltage_without_a_gap() -> None:
    step = ConstantCurrentConstantVoltage(
        2e-3, 0.08, ends(TimeReached(3600.0), CurrentBelow(1.61e-3)), EVERY_SECOND
    )
    found, _ = measured(step)
    rows = columns(found)
    assert end_of(found).end == 1
    assert np.diff(rows["step_time"]).max() == 1.0
    reached = 20.0 * math.log(4.0)
    held = rows["step_time"] > reached + 1.5
    assert np.abs(rows["voltage"][held] - 0.08).max() < 2e-3
    assert np.abs(rows["current"][rows["step_time"] < reached] - 2e-3).max() < 5e-5
    assert (np.diff(rows["current"][held]) < 2e-5).all()


def test_time_counts_from_the_beginning_of_the_first_part() -> None:
    step = ConstantCurrentConstantVoltage(2e-3, 0.08, ends(TimeReached(100.0)), EVERY_SECOND)
    found, _ = measured(step)
    assert end_of(found) == ConditionMet(0, 100.0)
    assert columns(found)["step_time"][-1] == 100.0


def test_no_time_may_be_left_for_the_hold() -> None:
    step = ConstantCurrentConstantVoltage(2e-3, 0.08, ends(TimeReached(28.0)), EVERY_SECOND)
    found, _ = measured(step)
    assert end_of(found) == ConditionMet(0, 28.0)


def test_the_step_may_end_before_the_hold() -> None:
    step = ConstantCurrentConstantVoltage(2e-3, 0.08, ends(ChargeReached(0.02)), EVERY_SECOND)
    found, _ = measured(step)
    assert end_of(found) == ConditionMet(0, 10.0)


# --- impedance ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step",
    [
        PotentiostaticImpedance(10e-3, 10e3, 0.1, 6, bias=0.0),
        GalvanostaticImpedance(0.1e-3, 10e3, 0.1, 6),
    ],
)
def test_a_spectrum_is_that_of_the_circuit(step: Step) -> None:
    found, circuit = measured(step, Circuit(series=10.0, parallel=40.0, capacitance=1e-4))
    points = [each for each in found if isinstance(each, Impedance)]
    assert end_of(found).end is None
    assert len(points) == 31 + 1
    frequencies = np.array([p.frequency for p in points])
    assert frequencies[:-1].tolist() == pytest.approx(np.geomspace(10e3, 0.1, 31).tolist(), rel=1e-5)
    assert frequencies[-1] == frequencies[0]  # the drift check
    z = np.array([complex(p.real, p.imaginary) for p in points])
    true = circuit.impedance(frequencies)
    assert (z.imag <= 0.05).all()
    assert (np.abs(z - true) / np.abs(true)).max() < 0.01
    assert [p.step_time for p in points] == sorted(p.step_time for p in points)


# --- sweeps ---------------------------------------------------------------------------------


def test_a_linear_sweep_draws_the_resistor() -> None:
    found, _ = measured(LinearSweep(0.0, 0.2, 10e-3), Circuit(series=100.0, parallel=0.01))
    rows = columns(found)
    assert end_of(found).end is None
    assert rows["voltage"][-1] == pytest.approx(0.2, abs=1.5e-3)
    assert np.abs(rows["current"] - rows["voltage"] / 100.0).max() < 2e-5
    assert np.polyfit(rows["step_time"], rows["voltage"], 1)[0] == pytest.approx(10e-3, rel=0.01)


def test_a_sweep_ends_by_its_end() -> None:
    step = LinearSweep(0.0, 0.2, 10e-3, ends=ends(CurrentAbove(1e-3)))
    found, _ = measured(step, Circuit(series=100.0, parallel=0.01))
    assert end_of(found).end == 0
    assert end_of(found).elapsed == pytest.approx(10.0, abs=0.5)


def test_a_cyclic_voltammogram_turns_where_it_should() -> None:
    step = CyclicVoltammetry(0.0, 0.05, -0.05, 10e-3, scans=2)
    found, _ = measured(step, Circuit(series=100.0, parallel=0.01))
    rows = columns(found)
    assert end_of(found).elapsed == pytest.approx(40.0, abs=0.5)
    assert rows["voltage"].max() == pytest.approx(0.05, abs=1.5e-3)
    assert rows["voltage"].min() == pytest.approx(-0.05, abs=1.5e-3)
    first = rows["voltage"][rows["step_time"] <= 20.0]
    assert np.argmax(first) < np.argmin(first)
    assert np.abs(rows["current"] - rows["voltage"] / 100.0).max() < 2e-5


# --- models and refusals --------------------------------------------------------------------


@pytest.mark.parametrize("model", ["es4_hr", "es4_lr", "mes4hr", "mes4lr", "nexus1"])
def test_every_model_cycles(model: str) -> None:
    found, _ = measured(ConstantCurrent(1e-3, ends(TimeReached(30.0))), model=model, envelope=Envelope())
    assert end_of(found) == ConditionMet(0, 30.0)


def refused(step: Step, envelope: Envelope = WIDE, model: str = "es4_hr") -> str:
    async def main() -> str:
        twin = EmStatTwin(Circuit(), model)
        async with driver.open(twin.connect) as channel:
            with pytest.raises(StepRefused) as raised:
                channel.check(step, envelope)
            assert not twin.unit.cell_is_on
            return str(raised.value)

    return run(main())


HOUR = TimeReached(3600.0)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (ConstantCurrent(0.25, ends(HOUR)), "200 mA of the EmStat4 HR"),
        (ConstantCurrent(0.0, ends(HOUR)), "a rest"),
        (ConstantCurrent(float("nan"), ends(HOUR)), "200 mA"),
        (ConstantCurrent(1e-3, ()), "no end"),
        (ConstantCurrent(1e-3, ends(HOUR), Sampling(1e-3)), "0.01 s"),
        (ConstantCurrent(1e-3, ends(VoltageAbove(7.0))), "-6 V to 6 V"),
        (ConstantCurrent(1e-3, ends(AllOf((HOUR, VoltageBelow(-7.0))))), "-6 V to 6 V"),
        (ConstantCurrent(1e-3, ends(TemperatureSettled(1.0, 60.0))), "no temperature"),
        (ConstantCurrent(1e-3, ends(ChargeReached(1e-6))), "shorter than 0.01 s"),
        (ConstantCurrent(1e-3, ends(TimeReached(float("nan")))), "not a number"),
        (ConstantCurrent(1e-3, ends(HOUR, VoltageSettled(float("nan"), 10.0))), "not a number"),
        (Rest(ends(CurrentBelow(1e-3))), "no current flows"),
        (Rest(ends(ChargeReached(1.0))), "no current flows"),
        (ConstantVoltage(6.5, ends(HOUR)), "-6 V to 6 V"),
        (ConstantVoltage(5.5, ends(HOUR)), "safety limits"),
        (ConstantVoltage(0.1, ends(HOUR), versus_open_circuit=True), "open circuit"),
        (PotentiostaticImpedance(10e-3, 1e6, 0.1, bias=0.0), "200000 Hz of the EmStat4 HR"),
        (PotentiostaticImpedance(1.0, 1e5, 0.1, bias=0.0), "0.9 V"),
        (PotentiostaticImpedance(10e-3, 1e5, 0.1), "open-circuit"),
        (PotentiostaticImpedance(10e-3, 1e5, 0.1, bias=4.99), "safety limits"),
        (GalvanostaticImpedance(0.12, 1e5, 0.1), "safety limits"),
        (LinearSweep(0.0, 5.5, 1e-3), "safety limits"),
        (LinearSweep(0.0, 0.5, 1.0), "0.01 s"),
        (LinearSweep(0.0, 0.5, 0.0), "positive"),
        (CyclicVoltammetry(0.0, 0.1, -0.1, 1e-3, scans=0), "one scan"),
        (SetTemperature(300.0, ends(HOUR)), "temperature"),
        (OperatorPause("look"), "pause"),
    ],
)
def test_what_it_cannot_do_is_refused_with_the_limit(step: Step, says: str) -> None:
    assert says in refused(step)


def test_a_smaller_model_refuses_what_a_larger_one_does() -> None:
    assert "-3 V to 3 V of the EmStat4 LR" in refused(ConstantVoltage(4.2, ends(HOUR)), model="es4_lr")
    assert "30 mA of the EmStat4 LR" in refused(ConstantCurrent(0.1, ends(HOUR)), model="es4_lr")


DOCUMENTED = int("03FFFFBFE8FFFFFFFFFFFFFFFFFFFFBFFFFE", 16)
"""An answer to CM that the vendor's documentation shows."""


def test_a_documented_firmware_knows_all_that_is_needed() -> None:
    assert len(refusal.techniques(DOCUMENTED)) == 8


@pytest.mark.parametrize("command", ["send_string", "meas_loop_cp", "set_i"])
def test_an_old_firmware_is_refused_by_what_it_does_not_know(command: str) -> None:
    bits = DOCUMENTED & ~(1 << SCRIPT_BITS[command])
    with pytest.raises(StepRefused, match=f"EmStat4 HR does not know {command}"):
        refusal.check(ConstantCurrent(1e-3, ends(HOUR)), WIDE, DEVICES["es4_hr"], bits)


def test_every_technique_of_the_driver_is_declared() -> None:
    async def main() -> frozenset[type]:
        async with driver.open(EmStatTwin(Circuit()).connect) as channel:
            assert isinstance(channel, EmStat)
            return channel.capabilities.techniques

    assert {SetTemperature, OperatorPause}.isdisjoint(run(main()))
    assert len(run(main())) == 8
