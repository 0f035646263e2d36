"""Cells for the tests: those of the catalogue, and plain ones whose few values the test chooses."""

from __future__ import annotations

from collections.abc import Callable
from string import Template

import numpy as np
import pytest
from numpy.typing import NDArray

from hilcycler_simulators.cells import bank, catalogue, kinetics
from hilcycler_simulators.cells.kinetics import REFERENCE_TEMPERATURE
from hilcycler_simulators.cells.profiles.any import read
from hilcycler_simulators.cells.wiener import WienerCell

Make = Callable[..., WienerCell]
Floats = NDArray[np.float64]

SYMMETRIC = Template("""
kind = "symmetric"
description = "a plain Li||Li cell"
sources = ["this test"]
[cell]
electrode = "Li"
area = "1 cm2"
electrolyte = "any"
metal = "100 mAh/cm2"
cycling_current = "1 mA/cm2"
cycling_charge = "1 mAh/cm2"
[bulk]
resistance = "$bulk ohm cm2"
transference = $transference
diffusion = "4.5e-7 cm2/s"
concentration = "$concentration mol/L"
separator = "25 um"
activation_energy = "12 kJ/mol"
[film]
resistance = "$film ohm cm2"
time_constant = "20 us"
exponent = 0.9
activation_energy = "53 kJ/mol"
[transfer]
exchange_current = "$exchange mA/cm2"
time_constant = "5 ms"
exponent = 0.85
activation_energy = "60 kJ/mol"
$more
""")

CATHODE = Template("""
kind = "intercalation"
description = "a plain full cell"
sources = ["this test"]
[cell]
area = "1 cm2"
electrolyte = "any"
metal = "100 mAh/cm2"
loading = "5 mg/cm2"
nominal = "170 mAh/g"
[bulk]
resistance = "1 ohm cm2"
transference = 0.5
diffusion = "4.5e-7 cm2/s"
concentration = "1 mol/L"
separator = "25 um"
activation_energy = "12 kJ/mol"
[film]
resistance = "10 ohm cm2"
time_constant = "20 us"
exponent = 0.9
activation_energy = "53 kJ/mol"
[transfer]
exchange_current = "2 mA/cm2"
time_constant = "5 ms"
exponent = 0.85
activation_energy = "60 kJ/mol"
[host]
material = "$material"
capacity = "270 mAh/g"
start = $start
diffusion_time = "$tau s"
length = "3 um"
$more
""")


@pytest.fixture(scope="session")
def symmetric() -> Make:
    """`symmetric(transference=..., more=...)`: a Li||Li cell without a life of its own."""

    def make(**values: object) -> WienerCell:
        stated = {
            "bulk": 2.0,
            "transference": 0.4,
            "concentration": 1.0,
            "film": 5.0,
            "exchange": 6.0,
            "more": "",
        }
        return _cell(SYMMETRIC.substitute(stated | values))

    return make


@pytest.fixture(scope="session")
def cathode() -> Make:
    """`cathode(material=..., tau=...)`: a full cell without a life of its own."""

    def make(**values: object) -> WienerCell:
        stated = {"material": "LCO", "tau": 5000.0, "start": 0.7, "more": ""}
        return _cell(CATHODE.substitute(stated | values))

    return make


def _cell(text: str) -> WienerCell:
    return WienerCell(read("test", text).chemistry("test", 1), REFERENCE_TEMPERATURE)


KINDS = {
    "Li||Li": "li-li/pp",
    "Na||Na": "na-na/bn-pp",
    "K||K": "k-k/bn-pp",
    "Li||Cu": "li-cu/pota-no3",
    "Li||LFP": "li-lfp/wng",
    "Li||NCM811": "li-ncm811/wn-mo2n",
    "Li||NCM523": "li-ncm523/bn-pp",
    "Li||LCO": "li-lco/pota-no3",
    "Li||S": "li-s/pp",
    "SS||SS": "ss-ss/pp",
    "Li||SS": "li-ss/ether",
}


@pytest.fixture
def other_processor(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it: from then on sums run in another order, and exp and asinh err in their last digit.

    That is how numpy differs between processors.
    """
    wobble = np.random.default_rng(0)
    kinetic = kinetics.overpotential

    def sums(self: bank.Bank, times: Floats, states: Floats, j: float) -> Floats:
        decay = np.exp(-times / self.tau[:, None])
        decay = decay * (1.0 + 2.2e-16 * wobble.integers(-1, 2, decay.shape))
        away = (states - j)[::-1, None] * self.weights[::-1]
        summed = np.stack([(chain[:, None] * decay[::-1]).sum(axis=0) for chain in away.T])
        return summed + self.totals[:, None] * j

    def overpotential(j: Floats, j0: float, temperature: float) -> Floats:
        volts = kinetic(j, j0, temperature)
        return volts * (1.0 + 2.2e-16 * wobble.integers(-1, 2, volts.shape))

    def change() -> None:
        monkeypatch.setattr(bank.Bank, "follow", sums)
        monkeypatch.setattr("hilcycler_simulators.cells.interfaces.overpotential", overpotential)

    return change


@pytest.fixture(params=list(KINDS.values()), ids=list(KINDS))
def kind(request: pytest.FixtureRequest) -> WienerCell:
    """A new cell of every kind in turn."""
    return catalogue.make(request.param, seed=1)
