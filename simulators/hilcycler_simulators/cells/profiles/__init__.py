"""Profiles of simulated cells, one readable file each, by kind of cell."""
