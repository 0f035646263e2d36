"""Hostile bytes by the million: `python tests/drivers/emstat/fuzz_emstat_wire.py [COUNT] [SEED]`.

Seeded strings of noise and of the grammar's own pieces, spliced and damaged, into both decoders, in
random chunks and whole: both ways must say the same. Scripts that come of it go through the parser.
Prints how many of each kind of message came; any exception but a ScriptError ends it. The laws with
hypothesis are in `test_emstat_wire.py`; this is for the big run.
"""

from __future__ import annotations

import random
import resource
import sys
from collections import Counter
from typing import Any

from hilcycler_drivers.emstat import wire
from hilcycler_drivers.emstat.wire.script import ScriptError, parse

LINES = """PdaDF5CB18n;ba9699F74p,14,218,40
Peb80003E8m;ab8401640u,10,206;db80F4240n
Pab     nan
tes4_hr1500#Jan 1 2026
R*
i1
CM
!0032: Line 3
e!4001
var a
store_var a 1 ja
meas_loop_cp a a 1m 1 9
endloop
if a < 1
on_finished:
M000A
C0000
Tend 00
e
l
r
Z
*
-
L
+
"""
ENDLESS = (b"x" * 300, b"P" * 2100, b"C" + b"0F" * 32 + b"\n")
SCRAPS = (b"\n", b"\x11", b"\x13", b"\r", b"\x00", b"\xff", b";", b",", b"8000000 ", b"     nan")
PIECES = (*(line.encode() for line in LINES.splitlines(keepends=True)), *ENDLESS, *SCRAPS)


def hostile(rng: random.Random) -> bytes:
    """Up to a few hundred bytes: pieces, noise, and a few random edits."""
    parts = [
        rng.choice(PIECES) if rng.random() < 0.8 else rng.randbytes(rng.randint(0, 20))
        for _ in range(rng.randint(0, 12))
    ]
    data = bytearray(b"".join(parts))
    for _ in range(rng.randint(0, 3)):
        if data:
            at = rng.randrange(len(data))
            data[at : at + rng.randint(0, 2)] = rng.randbytes(rng.randint(0, 2))
    return bytes(data)


def read(decoder: Any, data: bytes, size: int) -> list[Any]:
    return [message for at in range(0, len(data), size) for message in decoder.feed(data[at : at + size])]


def flat(messages: list[Any]) -> list[Any]:
    """Packages row by row, since chunks decide how they are grouped."""
    out: list[Any] = []
    for message in messages:
        if isinstance(message, wire.Packages):
            rows = zip(
                map(repr, message.values.tolist()),
                message.status.tolist(),
                message.ranges.tolist(),
                strict=True,
            )
            out += [(message.vartypes, message.measured, *row) for row in rows]
        else:
            out.append(message)
    return out


def main(count: int, seed: int) -> None:
    rng = random.Random(seed)
    seen: Counter[str] = Counter()
    for _ in range(count):
        data, size = hostile(rng), rng.randint(1, 60)
        for make in (wire.ReplyDecoder, wire.RequestDecoder):
            whole = read(make(), data, len(data) + 1)
            assert flat(read(make(), data, size)) == flat(whole), data
            seen.update(type(message).__name__ for message in whole)
            for message in whole:
                if isinstance(message, wire.Execute | wire.LoadScript):
                    seen[_verdict(message.script)] += 1
    print(
        f"{count} strings into each side, peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB"
    )
    print(", ".join(f"{name} {number}" for name, number in seen.most_common()))


def _verdict(script: str) -> str:
    try:
        parse(script)
    except ScriptError:
        return "(script error)"
    return "(script)"


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*given, *(10_000, 1)[len(given) :])
