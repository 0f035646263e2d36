"""Equivalent circuits: small typed elements, joined by `+` (in series) and `|` (in parallel).

`Resistor("b") + Arc("SEI") + Arc("ct") + Warburg("D")` is a lithium cell. Every element knows its
impedance and the derivative by each of its coordinates, so that a fit needs no differences.

A *coordinate* is what is fitted: the logarithm of a resistance or a time constant, the exponent of
a constant-phase element as it is. An arc is fitted in (R, tau, n), not in (R, Q, n): the two say the
same, but tau hardly depends on n where the data are, Q does. Q = tau^n / R.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hilcycler_protocols.evaluation.results import (
    CPE_COEFFICIENT,
    FARAD,
    HENRY,
    OHM,
    RATIO,
    SECOND,
    WARBURG_COEFFICIENT,
    Unit,
)

Real = NDArray[np.float64]
Complex = NDArray[np.complexfloating]

N_MIN: Final = 0.4
N_MAX: Final = 1.0
"""Bounds of a constant-phase exponent: below 0.4 it is a diffusion element, 1 is a capacitor."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One fitted number: its name, unit, bounds, and whether its coordinate is its logarithm."""

    name: str
    unit: Unit
    logarithmic: bool = True

    def coordinate(self, value: float) -> float:
        return math.log(value) if self.logarithmic else value

    def value(self, coordinate: float) -> float:
        return math.exp(coordinate) if self.logarithmic else coordinate


class Circuit(ABC):
    """Anything with two terminals."""

    __slots__ = ()

    @property
    @abstractmethod
    def parameters(self) -> tuple[Parameter, ...]:
        """In the order of the coordinates."""

    @abstractmethod
    def evaluate(self, omega: Real, x: Real) -> tuple[Complex, Complex]:
        """Impedance (N,) at angular frequencies (N,), and its derivatives (P, N) by coordinates (P,)."""

    def relaxation_time(self, x: Real) -> float | None:  # noqa: ARG002
        """Time constant of the arc that this is, None if it is none."""
        return None

    def impedance(self, omega: Real, values: Mapping[str, float]) -> Complex:
        """Impedance for parameter values by name."""
        x = np.array([p.coordinate(values[p.name]) for p in self.parameters])
        return self.evaluate(omega, x)[0]

    def __add__(self, other: Circuit) -> Series:
        return Series((*_parts(self, Series), *_parts(other, Series)))

    def __or__(self, other: Circuit) -> Parallel:
        return Parallel((*_parts(self, Parallel), *_parts(other, Parallel)))


def _parts(circuit: Circuit, kind: type[Series | Parallel]) -> tuple[Circuit, ...]:
    return circuit.parts if isinstance(circuit, kind) else (circuit,)


@dataclass(frozen=True, slots=True)
class Resistor(Circuit):
    """R."""

    name: str

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return (Parameter(f"R_{self.name}", OHM),)

    def evaluate(self, omega: Real, x: Real) -> tuple[Complex, Complex]:
        z = np.full(len(omega), math.exp(x[0]), dtype=np.complex128)
        return z, z[None]


@dataclass(frozen=True, slots=True)
class Inductor(Circuit):
    """jwL: leads, above some 100 kHz."""

    name: str

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return (Parameter(f"L_{self.name}", HENRY),)

    def evaluate(self, omega: Real, x: Real) -> tuple[Complex, Complex]:
        z: Complex = 1j * omega * math.exp(x[0])
        return z, z[None]


@dataclass(frozen=True, slots=True)
class Capacitor(Circuit):
    """1/(jwC)."""

    name: str

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return (Parameter(f"C_{self.name}", FARAD),)

    def evaluate(self, omega: Real, x: Real) -> tuple[Complex, Complex]:
        z: Complex = 1.0 / (1j * omega * math.exp(x[0]))
        return z, -z[None]


@dataclass(frozen=True, slots=True)
class ConstantPhase(Circuit):
    """1/(Q (jw)^n): a blocking electrode."""

    name: str

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return (
            Parameter(f"Q_{self.name}", CPE_COEFFICIENT),
            Parameter(f"n_{self.name}", RATIO, logarithmic=False),
        )

    def evaluate(self, omega: Real, x: Real) -> tuple[Complex, Complex]:
        log = np.log(omega) + 0.5j * np.pi
        z = np.exp(-x[0] - x[1] * log)
        return z, np.stack((-z, -z * log))


@dataclass(frozen=True, slots=True)
class Arc(Circuit):
    """R parallel to a constant-phase element: R / (1 + (jw tau)^n), tau = (R Q)^(1/n)."""

    name: str

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return (
            Parameter(f"R_{self.name}", OHM),
            Parameter(f"tau_{self.name}", SECOND),
            Parameter(f"n_{self.name}", RATIO, logarithmic=False),
        )

    def evaluate(self, omega: Real, x: Real) -> tuple[Complex, Complex]:
        log = np.log(omega) + (x[1] + 0.5j * np.pi)
        power = np.exp(x[2] * log)
        z = math.exp(x[0]) / (1.0 + power)
        slope = -z * power / (1.0 + power)
        return z, np.stack((z, slope * x[2], slope * log))

    def relaxation_time(self, x: Real) -> float | None:
        return math.exp(x[1])


@dataclass(frozen=True, slots=True)
class Warburg(Circuit):
    """Semi-infinite diffusion: sigma (1 - j) / sqrt(w)."""

    name: str

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return (Parameter(f"sigma_{self.name}", WARBURG_COEFFICIENT),)

    def evaluate(self, omega: Real, x: Real) -> tuple[Complex, Complex]:
        z: Complex = (1.0 - 1.0j) * (math.exp(x[0]) / np.sqrt(omega))
        return z, z[None]


def _diffusion(name: str) -> tuple[Parameter, ...]:
    return (Parameter(f"R_{name}", OHM), Parameter(f"tau_{name}", SECOND))


@dataclass(frozen=True, slots=True)
class FiniteLength(Circuit):
    """Diffusion to an open boundary (short Warburg): R tanh(s)/s, s = sqrt(jw tau); ends in R."""

    name: str

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return _diffusion(self.name)

    def evaluate(self, omega: Real, x: Real) -> tuple[Complex, Complex]:
        s: Complex = np.sqrt(1j * omega * math.exp(x[1]))
        tanh = np.tanh(s)
        z = math.exp(x[0]) * tanh / s
        return z, np.stack((z, 0.5 * (math.exp(x[0]) * (1.0 - tanh * tanh) - z)))


@dataclass(frozen=True, slots=True)
class FiniteSpace(Circuit):
    """Diffusion to a closed boundary (open Warburg): R coth(s)/s, s = sqrt(jw tau); ends in a capacitor."""

    name: str

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return _diffusion(self.name)

    def evaluate(self, omega: Real, x: Real) -> tuple[Complex, Complex]:
        s: Complex = np.sqrt(1j * omega * math.exp(x[1]))
        coth = 1.0 / np.tanh(s)
        z = math.exp(x[0]) * coth / s
        return z, np.stack((z, 0.5 * (math.exp(x[0]) * (1.0 - coth * coth) - z)))


@dataclass(frozen=True, slots=True)
class Series(Circuit):
    """One after the other: impedances add."""

    parts: tuple[Circuit, ...]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return tuple(p for part in self.parts for p in part.parameters)

    def evaluate(self, omega: Real, x: Real) -> tuple[Complex, Complex]:
        z = np.zeros(len(omega), dtype=np.complex128)
        slopes = np.empty((len(x), len(omega)), dtype=np.complex128)
        for part, span in spans(self.parts):
            more, slopes[span] = part.evaluate(omega, x[span])
            z += more
        return z, slopes


@dataclass(frozen=True, slots=True)
class Parallel(Circuit):
    """Side by side: admittances add."""

    parts: tuple[Circuit, ...]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return tuple(p for part in self.parts for p in part.parameters)

    def evaluate(self, omega: Real, x: Real) -> tuple[Complex, Complex]:
        admittance = np.zeros(len(omega), dtype=np.complex128)
        slopes = np.empty((len(x), len(omega)), dtype=np.complex128)
        for part, span in spans(self.parts):
            z, slope = part.evaluate(omega, x[span])
            admittance += 1.0 / z
            slopes[span] = slope / (z * z)
        total = 1.0 / admittance
        return total, slopes * (total * total)

    def relaxation_time(self, x: Real) -> float | None:
        """(R Q)^(1/n) of a resistor, with whatever follows it in series, beside a capacitance."""
        resistance = _leading_resistance(self, x)
        for part, span in spans(self.parts):
            if isinstance(part, ConstantPhase) and resistance is not None:
                return float((resistance * math.exp(x[span][0])) ** (1.0 / x[span][1]))
            if isinstance(part, Capacitor) and resistance is not None:
                return float(resistance * math.exp(x[span][0]))
        return None


def spans(parts: tuple[Circuit, ...]) -> list[tuple[Circuit, slice]]:
    """Each part with the slice of coordinates that are its own."""
    found, at = [], 0
    for part in parts:
        count = len(part.parameters)
        found.append((part, slice(at, at + count)))
        at += count
    return found


def in_series(circuit: Circuit) -> list[tuple[Circuit, slice]]:
    """The outermost parts in series, each with its slice of coordinates."""
    return spans(circuit.parts if isinstance(circuit, Series) else (circuit,))


def _leading_resistance(circuit: Circuit, x: Real) -> float | None:
    if isinstance(circuit, Resistor):
        return math.exp(x[0])
    if isinstance(circuit, Series | Parallel):
        for part, span in spans(circuit.parts):
            found = _leading_resistance(part, x[span])
            if found is not None:
                return found
    return None


def lithium_cell(diffusion: Circuit | None = None, *, inductance: bool = False) -> Circuit:
    """R_b, the arcs of SEI and charge transfer, diffusion (semi-infinite unless given), leads."""
    cell = Resistor("b") + Arc("SEI") + Arc("ct") + (Warburg("D") if diffusion is None else diffusion)
    return Inductor("lead") + cell if inductance else cell


def blocking_cell(*, inductance: bool = False) -> Circuit:
    """R_b and the double layer of two blocking electrodes, for conductivity."""
    cell = Resistor("b") + ConstantPhase("dl")
    return Inductor("lead") + cell if inductance else cell
