"""EmStat4, MultiEmStat4, Nexus and EmStat Pico potentiostats, simulated down to their bytes."""

from hilcycler_simulators.instruments.emstat.twin import EmStatFamily, EmStatTwin, twin

__all__ = ["EmStatFamily", "EmStatTwin", "twin"]
