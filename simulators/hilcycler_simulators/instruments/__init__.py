"""Instrument simulators: state machines over the drivers' wire."""
