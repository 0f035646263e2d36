"""Simulated cells: physics, profiles, truth."""

from hilcycler_simulators.cells.catalogue import catalogue

__all__ = ["catalogue"]
