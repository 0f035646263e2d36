"""The engine: interprets a protocol on a channel. It knows no driver and no sink."""

from hilcycler.engine.asked import Boundary, By, Doing, Replayed, replayed
from hilcycler.engine.execution import Execution, LeftRunning
from hilcycler.engine.looking import ASIDE, after_a_pause
from hilcycler.engine.pieces import CutOff
from hilcycler.engine.remainder import at_open_circuit
from hilcycler.engine.watching import Position

__all__ = [
    "ASIDE",
    "Boundary",
    "By",
    "CutOff",
    "Doing",
    "Execution",
    "LeftRunning",
    "Position",
    "Replayed",
    "after_a_pause",
    "at_open_circuit",
    "replayed",
]
