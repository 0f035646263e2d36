"""Nucleation: three numbers that papers print under one name."""

from __future__ import annotations

import numpy as np
import pytest

from hilcycler_protocols.evaluation.nucleation import nucleation
from hilcycler_protocols.evaluation.results import EvaluationRefused
from hilcycler_protocols.evaluation.uncertainty import Accuracy

MAH = 3.6


def plating(
    tip: float = 0.049, plateau: float = 0.033, noise: float = 0.0, seed: int = 0, shoulder: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """First plating of 1 mAh at 0.5 mA, a sample each second: shoulder from 2.5 V, dip, plateau (pota)."""
    q = np.arange(0.0, 7200.0) * 0.5e-3
    start = 0.02 * MAH if shoulder else 0.0
    after = np.maximum(q - start, 0.0)
    rise, fall = 0.004 * MAH, 0.03 * MAH
    shape = (1.0 - np.exp(-after / rise)) * np.exp(-after / fall)
    v = -plateau * (1.0 - np.exp(-after / rise)) - (tip - plateau) * shape / shape.max()
    v = np.where(q < start, 2.5 * np.exp(-q / (0.002 * MAH)) + 1e-4, v)
    return q, v + noise * np.random.default_rng(seed).standard_normal(len(q))


def lowest(q: np.ndarray, v: np.ndarray) -> float:
    return -float(v.min())


def test_tip_plateau_and_their_difference() -> None:
    q, v = plating()
    found = nucleation(q, v)
    assert found.tip.value == pytest.approx(lowest(q, v), abs=2e-5)
    assert found.plateau.value == pytest.approx(0.033, abs=2e-5)
    assert found.barrier.value == pytest.approx(found.tip.value - found.plateau.value)
    assert found.barrier.formula == "|V_min| - |V_plateau|"
    assert str(found.plateau.window) == "charge since 0 V 0.4899 to 0.8818 mAh"


def test_quoting_the_tip_as_the_overpotential_triples_it() -> None:
    """Trap: 49 mV in one convention is 16 mV in the other."""
    found = nucleation(*plating())
    assert found.tip.value / found.barrier.value > 2.5


def test_the_shoulder_above_zero_is_no_plating() -> None:
    """Trap: SEI formation and alloying above 0 V count neither as charge nor as voltage."""
    with_shoulder, without = nucleation(*plating()), nucleation(*plating(shoulder=False))
    assert with_shoulder.shoulder.value == pytest.approx(0.02 * MAH, rel=0.02)
    assert without.shoulder.value < 1e-3 * MAH
    assert with_shoulder.barrier.value == pytest.approx(without.barrier.value, abs=1e-4)


def test_the_lowest_noisy_sample_is_too_low_and_is_not_taken() -> None:
    """Trap: the minimum of many noisy samples is a statement about the noise."""
    q, clean = plating()
    truth = lowest(q, clean)
    naive, ours, held = [], [], 0
    for seed in range(100):
        q, v = plating(noise=0.3e-3, seed=seed)
        found = nucleation(q, v).tip
        naive.append(lowest(q, v) - truth)
        ours.append(found.value - truth)
        assert found.interval is not None
        held += found.interval[0] <= truth <= found.interval[1]
    assert np.mean(naive) > 4e-4
    assert abs(np.mean(ours)) < 2e-4
    assert held >= 75


def test_a_voltage_offset_leaves_the_barrier() -> None:
    q, v = plating()
    shifted, plain = nucleation(q, v + 1e-3, accuracy=Accuracy(voltage_offset=1e-3)), nucleation(q, v)
    assert shifted.tip.value == pytest.approx(plain.tip.value - 1e-3, abs=1e-5)
    assert shifted.barrier.value == pytest.approx(plain.barrier.value, abs=1e-5)
    assert shifted.tip.dominant == "voltage offset"
    assert shifted.barrier.dominant != "voltage offset"


def test_a_curve_without_a_dip_says_so() -> None:
    q, v = plating(tip=0.0331, noise=0.5e-3)
    assert nucleation(q, v).barrier.has("no-tip")


def test_nothing_below_zero_is_refused() -> None:
    with pytest.raises(EvaluationRefused, match="nothing was plated"):
        nucleation(np.arange(100.0), np.full(100, 0.3))
    with pytest.raises(EvaluationRefused, match="finite"):
        nucleation(np.arange(3.0), np.full(3, np.nan))


def test_a_curve_that_falls_towards_its_plateau_has_no_barrier() -> None:
    """As the first plating of lithium on lithium: the lowest point before the plateau is above it."""
    q = np.linspace(0.0, 3.6, 400)
    found = nucleation(q, -0.02 - 0.01 * q / 3.6)
    assert found.barrier.value <= 0.0
