"""A step may be done in pieces: what was seen of one that was cut off, and of the one under way."""

from __future__ import annotations

from dataclasses import dataclass, field

from hilcycler.channel import HostDeath, Impedance, Samples
from hilcycler.engine.charge import Charge
from hilcycler.engine.remainder import held_charge, most_charge
from hilcycler.protocol import Envelope
from hilcycler.quantities import Coulomb, Second, Volt
from hilcycler.records import StepStarted
from hilcycler.steps import OperatorPause, SpectrumPoint, StepResult


@dataclass(frozen=True, slots=True)
class CutOff:
    """The piece of a step that ended before its time, as far as it was observed.

    `blind` is how long nobody watched after that; the instrument may have gone on meanwhile. What the
    step's earlier pieces passed is `elapsed_before`, `charge_before`; what may have passed in the gaps
    between them, `blind_before` and `unseen` (magnitude). `off`: the output was switched off after it and
    its own gap is declared, so that there is nothing to adopt.
    """

    started: StepStarted
    elapsed: Second
    charge: Coulomb
    last_voltage: Volt | None
    blind: Second = 0.0
    elapsed_before: Second = 0.0
    charge_before: Coulomb = 0.0
    blind_before: Second = 0.0
    unseen: Coulomb = 0.0
    off: bool = False

    @property
    def until(self) -> Second:
        """Test time up to which it was observed."""
        return self.started.test_time + self.elapsed

    @property
    def observed(self) -> tuple[Second, Coulomb]:
        """Time and charge of the step, all its pieces together."""
        return self.elapsed_before + self.elapsed, self.charge_before + self.charge

    @property
    def passed(self) -> tuple[Second, Coulomb]:
        """The most that may have passed: to plate a little less is better than too much."""
        elapsed, charge = self.observed
        return elapsed + self.blind_before + self.blind, abs(charge) + self.unseen

    def most_unseen(self, dies: HostDeath, envelope: Envelope) -> Coulomb:
        """The most charge that can have passed while it was blind (magnitude)."""
        step = self.started.step
        if dies.holds_for_ever:
            return held_charge(step, max(abs(each) for each in envelope.current), self.blind)
        return min(most_charge(step, self.elapsed, self.charge, self.blind), envelope.charge)


@dataclass(slots=True)
class Piece:
    """A piece under way. `base`: test time of its time zero; `seen_at`: monotonic time of the last sample."""

    started: StepStarted
    base: Second
    seen_at: Second
    earlier: CutOff | None = None
    adopted: bool = False
    elapsed: Second = 0.0
    last_voltage: Volt | None = None
    charge: Charge = field(default_factory=Charge)
    spectrum: list[SpectrumPoint] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.earlier is not None:
            self.last_voltage = self.earlier.last_voltage
            if self.adopted:
                self.elapsed = self.earlier.elapsed
                self.charge.resume(self.earlier.elapsed, self.earlier.charge)

    def add(self, samples: Samples, now: Second) -> None:
        """Count what was measured, at monotonic time `now`."""
        self.charge.add(samples.columns["step_time"], samples.columns["current"])
        self.elapsed = float(samples.columns["step_time"][-1])
        self.last_voltage = float(samples.columns["voltage"][-1])
        self.seen_at = now

    def add_point(self, point: Impedance, now: Second) -> None:
        """One more of a spectrum, at monotonic time `now`."""
        self.elapsed, self.seen_at = point.step_time, now
        self.spectrum.append(SpectrumPoint(point.frequency, point.real, point.imaginary))

    def cut_off(self, now: Second) -> CutOff:
        """What is left of it when the output is off, at monotonic time `now`."""
        before, charge_before = self._before
        earlier = self.earlier
        return CutOff(
            started=self.started,
            elapsed=self.elapsed,
            charge=self.charge.total,
            last_voltage=self.last_voltage,
            blind=0.0 if isinstance(self.started.step, OperatorPause) else max(now - self.seen_at, 0.0),
            elapsed_before=before,
            charge_before=charge_before,
            blind_before=0.0 if earlier is None else earlier.blind_before + self._blind,
            unseen=0.0 if earlier is None else earlier.unseen,
        )

    def result(self, end: int | None, elapsed: Second, *, partial: bool = False) -> StepResult:
        """The step's, with its earlier pieces, when this one ended after `elapsed`.

        A spectrum is measured anew in each piece, and is whole if this one was seen from its beginning.
        """
        before, charge_before = self._before
        return StepResult(
            end=end,
            elapsed=before + elapsed,
            charge=charge_before + self.charge.finish(elapsed),
            last_voltage=self.last_voltage,
            last_current=self.charge.last_current,
            partial=partial or self.earlier is not None,
            spectrum=() if partial or self.adopted else tuple(self.spectrum),
        )

    @property
    def _blind(self) -> Second:
        """An adopted piece counts the gap within it as its own time."""
        return 0.0 if self.adopted or self.earlier is None else self.earlier.blind

    @property
    def _before(self) -> tuple[Second, Coulomb]:
        if self.earlier is None:
            return 0.0, 0.0
        if self.adopted:
            return self.earlier.elapsed_before, self.earlier.charge_before
        return self.earlier.observed
