"""The twin: simulated cells behind wire-level instrument simulators."""
