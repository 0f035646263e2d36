"""Whether samples are inside the limits, and can be judged at all: the first thing done with them."""

from __future__ import annotations

from hilcycler.channel import Samples
from hilcycler.protocol import Envelope, Violation
from hilcycler.records import Status

OVERLOADS_TOLERATED = 2
"""A reading beyond its range cannot be judged against a limit; this many in a row are put down to a
range change or a transient, one more trips."""


class Judge:
    """Judges one run's samples, in order."""

    def __init__(self) -> None:
        self._overloads = 0

    def first(self, samples: Samples, envelope: Envelope) -> Violation | None:
        """The first violation among `samples`, or None."""
        violation = envelope.first_violation(samples.columns["voltage"], samples.columns["current"])
        overloaded = (samples.columns["status"] & Status.OVERLOAD) != 0
        if violation is not None or not overloaded.any():
            self._overloads = 0
            return violation
        for at, bad in enumerate(overloaded):
            self._overloads = self._overloads + 1 if bad else 0
            if self._overloads > OVERLOADS_TOLERATED:
                value = float(samples.columns["current"][at])
                return Violation("overloaded reading of current", value, *envelope.current)
        return None
