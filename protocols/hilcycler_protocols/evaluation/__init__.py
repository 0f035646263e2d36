"""Evaluations: one module each, pure functions of recorded data."""
