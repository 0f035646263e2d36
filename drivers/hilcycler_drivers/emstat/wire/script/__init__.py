"""MethodSCRIPT as a tree: the driver prints what the instrument's side parses.

One command a line; a blank line ends the script, so none is ever printed. A literal has no decimal
point and no exponent: 1.5 is `1500m`. Which commands exist, and what they take, is `SIGNATURES`.
"""

from hilcycler_drivers.emstat.wire.script.literals import integer, number, shortest
from hilcycler_drivers.emstat.wire.script.parsing import UNKNOWN_COMMAND, ScriptError, parse
from hilcycler_drivers.emstat.wire.script.printing import print_script
from hilcycler_drivers.emstat.wire.script.signatures import OPTIONS, SIGNATURES
from hilcycler_drivers.emstat.wire.script.tree import (
    Argument,
    Branch,
    Command,
    Comparison,
    If,
    Literal,
    Loop,
    MeasureLoop,
    Number,
    Option,
    Quoted,
    Script,
    Statement,
    Variable,
    VarType,
)

__all__ = [
    "OPTIONS",
    "SIGNATURES",
    "UNKNOWN_COMMAND",
    "Argument",
    "Branch",
    "Command",
    "Comparison",
    "If",
    "Literal",
    "Loop",
    "MeasureLoop",
    "Number",
    "Option",
    "Quoted",
    "Script",
    "ScriptError",
    "Statement",
    "VarType",
    "Variable",
    "integer",
    "number",
    "parse",
    "print_script",
    "shortest",
]
