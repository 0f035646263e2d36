"""Golden transcripts: what either end says, and what we read in it. Each file states its origin.

`>` is a line from the host, `<` one from the instrument, `=` a message that the lines before it mean.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hilcycler_drivers.emstat import wire

FILES = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))
_NUMBER = re.compile(r"(?<= [a-z]{2} )-?[0-9.]+(?:e[+-]?[0-9]+)?")


def _canonical(text: str) -> str:
    """Numbers of packages as Python writes them, so that a transcript may say 0.1 or 1e-1."""
    if not text.startswith("Packages"):
        return text
    return _NUMBER.sub(lambda m: repr(float(m[0])), text)


def show(message: wire.Request | wire.Reply) -> str:
    """A message as the transcripts write it; only single packages occur there."""
    if not isinstance(message, wire.Packages):
        return repr(message)
    assert len(message) == 1
    parts = []
    for j, vartype in enumerate(message.vartypes):
        meta = f" status {message.status[0, j]} range {message.ranges[0, j]}" if message.measured[j] else ""
        parts.append(f"{vartype} {float(message.values[0, j])!r}{meta}")
    return "Packages " + "; ".join(parts)


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_transcript(file: Path) -> None:
    host, instrument = wire.RequestDecoder(), wire.ReplyDecoder()
    said: list[wire.Request | wire.Reply] = []
    count = 0
    for line in file.read_text().splitlines():
        match line[:2]:
            case "> " | ">":
                said += host.feed(line[2:].encode() + b"\n")
            case "< " | "<":
                said += instrument.feed(line[2:].encode() + b"\n")
            case "= ":
                assert said, f"nothing was said where {line} is expected"
                assert show(said.pop(0)) == _canonical(line[2:])
                count += 1
            case _:
                assert line.startswith("#")
    assert not said
    assert count


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_origin_is_stated(file: Path) -> None:
    origins = re.findall(r"^# origin: (documented example|recorded|invented)", file.read_text(), re.MULTILINE)
    assert len(origins) == 1


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_what_the_host_said_is_what_we_would_say(file: Path) -> None:
    host = wire.RequestDecoder()
    said = "".join(f"{line[2:]}\n" for line in file.read_text().splitlines() if line.startswith(">"))
    assert b"".join(wire.encode(request) for request in host.feed(said.encode())) == said.encode()
