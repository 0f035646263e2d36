"""The engine: interprets a protocol on a channel. It knows no driver and no sink."""

from hilcycler.engine.execution import CutOff, Execution, Position
from hilcycler.engine.remainder import at_open_circuit

__all__ = ["CutOff", "Execution", "Position", "at_open_circuit"]
