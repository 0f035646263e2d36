"""Steps for instruments that can only set and measure: the host samples, judges and decides."""

from hilcycler_drivers.software_steps.stepping import Reading, Source, Stepping

__all__ = ["Reading", "Source", "Stepping"]
