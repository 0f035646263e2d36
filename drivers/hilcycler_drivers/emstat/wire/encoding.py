"""Messages to their bytes."""

from __future__ import annotations

from typing import assert_never

from hilcycler_drivers.emstat.wire import packages
from hilcycler_drivers.emstat.wire.messages import (
    Abort,
    AbortLoop,
    AskCapabilities,
    AskFirmware,
    AskMultiSerial,
    AskScriptVersion,
    AskSerial,
    CapabilityBits,
    Echo,
    EmptyLine,
    Execute,
    Failure,
    Firmware,
    Flush,
    Halt,
    LoadScript,
    LoopEnded,
    LoopStarted,
    MultiSerial,
    Packages,
    ReadRegister,
    RegisterValue,
    Release,
    RepeatEnded,
    RepeatStarted,
    Reply,
    Request,
    Resume,
    ReverseSweep,
    RunLoaded,
    ScanEnded,
    ScanStarted,
    ScriptVersion,
    SerialNumber,
    Text,
    Unknown,
    Unreadable,
    WriteRegister,
)


def encode(message: Request | Reply) -> bytes:
    """The bytes of one message, line ends included."""
    if isinstance(message, Packages):
        return packages.encode(
            message.vartypes, message.measured, message.values, message.status, message.ranges
        )
    if isinstance(message, Unreadable):
        return message.line + b"\n"
    return _line(message).encode("latin-1")


def _line(message: Request | Reply) -> str:
    match message:
        case Flush() | EmptyLine():
            return "\n"
        case AskFirmware():
            return "t\n"
        case AskSerial():
            return "i\n"
        case AskScriptVersion():
            return "v\n"
        case AskMultiSerial():
            return "m\n"
        case AskCapabilities(of):
            return "CC\n" if of == "runtime" else "CM\n"
        case ReadRegister(number):
            return f"G{number:02X}\n"
        case WriteRegister(number, value):
            return f"S{number:02X}{value}\n"
        case LoadScript(script):
            return f"l\n{script}\n"
        case RunLoaded():
            return "r\n"
        case Execute(script):
            return f"e\n{script}\n"
        case Halt():
            return "h\n"
        case Resume():
            return "H\n"
        case Abort():
            return "Z\n"
        case AbortLoop():
            return "Y\n"
        case ReverseSweep():
            return "R\n"
        case Unknown(text):
            return f"{text}\n"
        case Packages() | Unreadable():
            raise AssertionError("encoded above")
        case _:
            return _reply_line(message)


def _reply_line(
    message: Echo
    | Firmware
    | Release
    | SerialNumber
    | MultiSerial
    | ScriptVersion
    | CapabilityBits
    | RegisterValue
    | Failure
    | LoopStarted
    | LoopEnded
    | ScanStarted
    | ScanEnded
    | RepeatStarted
    | RepeatEnded
    | Text,
) -> str:
    match message:
        case Echo(command):
            return f"{command}\n"
        case Firmware(device, version, build):
            return f"t{device}{version}#{build}\n"
        case Release(kind):
            return f"{kind}*\n"
        case SerialNumber(text):
            return f"i{text}\n"
        case MultiSerial(text):
            return f"m{text}\n"
        case ScriptVersion(text):
            return f"v{text}\n"
        case CapabilityBits(bits):
            return f"C{bits:064X}\n"
        case RegisterValue(value):
            return f"G{value}\n"
        case Failure(command, code, line, column):
            place = "" if line is None else f": Line {line}"
            place += "" if column is None else f", Col {column}"
            return f"{command}!{code:04X}{place}\n"
        case LoopStarted(technique):
            return f"M{technique:04X}\n"
        case LoopEnded():
            return "*\n"
        case ScanStarted(number):
            return f"C{number:04X}\n"
        case ScanEnded():
            return "-\n"
        case RepeatStarted():
            return "L\n"
        case RepeatEnded():
            return "+\n"
        case Text(text):
            return f"T{text}\n"
        case _:
            assert_never(message)
