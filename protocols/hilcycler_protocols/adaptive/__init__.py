"""Experiments that look at their results before they decide: pure generators, restarted by replay."""
