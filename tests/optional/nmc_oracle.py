"""Our Li||NMC cell beside PyBaMM's half cell, which is a judge here and never a dependency.

    python3 -m venv /tmp/oracle && /tmp/oracle/bin/pip install pybamm==26.10.1.1 pydantic
    PYBAMM_DISABLE_TELEMETRY=true PYTHONPATH=cycler:simulators /tmp/oracle/bin/python tests/optional/nmc_oracle.py

Both are NMC532 after Xu et al. 2019 against lithium. The profile of ours is made of PyBaMM's own
parameters: a layer whose surface lags behind its mean as PyBaMM's spheres do (tau = r^2/5D), one
charge transfer for the whole electrode, the electrolyte of the pores as a third of its resistance in
series, the lithium's own kinetics in the film. Asked: open-circuit voltage within 5 mV at every state
of charge, relaxed; and how far apart the two are at C/10 and 1 C, which docs/cells.md explains.
"""

from __future__ import annotations

import sys

import numpy as np
import pybamm

from hilcycler_simulators.cells.kinetics import FARADAY, GAS, REFERENCE_TEMPERATURE
from hilcycler_simulators.cells.profiles.any import read
from hilcycler_simulators.cells.wiener import WienerCell

WITHIN = 5e-3  # V
PROFILE = """
kind = "intercalation"
description = "NMC532 after Xu et al. 2019"
sources = ["PyBaMM, parameter set Xu2019"]
[cell]
area = "{area:.9g} cm2"
electrolyte = "1 M LiPF6 in EC/EMC/DMC"
metal = "1000 mAh/cm2"
loading = "10 mg/cm2"
nominal = "{nominal:.9g} mAh/g"
[bulk]
resistance = "{bulk:.9g} ohm cm2"
transference = {transference:.9g}
diffusion = "{diffusion:.9g} cm2/s"
concentration = "1 mol/L"
separator = "25 um"
activation_energy = "0 kJ/mol"
[film]
resistance = "{film:.9g} ohm cm2"
time_constant = "20 us"
exponent = 1.0
activation_energy = "0 kJ/mol"
[transfer]
exchange_current = "{exchange:.9g} mA/cm2"
time_constant = "1 ms"
exponent = 1.0
activation_energy = "0 kJ/mol"
[host]
material = "NCM523"
capacity = "{capacity:.9g} mAh/g"
start = {start:.9g}
diffusion_time = "{tau:.9g} s"
length = "{length:.9g} um"
"""


def value(parameters: pybamm.ParameterValues, name: str, *arguments: float) -> float:
    found = parameters[name]
    if not callable(found):
        return float(found)
    return float(parameters.evaluate(found(*[pybamm.Scalar(each) for each in arguments])))


def ours(parameters: pybamm.ParameterValues) -> WienerCell:
    """The same cell as a profile of ours."""

    def get(name: str, *arguments: float) -> float:
        return value(parameters, name, *arguments)

    area = get("Electrode height [m]") * get("Electrode width [m]")
    depth, share = (
        get("Positive electrode thickness [m]"),
        get("Positive electrode active material volume fraction"),
    )
    most, radius = (
        get("Maximum concentration in positive electrode [mol.m-3]"),
        get("Positive particle radius [m]"),
    )
    capacity = most * FARADAY * depth * share / 36.0  # uAh/cm2
    salt, temperature = 1000.0, REFERENCE_TEMPERATURE
    kappa = get("Electrolyte conductivity [S.m-1]", salt, temperature)
    apart = get("Separator porosity") ** 1.5
    pores = get("Positive electrode porosity") ** 1.5
    lithium = get("Exchange-current density for lithium metal electrode [A.m-2]", salt, 76900.0, temperature)
    cathode = get("Positive electrode exchange-current density [A.m-2]", salt, 0.5 * most, most, temperature)
    thermal = GAS * temperature / FARADAY
    profile = PROFILE.format(
        area=1e4 * area,
        nominal=get("Nominal cell capacity [A.h]") / area * 1e3 / 1e4 / 0.01,
        bulk=1e4 * (get("Separator thickness [m]") / apart + depth / pores / 3.0) / kappa,
        transference=get("Cation transference number", salt, temperature),
        diffusion=1e4 * apart * get("Electrolyte diffusivity [m2.s-1]", salt, temperature),
        film=1e4 * thermal / lithium,
        exchange=0.1 * cathode * 3.0 * share / radius * depth,
        capacity=1e-3 * capacity / 0.01,
        start=get("Initial concentration in positive electrode [mol.m-3]") / most,
        tau=radius**2 / 5.0 / get("Positive particle diffusivity [m2.s-1]", 0.5, temperature),
        length=1e6 * radius / 5.0**0.5,
    )
    return WienerCell(read("Xu2019", profile).chemistry("Xu2019", 1), temperature)


def relaxed(parameters: pybamm.ParameterValues) -> float:
    """The largest difference of the open-circuit voltages, V: ours at rest, theirs from its function."""
    cell, worst = ours(parameters), 0.0
    capacity = cell.truth["host_capacity_C"]
    for _ in range(18):
        cell.galvanostatic(-capacity * 0.045 / 3600.0, np.empty(0)).commit(3600.0)
        cell.galvanostatic(0.0, np.empty(0)).commit(100 * 3600.0)
        here = float(cell.galvanostatic(0.0, np.array([1.0])).voltage[0])
        there = value(parameters, "Positive electrode OCP [V]", cell.truth["lithium_fraction"])
        worst = max(worst, abs(here - there))
    return worst


def discharged(parameters: pybamm.ParameterValues, rate: float, model: pybamm.BaseModel) -> tuple[float, ...]:
    """Of a discharge to 3.5 V: rms and largest difference over the common part, mV; both capacities, mAh."""
    current = rate * value(parameters, "Nominal cell capacity [A.h]")
    simulation = pybamm.Simulation(model, parameter_values=parameters, C_rate=rate)
    solution = simulation.solve(
        [0.0, 2.0 * 3600.0 / rate], t_interp=np.linspace(0.0, 2.0 * 3600.0 / rate, 2001)
    )
    seconds, there = solution["Time [s]"].entries, solution["Voltage [V]"].entries
    cell = ours(parameters)
    end = cell.crossing(-current, 3.5, 2.0 * 3600.0 / rate)
    assert end is not None
    common = (seconds > 5.0) & (seconds < 0.97 * min(end, seconds[-1]))
    here = cell.galvanostatic(-current, seconds[common]).voltage
    apart = 1e3 * (here - there[common])
    return (
        float(np.sqrt((apart**2).mean())),
        float(apart[np.argmax(np.abs(apart))]),
        1e3 * current * end / 3600.0,
        1e3 * current * float(seconds[-1]) / 3600.0,
    )


def main() -> int:
    parameters = pybamm.ParameterValues("Xu2019")
    options = {"working electrode": "positive"}
    apart = relaxed(parameters)
    print(f"open circuit: {1e3 * apart:.3f} mV apart at most (asked: {1e3 * WITHIN:g} mV)")
    for rate in (0.1, 1.0):
        for model in (pybamm.lithium_ion.SPM, pybamm.lithium_ion.SPMe, pybamm.lithium_ion.DFN):
            rms, largest, here, there = discharged(parameters, rate, model(options))
            print(
                f"{rate:g} C, {model.__name__}: {rms:.1f} mV rms, {largest:+.1f} mV at most; "
                f"to 3.5 V {here:.3f} mAh, theirs {there:.3f} mAh ({100.0 * (here / there - 1.0):+.1f} %)"
            )
    return int(not apart < WITHIN)


if __name__ == "__main__":
    sys.exit(main())
