"""Whatever is sent, the simulated firmware answers in its own language or not at all.

HILCYCLER_EXAMPLES sets how many texts are tried of each kind (60 by default; 12 000 were tried once).
"""

import os
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hilcycler_drivers.emstat.wire import ReplyDecoder, Unreadable
from hilcycler_drivers.emstat.wire.script import OPTIONS, SIGNATURES

EXAMPLES = int(os.environ.get("HILCYCLER_EXAMPLES", "60"))
often = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

lines = st.sampled_from(
    (
        b"e",
        b"l",
        b"r",
        b"t",
        b"i",
        b"v",
        b"m",
        b"CC",
        b"CM",
        b"G01",
        b"S01FF",
        b"Z",
        b"h",
        b"H",
        b"Y",
        b"R",
        b"",
    )
)
hostile = st.lists(st.one_of(st.binary(max_size=40), lines.map(lambda line: line + b"\n")), max_size=12)

_words = {
    "v": st.sampled_from(("a", "b", "c", "d[0i]", "d[n]", "n")),
    "d": st.sampled_from(("x", "y")),
    "n": st.sampled_from(
        ("0", "1", "-1", "1m", "100m", "5", "2i", "0i", "3", "10m", "1k", "100k", "a", "n", "6", "-7", "900T")
    ),
    "l": st.sampled_from(("1i", "5i", "100")),
    "t": st.sampled_from(("ab", "ba", "da", "db", "eb", "ja", "zz")),
    "s": st.sampled_from(('"hello"', 'f"{a} and {n}"', 'f"{nobody"', '""')),
}


@st.composite
def command(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(sorted(SIGNATURES)))
    words = [name, *(draw(_words[kind]) for kind in SIGNATURES[name])]
    for option, signature in OPTIONS.get(name, {}).items():
        if draw(st.integers(0, 3)) == 0:
            words.append(f"{option}({' '.join(draw(_words[kind]) for kind in signature)})")
    return " ".join(words) + ("\nendloop" if name.startswith("meas_loop") and draw(st.booleans()) else "")


condition = st.tuples(_words["n"], st.sampled_from(("<", ">=", "==", "!=")), _words["n"]).map(" ".join)
control = st.one_of(
    condition.map(lambda c: f"if {c}"),
    condition.map(lambda c: f"loop {c}"),
    st.sampled_from(
        ("endif", "else", "endloop", "endloop", "endif", "breakloop", "on_finished:", "abort", "cell_on")
    ),
)
script = st.lists(st.one_of(command(), command(), control), max_size=14).map(
    lambda body: (
        "var a\nvar b\nvar c\nvar n\narray d 4\nstore_var a 1 ab\nstore_var n 1i ja\nset_pgstat_mode 6\ncell_on\n"
        + "\n".join(body)
        + "\n"
    )
)


def understood(b: Any, sent: bytes) -> None:
    """Feed, then listen for a while: nothing raised, nothing unreadable, nothing hoarded."""
    decoder = ReplyDecoder()
    b.firmware.feed(sent, b.now)
    for _ in range(60):
        said = b.firmware.emit(b.now)
        assert len(said) <= 1 << 16
        unreadable = [reply.line for reply in decoder.feed(said) if isinstance(reply, Unreadable)]
        assert all(line[1:2] == b"!" for line in unreadable), unreadable  # an unprintable echo
        if not said and b.firmware.due() > b.now + 1.0:
            break
        b.now += 0.001
    b.firmware.feed(b"Z\n", b.now)
    for _ in range(20):
        b.firmware.emit(b.now)
        b.now += 0.1


@often
@given(st.lists(hostile, min_size=1, max_size=4), st.sampled_from(["es4_hr", "espico", "espbl", "nexus1"]))
def test_any_bytes(bench: Any, chunks: list[list[bytes]], model: str) -> None:
    b = bench(model=model)
    for chunk in chunks:
        understood(b, b"".join(chunk))
        b.now += 0.2


@often
@given(script, st.sampled_from([None, 1.0, 1e6]))
def test_any_script(bench: Any, dummy: Any, text: str, pace: float | None) -> None:
    b = bench(dummy(rs=10.0, rp=100.0, c=0.1), pace=pace)
    understood(b, b"e\n" + text.encode() + b"\n")
    b.now += 0.2
    b.say(b"Z\n")
    b.now += 0.2
    assert b.say(b"e\ncell_off\n\n") == b"e\n\n"
    assert not b.unit.cell_is_on
