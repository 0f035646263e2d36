"""Simulated cells: physics, profiles, truth."""
