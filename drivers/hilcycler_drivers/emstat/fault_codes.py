"""What the instrument's error codes mean, in our words. Codes: PalmSens, MethodSCRIPT."""

from __future__ import annotations

from typing import Final

WRONG_MODE: Final = 0x0006
CELL_IS_ON: Final = 0x0014
NO_MULTI_SERIAL: Final = 0x0048

_MEANINGS: Final[dict[int, str]] = {
    0x0001: "unspecified error",
    0x0002: "invalid variable type",
    0x0003: "command not recognised",
    0x0006: "not possible now: a script is running, or none is",
    0x0007: "unexpected argument",
    0x0008: "command too long",
    0x0009: "timed out",
    0x000B: "not enough memory for the variable",
    0x000C: "no script is loaded",
    0x000E: "overflow while averaging",
    0x000F: "potential not valid",
    0x0010: "a variable became NaN or infinite",
    0x0011: "frequency not valid",
    0x0012: "amplitude not valid",
    0x0014: "open circuit cannot be measured while the cell is on",
    0x0018: "the device's settings are corrupted",
    0x0019: "authentication failed",
    0x001A: "the device's calibration is not valid",
    0x001B: "not supported by this device",
    0x001C: "potential step below the resolution",
    0x001F: "not licensed for this technique",
    0x0020: "several high-speed modes at once",
    0x0021: "unknown potentiostat mode",
    0x0023: "not valid in this potentiostat mode",
    0x0024: "too many variables to measure",
    0x0028: "division by zero",
    0x002F: "channel not available",
    0x0032: "critical cell overload, measurement aborted",
    0x0048: "this is not a multi-channel device",
    0x0052: "bytes were lost on the line",
    0x0058: "timing error during a fast measurement",
    0x005A: "the requested measurement is too fast for the instrument",
    0x0080: "the counter electrode oscillates",
    0x4001: "unknown script command",
    0x4004: "unexpected character in the script",
    0x4005: "script too large",
    0x4008: "optional argument not valid for this command",
    0x400B: "measurement loops cannot be nested",
    0x400C: "script command not possible here",
    0x400D: "script nested too deeply",
    0x400E: "script blocks do not match",
    0x400F: "array index out of bounds",
    0x4018: "the script ended unexpectedly",
    0x401B: "package commands in the wrong order",
    0x401C: "too many variables in a package",
    0x4026: "variable declared twice",
    0x4027: "the cell must be on for this",
    0x4028: "the cell must be off for this",
    0x4029: "the technique needs at least one step",
    0x402A: "variable names do not fit the memory",
    0x402B: "variable name not valid",
    0x402C: "variable name too long",
    0x4032: "the potential cannot be set inside a measurement loop",
    0x4033: "the current cannot be set inside a measurement loop",
    0x4036: "only allowed inside a measurement loop",
    0x4037: "a computation overflowed",
    0x4039: "number not correctly formed",
    0x4041: "values that cannot be compared",
    0x4205: "argument out of bounds",
    0x4206: "argument not possible on this instrument",
    0x4207: "argument is an integer where a number is wanted, or the other way round",
    0x4208: "argument is not a variable",
    0x4209: "variable type not valid for this command",
    0x420A: "one argument too many",
    0x420B: "variable not declared",
    0x7FFF: "fatal error, the device resets",
}


def meaning(code: int) -> str:
    """In words; says so where the code is not known here."""
    return _MEANINGS.get(code, "an error not known to this driver")
