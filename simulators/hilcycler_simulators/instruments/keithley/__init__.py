"""Keithley SMUs, simulated down to their bytes."""

from hilcycler_simulators.instruments.keithley.twin import KeithleyFamily, KeithleyTwin, twin

__all__ = ["KeithleyFamily", "KeithleyTwin", "twin"]
