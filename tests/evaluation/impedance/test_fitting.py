"""The circuit fit: truth within stated limits, no swapped arcs, honest intervals.

Speed is not tested here: `cycler bench eis` and tests/optional/impedance_oracle.py print it.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

from hilcycler_protocols.evaluation.impedance import (
    Arc,
    Circuit,
    CircuitFit,
    ConstantPhase,
    FiniteLength,
    Inductor,
    Resistor,
    Spectrum,
    Warburg,
    blocking_cell,
    fit,
    lithium_cell,
    measured,
)
from hilcycler_protocols.evaluation.impedance.benchmark import (
    CIRCUIT,
    TRUTH,
    least_possible_errors,
    noisy_spectrum,
    recovery,
    sweep,
)
from hilcycler_protocols.evaluation.results import EvaluationRefused, Refusal
from hilcycler_protocols.evaluation.uncertainty import Accuracy


@pytest.fixture(scope="module")
def hundred() -> list[CircuitFit]:
    return [fit(noisy_spectrum(seed), CIRCUIT) for seed in range(100)]


def test_resistances_are_within_one_per_cent_on_each_of_a_hundred_seeds(hundred: list[CircuitFit]) -> None:
    for name in ("R_b", "R_SEI", "R_ct"):
        errors = np.array([f[name].value / TRUTH[name] - 1.0 for f in hundred])
        assert np.abs(errors).max() < 0.01, name
        assert abs(errors.mean()) < 0.001, f"{name} is biased"


def test_every_parameter_is_within_one_per_cent_in_the_root_mean_square(hundred: list[CircuitFit]) -> None:
    for name, truth in TRUTH.items():
        rms = np.sqrt(np.mean([(f[name].value / truth - 1.0) ** 2 for f in hundred]))
        assert rms < 0.01, f"{name}: {rms:.2%}"


def test_no_unbiased_fit_could_come_nearer(hundred: list[CircuitFit]) -> None:
    """What "within 1 % at 0.5 % noise and 60 points" can mean: the Cramér-Rao bound, and what is achieved.

    In per cent, 100 seeds; "can be" is the share within 1 % of the best unbiased fit there is.

        parameter  bound  achieved (rms)  worst  seeds within 1 %  can be
        R_b        0.21   0.21            0.60   100               100.0
        R_SEI      0.31   0.31            0.81   100                99.9
        tau_SEI    0.55   0.49            1.18    97                93.2
        n_SEI      0.20   0.19            0.55   100               100.0
        R_ct       0.31   0.33            0.76   100                99.9
        tau_ct     0.70   0.72            2.30    84                85.0
        n_ct       0.40   0.40            1.29    99                98.7
        sigma_D    0.83   0.89            2.54    78                77.3

    So the resistances and n_SEI are within 1 % on each seed; time constants, n_ct and sigma only in the
    root mean square, because the data hold no more. `cycler bench eis` prints the table.
    """
    rows = {row["what"]: row for row in recovery(hundred)}
    assert rows.keys() == TRUTH.keys()
    chance = 3.0 / math.sqrt(2.0 * len(hundred))  # three deviations of a root mean square
    for name, row in rows.items():
        assert row["rms error %"] == pytest.approx(row["Cramer-Rao %"], rel=chance), name
        assert row["within 1 %"] >= row["can be"] - 10.0, name
    assert {name for name, row in rows.items() if row["within 1 %"] == 100.0} >= {
        "R_b",
        "R_SEI",
        "n_SEI",
        "R_ct",
    }


def test_the_stated_uncertainty_is_the_bound(hundred: list[CircuitFit]) -> None:
    for name, bound in least_possible_errors().items():
        stated = np.mean([f[name].uncertainty or np.nan for f in hundred]) / TRUTH[name]
        assert stated == pytest.approx(bound, rel=0.03), name


def test_q_is_as_uncertain_as_the_data_leave_it_and_says_so(hundred: list[CircuitFit]) -> None:
    q = np.array([f["Q_SEI"].value for f in hundred])
    stated = np.array([f["Q_SEI"].uncertainty for f in hundred], dtype=float)
    assert np.std(q) == pytest.approx(stated.mean(), rel=0.25)
    assert 0.01 < stated.mean() / 2e-6 < 0.03


def test_intervals_hold_the_truth_and_chi_square_is_the_noise(hundred: list[CircuitFit]) -> None:
    for name, truth in TRUTH.items():
        held = 0
        for fitted in hundred:
            interval = fitted[name].interval
            assert interval is not None
            held += interval[0] <= truth <= interval[1]
        assert 88 <= held <= 100, f"{name}: {held} of 100"
    assert np.sqrt(np.mean([f.reduced_chi2 for f in hundred])) == pytest.approx(0.005, rel=0.02)


def test_arcs_are_never_swapped_even_from_a_start_that_swaps_them() -> None:
    """Trap: from a poor start the two arcs come back exchanged at an equal residual."""
    backwards = {
        **TRUTH,
        **{f"{p}_SEI": TRUTH[f"{p}_ct"] for p in ("R", "tau", "n")},
        **{f"{p}_ct": TRUTH[f"{p}_SEI"] for p in ("R", "tau", "n")},
    }
    for seed in range(10):
        spectrum = noisy_spectrum(seed, sweep(1e5, 0.1))
        fitted = fit(spectrum, CIRCUIT, start=backwards)
        assert fitted["tau_SEI"].value < fitted["tau_ct"].value
        assert fitted["R_SEI"].value == pytest.approx(30.0, rel=0.05)
        assert fitted["R_ct"].value == pytest.approx(60.0, rel=0.05)


def test_starting_values_of_its_own_find_the_minimum_near_the_truth() -> None:
    rng = np.random.default_rng(3)
    for _ in range(60):
        tau = 10 ** rng.uniform(-5.5, -3.5)
        truth = {
            "R_b": 10 ** rng.uniform(0, 1.5), "sigma_D": 10 ** rng.uniform(-1, 1.5),
            "R_SEI": 10 ** rng.uniform(0.7, 2.3), "tau_SEI": tau, "n_SEI": rng.uniform(0.7, 1.0),
            "R_ct": 10 ** rng.uniform(0.7, 2.3), "tau_ct": tau * 10 ** rng.uniform(1.3, 3.0),
            "n_ct": rng.uniform(0.7, 1.0),
        }  # fmt: skip
        spectrum = noisy_spectrum(int(rng.integers(1 << 30)), truth=truth)
        assert fit(spectrum, CIRCUIT).reduced_chi2 <= 1.001 * fit(spectrum, CIRCUIT, start=truth).reduced_chi2


RANDLES = Resistor("b") + ((Resistor("ct") + Warburg("D")) | ConstantPhase("dl"))


@pytest.mark.parametrize(
    ("circuit", "truth"),
    [
        (RANDLES, {"R_b": 3.0, "R_ct": 40.0, "sigma_D": 6.0, "Q_dl": 2e-5, "n_dl": 0.9}),
        (blocking_cell(inductance=True), {"L_lead": 5e-7, "R_b": 1.8, "Q_dl": 1e-5, "n_dl": 0.93}),
        (Resistor("b") + Arc("SEI"), {"R_b": 3.0, "R_SEI": 50.0, "tau_SEI": 1e-3, "n_SEI": 0.8}),
        (
            lithium_cell(FiniteLength("D")),
            {
                "R_b": 3.0, "R_SEI": 40.0, "tau_SEI": 1e-5, "n_SEI": 0.9, "R_ct": 50.0, "tau_ct": 5e-3,
                "n_ct": 0.85, "R_D": 20.0, "tau_D": 2.0,
            },
        ),
        (
            Inductor("lead") + Resistor("b") + Arc("SEI") + Arc("ct") + Arc("cathode") + Warburg("D"),
            {
                "L_lead": 3e-7, "R_b": 3.0, "R_SEI": 40.0, "tau_SEI": 1e-5, "n_SEI": 0.9, "R_ct": 50.0,
                "tau_ct": 3e-3, "n_ct": 0.85, "R_cathode": 60.0, "tau_cathode": 0.5, "n_cathode": 0.9,
                "sigma_D": 4.0,
            },
        ),
    ],
    ids=["randles", "blocking", "one arc", "finite length", "three arcs"],
)  # fmt: skip
def test_other_circuits_are_found_without_help(circuit: Circuit, truth: dict[str, float]) -> None:
    fitted = fit(noisy_spectrum(1, circuit=circuit, truth=truth, noise=0.001), circuit)
    for parameter in circuit.parameters:
        if parameter.name.startswith(("R_", "n_", "sigma_", "L_")):
            assert fitted[parameter.name].value == pytest.approx(truth[parameter.name], rel=0.05), (
                parameter.name
            )


def test_an_ideal_capacitor_sits_on_the_bound_of_n_and_is_said_to() -> None:
    truth = {**TRUTH, "n_SEI": 1.0, "tau_SEI": 2e-5}
    held = [
        f
        for f in (fit(noisy_spectrum(s, truth=truth), CIRCUIT) for s in range(12))
        if f["n_SEI"].has("at-bound")
    ]
    assert held
    for fitted in held:
        assert fitted["n_SEI"].value == 1.0
        assert fitted["n_SEI"].uncertainty is None
        assert fitted["R_SEI"].value == pytest.approx(30.0, rel=0.02)
        assert fitted["R_SEI"].uncertainty


def test_a_range_that_ends_at_a_hundred_hertz_is_flagged_and_its_interval_is_wide() -> None:
    """Trap: 100 kHz to 0.1 kHz as printed in bn-pp; 89 and 64 % off there, silently."""
    fitted = fit(noisy_spectrum(4, sweep(1e5, 1e2)), CIRCUIT)
    assert fitted.has("range")
    assert fitted["R_ct"].has("range")
    full = fit(noisy_spectrum(4), CIRCUIT)
    assert not full.has("range")
    wide, narrow = fitted["R_ct"].uncertainty, full["R_ct"].uncertainty
    assert narrow is not None
    assert wide is None or wide > 20.0 * narrow


def test_names_are_kept_while_the_arcs_cross_over_cycles() -> None:
    """The SEI grows slower and ends up slower than charge transfer; it is still the SEI."""
    steps = np.geomspace(1.0, 40.0, 5)
    truths = [
        {
            "R_b": 3.0,
            "R_SEI": 20.0 * g**0.2,
            "tau_SEI": 2e-4 * g,
            "n_SEI": 1.0,
            "R_ct": 70.0,
            "tau_ct": 3e-3,
            "n_ct": 0.9,
        }
        for g in steps
    ]
    circuit = Resistor("b") + Arc("SEI") + Arc("ct")
    followed: CircuitFit | None = None
    for seed, truth in enumerate(truths):
        spectrum = noisy_spectrum(seed, circuit=circuit, truth=truth, noise=0.001)
        followed = fit(spectrum, circuit, follow=followed)
    assert followed is not None
    assert followed["R_ct"].value == pytest.approx(70.0, rel=0.05)
    assert followed["tau_SEI"].value > followed["tau_ct"].value
    alone = fit(noisy_spectrum(4, circuit=circuit, truth=truths[-1], noise=0.001), circuit)
    assert alone["tau_SEI"].value < alone["tau_ct"].value, "alone, the faster arc is called SEI"


def test_lead_resistance_and_gain_belong_to_the_right_parameters() -> None:
    accuracy = Accuracy(voltage_gain=0.002, current_gain=0.002, lead_resistance=0.030)
    fitted = fit(noisy_spectrum(2), CIRCUIT, accuracy=accuracy)
    assert fitted["R_b"].dominant == "lead resistance"
    assert {c.cause for c in fitted["R_ct"].budget} == {
        "noise of the spectrum",
        "voltage gain",
        "current gain",
    }
    assert {c.cause for c in fitted["tau_ct"].budget} == {"noise of the spectrum"}
    plain = fit(noisy_spectrum(2), CIRCUIT)
    assert fitted["R_ct"].value == plain["R_ct"].value


def test_areas_are_explicit() -> None:
    fitted = fit(noisy_spectrum(0), CIRCUIT)
    areal = fitted["R_ct"].areal(1.131e-4)
    assert areal.value == pytest.approx(fitted["R_ct"].value * 1.131e-4)
    assert areal.text().endswith("ohm cm2")
    with pytest.raises(EvaluationRefused, match="area") as refused:
        fitted["R_ct"].areal(None)
    assert refused.value.reason is Refusal.MISSING_INPUT


def test_a_fit_that_came_from_another_process_is_as_good() -> None:
    """The worker's results are copies: nothing may depend on who they are."""
    fitted = copy.deepcopy(fit(noisy_spectrum(0), CIRCUIT))
    assert fitted["R_ct"].areal(1e-4).value > 0.0
    assert fit(noisy_spectrum(1), CIRCUIT, follow=fitted)["R_ct"].value == pytest.approx(60.0, rel=0.02)
    assert fitted.interface.value == pytest.approx(90.0, rel=0.02)


def test_the_interface_knows_how_its_arcs_correlate() -> None:
    fits = [fit(noisy_spectrum(seed), CIRCUIT) for seed in range(40)]
    totals = np.array([f.interface.value for f in fits])
    stated = np.mean([f.interface.uncertainty or 0.0 for f in fits])
    assert np.std(totals) == pytest.approx(stated, rel=0.35)
    assert abs(totals.mean() - 90.0) < 0.2


def test_a_wrong_circuit_is_noticed_by_its_residuals() -> None:
    fitted = fit(noisy_spectrum(0), Resistor("b") + Arc("ct"))
    assert fitted.has("structured")
    assert fitted.has("poor-fit")


def _bad(spectrum: Spectrum) -> tuple[list[float], list[complex]]:
    return list(spectrum.frequency), list(spectrum.impedance)


def test_nonsense_is_refused() -> None:
    f, z = _bad(noisy_spectrum(0))
    with pytest.raises(EvaluationRefused, match="point 7"):
        measured(f, [*z[:7], complex("nan"), *z[8:]])
    with pytest.raises(EvaluationRefused, match="twice"):
        measured([*f, f[5]], [*z, z[5]])
    with pytest.raises(EvaluationRefused, match="belong"):
        measured(f, z[1:])
    with pytest.raises(EvaluationRefused, match="3 frequencies"):
        fit(measured(f[:3], z[:3]), CIRCUIT)
    with pytest.raises(EvaluationRefused, match="starting values"):
        fit(noisy_spectrum(0), CIRCUIT, start={"R_b": 1.0})
    with pytest.raises(EvaluationRefused, match="another circuit"):
        fit(noisy_spectrum(0), CIRCUIT, follow=fit(noisy_spectrum(0), Resistor("b") + Arc("ct")))


def test_the_repeated_first_point_is_no_data_but_shows_drift() -> None:
    f, z = _bad(noisy_spectrum(0))
    spectrum = measured([*f, f[0]], [*z, 1.03 * z[0]])
    assert len(spectrum) == 60
    assert spectrum.drift == pytest.approx(0.03)
    assert fit(spectrum, CIRCUIT).has("drift")


def test_the_same_spectrum_gives_the_same_fit_to_the_last_digit() -> None:
    first, again = fit(noisy_spectrum(5), CIRCUIT), fit(noisy_spectrum(5), CIRCUIT)
    assert np.array_equal(first.coordinates, again.coordinates)
