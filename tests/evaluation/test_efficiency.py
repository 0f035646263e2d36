"""Coulombic efficiency by cycle and by reservoir; the wrong numbers that nobody notices."""

from __future__ import annotations

import numpy as np
import pytest

from hilcycler.steps import (
    ChargeReached,
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    CurrentBelow,
    End,
    Process,
    Rest,
    Sampling,
    StepResult,
    TimeReached,
    VoltageAbove,
)
from hilcycler_protocols.evaluation.aurbach import reservoir_efficiency
from hilcycler_protocols.evaluation.charges import Passed, of_step
from hilcycler_protocols.evaluation.coulombic_efficiency import Cycle, efficiencies, efficiency
from hilcycler_protocols.evaluation.results import EvaluationRefused, Refusal
from hilcycler_protocols.evaluation.uncertainty import Accuracy

PLATE, STRIP, CHARGE, DISCHARGE = Process.PLATE, Process.STRIP, Process.CHARGE, Process.DISCHARGE
CURRENT = 0.565e-3  # 0.5 mA/cm2 on 1.131 cm2
HOUR = 3600.0


def passed(process: Process, hours: float, **more: float | bool) -> Passed:
    return Passed(process, CURRENT * hours * HOUR, hours * HOUR, **more)  # type: ignore[arg-type]


def cycle(n: int, ce: float, hours: float = 2.0, **more: float | bool) -> Cycle:
    return Cycle(n, passed(PLATE, hours), passed(STRIP, hours * ce, to_cutoff=True, **more))


def test_an_efficiency_is_stripped_over_plated() -> None:
    result = efficiency(cycle(1, 0.9881))
    assert result.value == pytest.approx(0.9881)
    assert result.formula == "Q_strip/Q_plate"
    assert result.unit.shown == "%"


def test_naming_the_process_cannot_be_inverted() -> None:
    """Trap: stripping copper is "charge"; discharge over charge of the same record is 1/CE."""
    with pytest.raises(EvaluationRefused, match="no pair"):
        efficiency(Cycle(1, passed(STRIP, 1.9), passed(PLATE, 2.0, to_cutoff=True)))
    with pytest.raises(EvaluationRefused, match="no pair"):
        efficiency(Cycle(1, passed(PLATE, 2.0), passed(CHARGE, 1.9, to_cutoff=True)))
    full = efficiency(Cycle(1, passed(CHARGE, 2.0), passed(DISCHARGE, 1.98, to_cutoff=True)))
    assert full.value == pytest.approx(0.99)
    assert full.formula == "Q_discharge/Q_charge"


def test_a_current_offset_counts_twice_and_is_in_the_error_bar() -> None:
    """Trap: 1.5 uA of offset at 0.565 mA is 0.53 % of CE, and a printed 98.81 % hides it."""
    result = efficiency(cycle(1, 0.9881), Accuracy(current_offset=1.5e-6))
    assert result.budget[0].cause == "current offset"
    half_band = 0.9881 * 2.0 * 1.5e-6 / CURRENT
    assert half_band == pytest.approx(0.0053, abs=1e-4)
    assert result.interval is not None
    assert result.interval[1] - result.value == pytest.approx(0.95 * half_band, rel=0.01)
    assert result.text() == "98.8 ± 0.3%"


def test_an_offset_within_the_stated_one_really_moves_ce_by_as_much() -> None:
    offset, t_plate, truth = 1.5e-6, 2.0 * HOUR, 0.9881
    stripped_true = truth * (CURRENT + offset) * t_plate
    t_strip = stripped_true / (CURRENT - offset)
    wrong = efficiency(
        Cycle(
            1,
            Passed(PLATE, CURRENT * t_plate, t_plate),
            Passed(STRIP, CURRENT * t_strip, t_strip, to_cutoff=True),
        ),
        Accuracy(current_offset=offset),
    )
    assert wrong.value - truth == pytest.approx(truth * 2 * offset / CURRENT, rel=0.01)
    assert wrong.interval is not None
    assert abs(wrong.value - truth) <= 1.06 * (wrong.interval[1] - wrong.value)


def test_two_ranges_lose_what_one_range_cancels() -> None:
    one = efficiency(cycle(1, 0.99), Accuracy(current_gain=1e-3))
    assert one.uncertainty == 0.0
    pair = Cycle(1, passed(PLATE, 2.0, current_range=3), passed(STRIP, 1.98, to_cutoff=True, current_range=4))
    two = efficiency(pair, Accuracy(current_gain=1e-3))
    assert two.uncertainty is not None
    assert two.uncertainty > 5e-4


def test_a_late_cutoff_is_part_of_the_uncertainty() -> None:
    """Trap: judged on 10 s records, an hour of stripping is up to 0.28 % too long."""
    prompt = efficiency(cycle(1, 0.99, hours=1.0, decided=0.1), Accuracy())
    late = efficiency(cycle(1, 0.99, hours=1.0, decided=10.0), Accuracy())
    assert late.dominant == "cut-off decision"
    assert late.interval is not None
    assert late.interval[1] - late.value == pytest.approx(0.95 * 10.0 / HOUR, rel=0.01)
    assert prompt.uncertainty is not None
    assert prompt.uncertainty < 2e-5


def test_a_rest_at_zero_amperes_is_not_open_circuit() -> None:
    """Trap: 1.5 uA in 10 h is 15 uAh, 1.3 % of 1.13 mAh, and no record shows it."""
    into, out = passed(PLATE, 2.0), passed(STRIP, 1.98, to_cutoff=True)
    accuracy = Accuracy(current_offset=1.5e-6)
    open_circuit = efficiency(Cycle(1, into, out), accuracy)
    connected = efficiency(Cycle(1, into, out, connected_rest=10 * HOUR), accuracy)
    assert open_circuit.interval is not None
    assert connected.interval is not None
    wider = (connected.interval[1] - connected.value) - (open_circuit.interval[1] - open_circuit.value)
    assert wider == pytest.approx(0.95 * 0.99 * 15e-6 / 1.13e-3, rel=0.01)


def test_stripping_that_ended_by_time_is_no_efficiency() -> None:
    """Trap: equal times give a flawless 100 %."""
    with pytest.raises(EvaluationRefused) as refused:
        efficiency(Cycle(3, passed(PLATE, 2.0), passed(STRIP, 2.0)))
    assert refused.value.reason is Refusal.NOT_TO_CUTOFF


def test_a_partly_observed_half_cycle_has_no_efficiency() -> None:
    with pytest.raises(EvaluationRefused) as refused:
        efficiency(Cycle(3, passed(PLATE, 2.0, partial=True), passed(STRIP, 1.9, to_cutoff=True)))
    assert refused.value.reason is Refusal.PARTIAL


def test_more_than_everything_is_flagged() -> None:
    """Trap: dead lithium that reconnects, or a soft short, gives CE above 100 %."""
    assert efficiency(cycle(1, 1.02), Accuracy(current_offset=1e-7)).has("above-one")
    assert not efficiency(cycle(1, 1.001), Accuracy(current_offset=1.5e-6)).has("above-one")


def test_the_mean_skips_activation_and_differs_from_the_ratio_of_the_sums() -> None:
    """Trap: sum over sum is not the mean; neither may hide the first cycles' loss silently."""
    cycles = [cycle(n, ce, hours) for n, (ce, hours) in enumerate([(0.7, 1.0), (0.99, 1.0), (0.95, 4.0)], 1)]
    everything = efficiencies(cycles)
    assert everything.mean.value == pytest.approx((0.7 + 0.99 + 0.95) / 3)
    assert everything.cumulative.value == pytest.approx((0.7 + 0.99 + 3.8) / 6)
    later = efficiencies(cycles, skip=1)
    assert later.mean.value == pytest.approx(0.97)
    assert str(later.mean.window) == "cycles 2 to 3"
    assert later.deviation == pytest.approx(np.std([0.99, 0.95], ddof=1))


def test_averaging_removes_scatter_but_no_offset() -> None:
    rng = np.random.default_rng(0)
    cycles = [cycle(n, 0.985 + 0.002 * rng.standard_normal()) for n in range(400)]
    found = efficiencies(cycles, Accuracy(current_offset=1.5e-6))
    assert found.mean.dominant == "current offset"
    assert found.mean.uncertainty is not None
    assert found.mean.uncertainty > 0.002


def test_excluded_cycles_are_listed_with_their_reason() -> None:
    cycles = [cycle(1, 0.98), Cycle(2, passed(PLATE, 2.0), passed(STRIP, 2.0)), cycle(3, 0.97)]
    found = efficiencies(cycles)
    assert [n for n, _ in found.cycles] == [1, 3]
    assert found.excluded[0][0] == 2
    assert "cut-off" in found.excluded[0][1]
    with pytest.raises(EvaluationRefused, match="no cycle"):
        efficiencies(cycles[1:2])


def test_shuttle_shows_as_discharge_over_charge_below_one() -> None:
    """Trap: Li-S papers print charge over discharge above 100 %; it is the same loss."""
    assert efficiency(Cycle(1, passed(CHARGE, 2.3), passed(DISCHARGE, 2.0, to_cutoff=True))).value < 1.0


def test_a_recorded_step_says_by_itself_whether_it_went_to_its_cutoff() -> None:
    ends = (End(VoltageAbove(1.0)), End(ChargeReached(4.0)))
    strip = ConstantCurrent(CURRENT, ends, Sampling(decide=0.5), STRIP)
    by_voltage = of_step(strip, StepResult(0, 7000.0, 3.9, 1.0, CURRENT))
    assert by_voltage == Passed(STRIP, 3.9, 7000.0, to_cutoff=True, decided=0.5)
    by_charge = of_step(strip, StepResult(1, 7000.0, 4.0, 0.2, CURRENT, partial=True))
    assert by_charge is not None
    assert not by_charge.to_cutoff
    assert by_charge.partial
    plate = ConstantCurrent(-CURRENT, ends, process=PLATE)
    plated = of_step(plate, StepResult(1, 7000.0, -4.0, -0.03, -CURRENT))
    assert plated is not None
    assert plated.charge == 4.0
    assert of_step(Rest((End(TimeReached(60.0)),)), StepResult(0, 60.0, 0.0, 0.1, 0.0)) is None
    hold = ConstantCurrentConstantVoltage(1e-3, 4.3, (End(CurrentBelow(1e-4)),), process=CHARGE)
    held = of_step(hold, StepResult(0, 4000.0, 3.6, 4.3, 1e-4))
    assert held is not None
    assert held.to_cutoff


# --- the reservoir method ---------------------------------------------------------------------


def series(
    ce: float, *, n: int = 10, q_t: float = 10.0, q_c: float = 2.0, conditioned: bool = True
) -> list[Passed]:
    """What an ideal cell of efficiency `ce` on every plating gives, hours at 0.5 mA/cm2."""
    body = [passed(PLATE, q_t)]
    on_copper = q_t * ce
    for _ in range(n):
        body += [passed(STRIP, q_c), passed(PLATE, q_c)]
        on_copper += q_c * ce - q_c
    body.append(passed(STRIP, on_copper, to_cutoff=True))
    return ([passed(PLATE, q_t), passed(STRIP, q_t * 0.9, to_cutoff=True)] if conditioned else []) + body


@pytest.mark.parametrize("ce", [0.9064, 0.9881, 0.995])
def test_the_reservoir_returns_the_efficiency_of_the_cell(ce: float) -> None:
    found = reservoir_efficiency(series(ce))
    assert found.average.value == pytest.approx(ce, abs=1e-12)
    assert found.cycles == 10
    assert found.conditioning is not None
    assert found.conditioning.value == pytest.approx(0.9)


def test_the_formula_with_n_and_the_loss_form_say_the_same() -> None:
    inputs = reservoir_efficiency(series(0.9881)).average.inputs
    n, q_t, q_s, q_c = float(inputs["n"]), float(inputs["Q_T"]), float(inputs["Q_S"]), CURRENT * 2.0 * HOUR
    assert (n * q_c + q_s) / (n * q_c + q_t) == pytest.approx(0.9881)
    assert 1.0 - (q_t - q_s) / (n * q_c + q_t) == pytest.approx(0.9881)


def test_beginning_with_plate_changes_n_but_not_the_answer() -> None:
    """Trap: with plate, strip order the textbook count is off by one cycle."""
    half_cycles = series(0.98)
    more = [half_cycles[0], half_cycles[1], half_cycles[2], passed(PLATE, 2.0), *half_cycles[3:]]
    more[-1] = passed(STRIP, half_cycles[-1].duration / HOUR + 2.0 * 0.98, to_cutoff=True)
    assert reservoir_efficiency(more).average.value == pytest.approx(0.98, abs=1e-12)
    n, q_c, q_t = 10.0, 2.0, 10.0
    naive = (n * q_c + more[-1].duration / HOUR) / (n * q_c + q_t)
    assert abs(naive - 0.98) > 0.05


def test_forgetting_the_conditioning_cycle_is_flagged() -> None:
    found = reservoir_efficiency(series(0.98, conditioned=False))
    assert found.average.has("unconditioned")
    assert found.conditioning is None
    assert not reservoir_efficiency(series(0.98)).average.has("unconditioned")


def test_an_exhausted_reservoir_is_refused() -> None:
    half_cycles = series(0.98)
    hit = passed(STRIP, 1.2, to_cutoff=True)
    with pytest.raises(EvaluationRefused, match="stripping 3 of 11") as refused:
        reservoir_efficiency([*half_cycles[:7], hit, *half_cycles[8:]])
    assert refused.value.reason is Refusal.RESERVOIR_EXHAUSTED


def test_a_last_stripping_by_time_is_refused() -> None:
    half_cycles = series(0.98)
    with pytest.raises(EvaluationRefused) as refused:
        reservoir_efficiency([*half_cycles[:-1], passed(STRIP, 4.0)])
    assert refused.value.reason is Refusal.NOT_TO_CUTOFF


def test_partial_and_empty_series_are_refused() -> None:
    half_cycles = series(0.98)
    half_cycles[4] = passed(PLATE, 2.0, partial=True)
    with pytest.raises(EvaluationRefused) as refused:
        reservoir_efficiency(half_cycles)
    assert refused.value.reason is Refusal.PARTIAL
    with pytest.raises(EvaluationRefused):
        reservoir_efficiency([])


def test_the_offset_is_in_the_reservoir_method_alike() -> None:
    found = reservoir_efficiency(series(0.9881), Accuracy(current_offset=1.5e-6)).average
    half_band = 0.9881 * 2.0 * 1.5e-6 / CURRENT
    assert found.interval is not None
    assert found.interval[1] - found.value == pytest.approx(0.95 * half_band, rel=0.02)
