"""The converters between the cell and the firmware: gain, offset, quantisation, noise, ranges.

Reproducible to the last bit on any machine: a physical value is first rounded to the converter's
step, which swallows the last digits in which processors differ, and whole counts of noise are
added to that. Noise is a function of the sample's number, not of what was drawn before, so neither
polling nor chunking nor an aborted look ahead changes any sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilcycler.quantities import Ampere, Volt
from hilcycler_drivers.emstat.wire.devices import Device, Range

Floats: TypeAlias = NDArray[np.float64]
Bytes: TypeAlias = NDArray[np.uint8]

OVERLOAD: Final = 2
UNDERLOAD: Final = 4
WARNING: Final = 8

COUNTS_PER_RANGE: Final = 20_000
"""Converter counts in the nominal value of a current range: a resolution of 0.005 %."""

_VOLTAGE_STEPS: Final = 120_000
"""Converter counts from zero to the end of the voltage range: 50 uV on an EmStat4 HR."""

_NOISE_VOLTAGE: Final = 0.8  # counts, standard deviation
_NOISE_CURRENT: Final = 1.0

# A unit is calibrated: its own errors are a part of what the class is allowed. Offsets are zeroed
# at power-up and matter most, since they look like charge.
_GAIN_SHARE: Final = 0.2
_OFFSET_SHARE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Reading:
    """Samples as the firmware has them: values, status bits, range indices."""

    values: Floats
    status: Bytes
    ranges: Bytes


@dataclass(frozen=True, slots=True)
class CurrentChoice:
    """The current ranges that may be used, smallest first; one unless autoranging is on."""

    ranges: tuple[Range, ...]

    @property
    def largest(self) -> Range:
        return self.ranges[-1]


@dataclass(frozen=True, slots=True)
class Samples:
    """Which samples a reading is of: numbered from `first` on, at most `full_scale` in magnitude."""

    quantity: Literal["voltage", "current"]
    first: int
    full_scale: Floats


Spoiler: TypeAlias = Callable[[Samples, Reading], Reading]
"""A fault of the converter: what it makes of a reading."""


class Converter:
    """The analogue side of one unit: `seed` decides its errors and its noise."""

    def __init__(self, device: Device, seed: int) -> None:
        self._device = device
        self.spoilers: list[Spoiler] = []
        errors = np.random.default_rng([seed, 0xE57A7]).uniform(-1.0, 1.0, 6)
        self._voltage_gain = 1.0 + float(errors[0]) * _GAIN_SHARE * device.voltage_gain
        self._voltage_offset = float(errors[1]) * _OFFSET_SHARE * device.voltage_offset
        self._current_gain = 1.0 + float(errors[2]) * _GAIN_SHARE * device.gain
        self._current_offset = float(errors[3]) * _OFFSET_SHARE * device.offset  # of the nominal range
        self._source_gain = 1.0 + float(errors[4]) * _GAIN_SHARE * device.gain
        self._source_offset = float(errors[5]) * _OFFSET_SHARE * device.offset
        self._voltage_noise = _Noise(seed, stream=1, sigma=_NOISE_VOLTAGE)
        self._current_noise = _Noise(seed, stream=2, sigma=_NOISE_CURRENT)
        self._impedance_noise = _Noise(seed, stream=3, sigma=1000.0)
        self._steps_per_volt = float(round(_VOLTAGE_STEPS / max(device.voltage[1], 1.0)))

    @property
    def voltage_spread(self) -> Volt:
        """How far two readings of one voltage can lie apart, by noise and rounding."""
        return (2.0 * self._voltage_noise.largest + 1.0) / self._steps_per_volt

    # --- towards the cell

    def source_current(self, asked: Ampere, source: Range) -> Ampere:
        """What really flows when `asked` is set on range `source`."""
        steps = float(self.current_steps(np.array([asked]), source)[0])
        return steps * self._source_gain + self._source_offset * source.nominal

    def source_voltage(self, asked: Floats) -> Floats:
        """What really stands at the cell when `asked` is set."""
        return self.voltage_steps(asked) * self._voltage_gain + self._voltage_offset

    def voltage_steps(self, asked: Floats) -> Floats:
        """The nearest potentials that can be set, as the firmware reports them."""
        steps: Floats = np.rint(asked * self._steps_per_volt) / self._steps_per_volt
        return steps

    def current_steps(self, asked: Floats, source: Range) -> Floats:
        """The nearest currents that can be set on range `source`, as the firmware reports them."""
        per_ampere = round(COUNTS_PER_RANGE / source.nominal)
        steps: Floats = np.rint(asked * per_ampere) / per_ampere
        return steps

    # --- from the cell

    def read_voltage(
        self, true: Floats, first: int, range_index: int = 0, numbers: NDArray[np.intp] | None = None
    ) -> Reading:
        """Samples numbered from `first` on, or `first` + `numbers`; beyond the range clipped and flagged."""
        lowest, highest = (limit * self._steps_per_volt for limit in self._device.voltage)
        exact = (true * self._voltage_gain + self._voltage_offset) * self._steps_per_volt
        numbered = first + (np.arange(len(true)) if numbers is None else numbers)
        counts = np.rint(np.nan_to_num(exact, nan=np.inf)) + self._voltage_noise.of(numbered)
        inside = (counts >= lowest) & (counts <= highest)
        status = np.where(inside, 0, OVERLOAD).astype(np.uint8)
        values = np.clip(counts, lowest, highest) / self._steps_per_volt
        reading = Reading(values, status, np.full(len(true), range_index, np.uint8))
        for spoil in self.spoilers:
            reading = spoil(Samples("voltage", first, np.full(len(true), self._device.voltage[1])), reading)
        return reading

    def read_current(self, true: Floats, first: int, choice: CurrentChoice) -> Reading:
        """Samples numbered from `first` on; each in the smallest range that holds it."""
        device, ranges = self._device, choice.ranges
        true = np.nan_to_num(true, nan=np.inf)
        nominal = np.array([r.nominal for r in ranges])
        chosen = np.searchsorted(nominal[:-1] * device.warning, np.abs(true))
        scale = nominal[chosen]
        steps_per_ampere = np.rint(COUNTS_PER_RANGE / scale)
        exact = (true * self._current_gain + self._current_offset * scale) * steps_per_ampere
        counts = np.rint(exact) + self._current_noise.counts(first, len(true))
        limit = COUNTS_PER_RANGE * device.overload
        size = np.abs(counts)
        status = np.zeros(len(true), np.uint8)
        if len(ranges) == 1:
            status[size < COUNTS_PER_RANGE * device.underload] = UNDERLOAD
        status[size > COUNTS_PER_RANGE * device.warning] = WARNING
        status[size > limit] = OVERLOAD
        values = np.clip(counts, -limit, limit) / steps_per_ampere
        reading = Reading(values, status, np.array([r.index for r in ranges], np.uint8)[chosen])
        for spoil in self.spoilers:
            reading = spoil(Samples("current", first, limit / steps_per_ampere), reading)
        return reading

    def read_impedance(self, true: complex, number: int) -> complex:
        """One impedance with the class's error: gain as for currents, 0.1 % noise, in 1e-6 steps."""
        step = 10.0 ** np.floor(np.log10(max(abs(true), 1e-12))) * 1e-6
        noise = self._impedance_noise.counts(2 * number, 2)
        exact = true / self._current_gain
        spread = np.rint(abs(exact) / step) * 1e-6
        real = (np.rint(exact.real / step) + np.rint(spread * noise[0])) * step
        imaginary = (np.rint(exact.imag / step) + np.rint(spread * noise[1])) * step
        return complex(float(real), float(imaginary))


def range_for(ranges: Sequence[Range], value: float) -> Range:
    """The smallest of `ranges` that holds `value`, or the largest there is."""
    ordered = sorted(ranges, key=lambda r: r.nominal)
    return next((r for r in ordered if r.nominal >= abs(value) * (1.0 - 1e-9)), ordered[-1])


@cache
def _quantiles(sigma: float, size: int) -> Floats:
    """Whole numbers, as often as a normal distribution has them."""
    normal = NormalDist(0.0, sigma)
    return np.array([round(normal.inv_cdf((n + 0.5) / size)) for n in range(size)], np.float64)


class _Noise:
    """Whole counts, normally distributed, each a function of its number alone.

    The number is mixed by splitmix64 (Steele, Lea, Flood 2014) and looked up in the quantiles of
    the distribution.
    """

    _BITS: Final = 12

    def __init__(self, seed: int, stream: int, sigma: float) -> None:
        self._quantiles = _quantiles(sigma, 1 << self._BITS)
        self._key = np.uint64((seed * 0x9E3779B97F4A7C15 + stream * 0xD1B54A32D192ED03) % 2**64)

    @property
    def largest(self) -> float:
        return float(self._quantiles[-1])

    def counts(self, first: int, how_many: int) -> Floats:
        return self.of(np.arange(first, first + how_many))

    def of(self, numbers: NDArray[np.intp]) -> Floats:
        """Of the samples with these numbers."""
        mixed = numbers.astype(np.uint64)
        mixed *= np.uint64(0x9E3779B97F4A7C15)
        mixed += self._key
        mixed ^= mixed >> np.uint64(30)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(27)
        mixed *= np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
        return self._quantiles[(mixed >> np.uint64(64 - self._BITS)).astype(np.intp)]
