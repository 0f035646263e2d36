"""The journal: one run, one file."""
