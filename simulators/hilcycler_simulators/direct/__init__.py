"""A channel straight on a simulated cell: the same steps, samples and decisions, and no bytes.

For preflight, which has months to go through in seconds. What the instrument is told is compiled by
the driver's own module, and what it measures comes from the simulated instrument's own converters, so
that grid, quantisation, ranges and noise are those of a run over the wire. What a script would decide
sample by sample is decided here in columns (`deciding`), and where nothing can be decided only the
recorded samples are looked at (`looking`). No firmware, no link, no faults, no waiting.

An instrument that is no EmStat is stood in for by one of that family: its own capabilities and
refusals hold, but its samples are taken on a grid that it may not keep.
"""

from hilcycler_simulators.direct.channel import DirectChannel

__all__ = ["DirectChannel"]
