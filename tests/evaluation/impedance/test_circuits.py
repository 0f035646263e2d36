"""Equivalent circuits: limits, derivatives, composition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilcycler_protocols.evaluation.impedance import (
    Arc,
    Capacitor,
    Circuit,
    ConstantPhase,
    FiniteLength,
    FiniteSpace,
    Inductor,
    Parallel,
    Resistor,
    Series,
    Warburg,
    lithium_cell,
)

OMEGA = 2.0 * np.pi * np.geomspace(1e6, 1e-2, 25)
LEAVES: list[Circuit] = [
    Resistor("b"), Inductor("lead"), Capacitor("dl"), ConstantPhase("dl"), Arc("ct"), Warburg("D"),
    FiniteLength("D"), FiniteSpace("D"),
]  # fmt: skip
COMPOSED: list[Circuit] = [
    lithium_cell(inductance=True),
    Resistor("b") + ((Resistor("ct") + Warburg("D")) | ConstantPhase("dl")),
    (Resistor("a") | Capacitor("a")) + ((Resistor("ct") + FiniteSpace("D")) | Capacitor("dl")),
]


@pytest.mark.parametrize("circuit", [*LEAVES, *COMPOSED], ids=str)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_analytic_derivatives_are_the_differences(circuit: Circuit, data: st.DataObject) -> None:
    x = np.array(
        [
            data.draw(st.floats(-9.0, 5.0) if p.logarithmic else st.floats(0.45, 0.99))
            for p in circuit.parameters
        ]
    )
    z, slopes = circuit.evaluate(OMEGA, x)
    assert slopes.shape == (len(x), len(OMEGA))
    for k in range(len(x)):
        step = np.zeros(len(x))
        step[k] = 1e-6
        difference = (circuit.evaluate(OMEGA, x + step)[0] - circuit.evaluate(OMEGA, x - step)[0]) / 2e-6
        assert np.abs(difference - slopes[k]).max() <= 1e-7 * np.abs(z).max()


def test_an_arc_is_a_resistor_beside_a_constant_phase_element() -> None:
    arc = Arc("ct").impedance(OMEGA, {"R_ct": 60.0, "tau_ct": (60.0 * 2e-4) ** (1 / 0.85), "n_ct": 0.85})
    pair = (Resistor("ct") | ConstantPhase("ct")).impedance(OMEGA, {"R_ct": 60.0, "Q_ct": 2e-4, "n_ct": 0.85})
    assert np.allclose(arc, pair, rtol=1e-12)


def test_finite_diffusion_starts_as_semi_infinite_and_ends_as_its_boundary_says() -> None:
    fast, slow = np.array([1e6]), np.array([1e-6])
    values = {"R_D": 20.0, "tau_D": 1.0}
    warburg = Warburg("D").impedance(fast, {"sigma_D": 20.0 / np.sqrt(2.0)})
    for element in (FiniteLength("D"), FiniteSpace("D")):
        assert np.allclose(element.impedance(fast, values), warburg, rtol=1e-12)
    assert np.allclose(FiniteLength("D").impedance(slow, values), 20.0, rtol=1e-6)
    closed = FiniteSpace("D").impedance(slow, values)
    assert np.allclose(closed, 20.0 / 3.0 + 20.0 / (1j * slow), rtol=1e-6)


def test_composition_is_flat_and_keeps_the_order_of_names() -> None:
    circuit = Resistor("b") + Arc("SEI") + (Arc("ct") + Warburg("D"))
    assert isinstance(circuit, Series)
    assert len(circuit.parts) == 4
    assert [p.name for p in circuit.parameters] == [
        "R_b", "R_SEI", "tau_SEI", "n_SEI", "R_ct", "tau_ct", "n_ct", "sigma_D",
    ]  # fmt: skip
    assert isinstance(Resistor("a") | Capacitor("b") | Inductor("c"), Parallel)


def test_a_soft_short_in_parallel_shrinks_the_arc() -> None:
    cell = Resistor("b") + Arc("ct")
    values = {"R_b": 2.0, "R_ct": 33.0, "tau_ct": 1e-3, "n_ct": 1.0}
    shorted = (cell | Resistor("short")).impedance(np.array([1e-6]), {**values, "R_short": 20.0})
    assert shorted[0].real == pytest.approx(1.0 / (1.0 / 35.0 + 1.0 / 20.0))
