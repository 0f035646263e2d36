"""Each technique on circuits with a closed form: through driver, wire and simulator, within what the class promises.

The circuits are a resistor, a resistor in series with a capacitor, and a dummy cell (one resistor in
series with another beside a capacitor). The closed forms are written down here once more, by
superposition of step responses; nothing of the simulator is used for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from dummy_cell import Dummy
from numpy.typing import NDArray

from hilcycler.channel import Impedance, Measured, Samples
from hilcycler.protocol import Envelope
from hilcycler.steps import (
    ConstantVoltage,
    CyclicVoltammetry,
    End,
    GalvanostaticImpedance,
    LinearSweep,
    PotentiostaticImpedance,
    Sampling,
    Step,
    TimeReached,
)
from hilcycler_drivers.emstat.driver import open_emstat
from hilcycler_drivers.emstat.wire.devices import DEVICES
from hilcycler_simulators.instruments.emstat import EmStatTwin
from hilcycler_simulators.virtual_time import run

Floats = NDArray[np.float64]
DEVICE = DEVICES["es4_hr"]
NOMINAL = {r.index: r.nominal for r in DEVICE.current_ranges}
WIDE = Envelope((-2.0, 2.0), (-0.1, 0.1))


@dataclass(frozen=True)
class Known:
    """`rs` in series with `rp` beside `c`; a resistor has no `c`, a capacitor an `rp` beyond measure."""

    rs: float
    rp: float = 0.0
    c: float = 0.0

    def after_a_step(self, time: Floats) -> Floats:
        """Current per volt, `time` after the voltage was applied (0 before)."""
        settled = 1.0 / (self.rs + self.rp)
        if not self.c:
            return np.where(time > BEGUN, settled, 0.0)
        tau = self.c * self.rs * self.rp / (self.rs + self.rp)
        since = np.maximum(time, 0.0)
        return np.where(time > BEGUN, settled + (1.0 / self.rs - settled) * np.exp(-since / tau), 0.0)

    def impedance(self, frequency: Floats) -> NDArray[np.complex128]:
        return np.asarray(self.rs + self.rp / (1.0 + 2j * np.pi * frequency * self.rp * self.c))

    def twin(self) -> EmStatTwin:
        return EmStatTwin(Dummy(self.rs, self.rp, self.c))


CIRCUITS = {
    "resistor": Known(1000.0),
    "RC": Known(100.0, 1e9, 10e-3),
    "dummy cell": Known(100.0, 900.0, 1e-3),
}
PERIOD, STEP = 0.1, 5e-3
BEGUN = 1e-6
"""s: a stair that begins at the instant of a sample is not yet in it."""
SWEEPS: dict[str, tuple[Step, tuple[float, ...]]] = {
    "LSV": (LinearSweep(-0.1, 0.2, STEP / PERIOD, STEP), (-0.1, 0.2)),
    "CV": (
        CyclicVoltammetry(0.0, 0.1, -0.1, STEP / PERIOD, STEP, scans=2),
        (0.0, 0.1, -0.1, 0.0, 0.1, -0.1, 0.0),
    ),
    "CA": (ConstantVoltage(0.2, (End(TimeReached(10.0)),), Sampling(PERIOD, PERIOD)), (0.2,)),
    "CA by decades": (
        ConstantVoltage(0.2, (End(TimeReached(60.0)),), Sampling(0.01, None, points_per_decade=20)),
        (0.2,),
    ),
}
SPECTRA: dict[str, Step] = {
    "PEIS": PotentiostaticImpedance(10e-3, 10e3, 0.1, 6, bias=0.0),
    "GEIS": GalvanostaticImpedance(0.1e-3, 10e3, 0.1, 6),
}


def measure(step: Step, circuit: Known) -> list[Measured]:
    async def main() -> list[Measured]:
        async with open_emstat(circuit.twin().connect) as channel:
            await channel.start(step, WIDE)
            return [each async for each in channel.records()]

    return run(main())


def staircase(corners: tuple[float, ...]) -> Floats:
    """The voltages one after the other, corners included once."""
    stairs = [corners[0]]
    for begin, end in pairwise(corners):
        count = round(abs(end - begin) / STEP)
        stairs += [begin + (end - begin) * n / count for n in range(1, count + 1)]
    return np.array(stairs)


@pytest.mark.parametrize("name", CIRCUITS)
@pytest.mark.parametrize("technique", SWEEPS)
def test_currents_agree_with_the_closed_form(technique: str, name: str) -> None:
    """Each sample, within gain and offset of its range and of the voltage that drives it."""
    (step, corners), circuit = SWEEPS[technique], CIRCUITS[name]
    blocks = [each.columns for each in measure(step, circuit) if isinstance(each, Samples)]
    seen = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    times, volts = seen["step_time"], staircase(corners)
    applied = np.diff(volts, prepend=0.0)
    begun = np.arange(len(volts)) * PERIOD
    if len(corners) > 1:
        assert len(times) == len(volts)
        driven = volts
    else:
        driven = np.full(len(times), volts[0])
    current = sum(
        height * circuit.after_a_step(times - at) for height, at in zip(applied, begun, strict=True)
    )
    ranges = np.array([NOMINAL[int(index)] for index in seen["range"]])
    allowed_volts = DEVICE.voltage_gain * np.abs(driven) + DEVICE.voltage_offset
    allowed = DEVICE.gain * np.abs(current) + DEVICE.offset * ranges + allowed_volts / circuit.rs
    assert (np.abs(seen["current"] - current) <= allowed).all()
    assert (np.abs(seen["voltage"] - driven) <= allowed_volts).all()
    assert len(times) > 60


@pytest.mark.parametrize("name", CIRCUITS)
@pytest.mark.parametrize("technique", SPECTRA)
def test_spectra_agree_with_the_closed_form(technique: str, name: str) -> None:
    """Each point, within the gains of voltage and current and a share for their offsets."""
    circuit = CIRCUITS[name]
    points = [each for each in measure(SPECTRA[technique], circuit) if isinstance(each, Impedance)]
    frequency = np.array([p.frequency for p in points])
    seen = np.array([complex(p.real, p.imaginary) for p in points])
    true = circuit.impedance(frequency)
    allowed = 2.0 * (DEVICE.gain + DEVICE.voltage_gain)
    assert len(points) == 32
    assert (np.abs(seen - true) <= allowed * np.abs(true)).all(), (np.abs(seen - true) / np.abs(true)).max()
