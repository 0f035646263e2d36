"""Titration: planar diffusion in closed form as truth (Carslaw and Jaeger), and where the law ends."""

from __future__ import annotations

import numpy as np
import pytest

from hilcycler_protocols.evaluation.gitt import Pulse, diffusion, electrode, over_composition, pulses, sphere
from hilcycler_protocols.evaluation.results import EvaluationRefused
from hilcycler_protocols.evaluation.uncertainty import Known

LENGTH, D = 2e-6, 1e-15  # l2/D is 4000 s
JUMP = 0.015


def transient(duration: float, *, d: float = D, length: float = LENGTH, points: int = 200) -> Pulse:
    """The surface of a slab at constant flux, 10 mV in the end, behind an ohmic jump."""
    t = np.linspace(duration / points, duration, points)
    k = np.arange(1, 2000)[:, None]
    reduced = t * d / length**2
    modes = (np.exp(-((k * np.pi) ** 2) * reduced) / k**2).sum(axis=0)
    surface = reduced + 1.0 / 3.0 - 2.0 / np.pi**2 * modes
    step = 0.010
    slope = step / (duration * d / length**2)
    return Pulse(t, 3.9 + JUMP + slope * surface, 3.9, 3.9 + step)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1])
def test_the_law_returns_the_truth_for_short_pulses(share: float) -> None:
    found = diffusion(transient(share * LENGTH**2 / D), Known(LENGTH), two_electrode=False)
    assert found.coefficient.value == pytest.approx(D, rel=0.002)
    assert not found.coefficient.flags
    assert found.voltage == pytest.approx(3.905)


def test_the_ohmic_jump_is_not_part_of_the_transient() -> None:
    """Trap: with the jump in it, dE_tau is too large and D several times too small."""
    pulse = transient(0.05 * LENGTH**2 / D)
    found = diffusion(pulse, Known(LENGTH))
    assert found.coefficient.inputs["jump"] == pytest.approx(JUMP, abs=2e-4)
    naive = 4 / np.pi / pulse.duration * (LENGTH * 0.010 / (pulse.voltage[-1] - pulse.before)) ** 2
    assert naive < 0.75 * D


def test_a_long_pulse_outlasts_the_law_and_is_flagged() -> None:
    """Trap: at tau = l2/D the law is 28 % off and still gives a number."""
    found = diffusion(transient(1.0 * LENGTH**2 / D), Known(LENGTH))
    assert found.coefficient.value < 0.85 * D
    assert found.coefficient.has("long-pulse")


def test_the_area_in_the_length_decides_everything() -> None:
    """Trap: geometric against BET area is a factor of 100 in S, 10^4 in D."""
    geometric = electrode(10e-6, 2e-5, 0.0979, 1e-4)
    real = electrode(10e-6, 2e-5, 0.0979, 1e-2)
    pulse = transient(200.0)
    ratio = (
        diffusion(pulse, Known(geometric)).coefficient.value / diffusion(pulse, Known(real)).coefficient.value
    )
    assert ratio == pytest.approx(1e4)
    with pytest.raises(EvaluationRefused, match="volume over area"):
        diffusion(pulse, None)
    assert sphere(Known(6e-6, 3e-7)) == Known(2e-6, 1e-7)


def test_a_two_phase_plateau_has_no_diffusion_coefficient() -> None:
    """Trap: LFP. The relaxed voltage does not move while the transient does."""
    pulse = transient(200.0)
    flat = Pulse(pulse.time, pulse.voltage, 3.45, 3.4504)
    assert diffusion(flat, Known(LENGTH)).coefficient.has("two-phase")
    with pytest.raises(EvaluationRefused, match="one phase"):
        diffusion(flat, Known(LENGTH), noise=0.3e-3)
    with pytest.raises(EvaluationRefused, match="one phase"):
        diffusion(Pulse(pulse.time, pulse.voltage, 3.9, 3.899), Known(LENGTH))


def test_lithium_polarises_too_in_two_electrodes() -> None:
    """Trap: a layer on the lithium changes D of the cathode."""
    pulse = transient(200.0)
    growing = Pulse(
        pulse.time, pulse.voltage + 0.01 * np.sqrt(pulse.time / pulse.duration), pulse.before, pulse.after
    )
    with_layer, without = (diffusion(p, Known(LENGTH)).coefficient for p in (growing, pulse))
    assert with_layer.value < 0.7 * without.value
    assert with_layer.has("two-electrode")
    assert not diffusion(pulse, Known(LENGTH), two_electrode=False).coefficient.has("two-electrode")


def test_a_rest_that_was_too_short_is_flagged() -> None:
    p = transient(200.0)
    assert diffusion(Pulse(p.time, p.voltage, p.before, p.after, 5e-3 / 3600), Known(LENGTH)).coefficient.has(
        "not-relaxed"
    )
    assert not diffusion(
        Pulse(p.time, p.voltage, p.before, p.after, 0.1e-3 / 3600), Known(LENGTH)
    ).coefficient.has("not-relaxed")


def test_intervals_hold_the_truth() -> None:
    pulse = transient(0.02 * LENGTH**2 / D)
    held = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        noise = 0.1e-3
        noisy = Pulse(
            pulse.time, pulse.voltage + noise * rng.standard_normal(200),
            pulse.before + noise * rng.standard_normal(), pulse.after + noise * rng.standard_normal(),
        )  # fmt: skip
        length = LENGTH * (1.0 + 0.02 * rng.uniform(-1.0, 1.0))
        found = diffusion(noisy, Known(length, 0.02 * LENGTH), noise=noise).coefficient
        assert found.interval is not None
        held += found.interval[0] <= D <= found.interval[1]
    assert 180 <= held <= 198


def test_pulses_are_found_between_rests_though_no_meter_reads_zero() -> None:
    rng = np.random.default_rng(0)
    t, v, i, e, start = [0.0], [3.9], [0.0], 3.9, 0.0
    for _ in range(4):
        rest = start + np.arange(1.0, 301.0)
        pulse = transient(80.0, points=80)
        t += [*rest, *(rest[-1] + pulse.time)]
        v += [*np.full(300, e), *(e + pulse.voltage - pulse.before)]
        i += [*(1e-9 * rng.standard_normal(300)), *np.full(80, 1e-4)]
        e, start = e + 0.010, float(rest[-1] + 80.0)
    last = start + np.arange(1.0, 301.0)
    found = pulses([*t, *last], [*v, *np.full(300, e)], [*i, *np.zeros(300)])
    assert len(found) == 4
    results, refused = over_composition(found, Known(LENGTH))
    assert not refused
    assert [r.coefficient.value for r in results] == pytest.approx([D] * 4, rel=0.01)
    assert results[2].voltage == pytest.approx(3.925, abs=1e-4)
