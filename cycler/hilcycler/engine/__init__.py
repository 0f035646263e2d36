"""The engine: interprets a protocol on a channel. It knows no driver and no sink."""

from hilcycler.engine.execution import CutOff, Execution, Position

__all__ = ["CutOff", "Execution", "Position"]
