"""Experiments: one module each, what is run."""
