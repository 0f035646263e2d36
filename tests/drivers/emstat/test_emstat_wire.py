"""Laws of the MethodSCRIPT codec: round trips under any chunking, totality, bounded memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from hilcycler_drivers.emstat import wire
from hilcycler_drivers.emstat.wire import packages
from hilcycler_drivers.emstat.wire import replies as reply_side
from hilcycler_drivers.emstat.wire import requests as request_side

EXAMPLES = int(os.environ.get("HILCYCLER_EXAMPLES", "100"))
"""How many examples each law is tried on; HILCYCLER_EXAMPLES=100000 for the big run."""

printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60)
free_text = printable.filter(lambda text: not text.startswith("!"))
script_line = printable.filter(bool)
scripts = st.lists(script_line, max_size=6).map(lambda lines: "".join(f"{line}\n" for line in lines))
devices = st.sampled_from(["es4_hr", "es4_lr", "mes4hr", "mes4lr", "nexus1", "espico", "senswb", "espbl"])
optional_place = st.one_of(
    st.just((None, None)),
    st.tuples(st.integers(1, 999), st.none()),
    st.tuples(st.integers(1, 999), st.integers(1, 999)),
)
registers = st.integers(0, 255)
hexadecimal = st.text("0123456789ABCDEF", min_size=1, max_size=8)

requests = st.one_of(
    st.sampled_from(
        [
            wire.Flush(),
            wire.AskFirmware(),
            wire.AskSerial(),
            wire.AskScriptVersion(),
            wire.AskMultiSerial(),
            wire.AskCapabilities("runtime"),
            wire.AskCapabilities("script"),
            wire.RunLoaded(),
            wire.Halt(),
            wire.Resume(),
            wire.Abort(),
            wire.AbortLoop(),
            wire.ReverseSweep(),
        ]
    ),
    registers.map(wire.ReadRegister),
    st.builds(wire.WriteRegister, registers, hexadecimal),
    scripts.map(wire.Execute),
    scripts.map(wire.LoadScript),
    printable.filter(lambda t: len(t) > 3 and t[0] not in "GS").map(wire.Unknown),
)


@st.composite
def package_runs(draw: st.DrawFn) -> wire.Packages:
    k = draw(st.integers(1, 4))
    n = draw(st.integers(1, 40))
    letters = st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=2)
    measured = tuple(draw(st.lists(st.booleans(), min_size=k, max_size=k)))
    magnitudes = st.sampled_from([1e-21, 1e-15, 1e-9, 1e-3, 1.0, 1e3, 1e9, 1e20, 1e30])
    raw = draw(npst.arrays(np.float64, (n, k), elements=st.floats(-200.0, 200.0)))
    values = raw * draw(npst.arrays(np.float64, (n, k), elements=magnitudes))
    values[draw(npst.arrays(bool, (n, k), elements=st.integers(0, 19).map(lambda i: i == 0)))] = np.nan
    mask = np.array(measured)
    status = draw(npst.arrays(np.uint8, (n, k), elements=st.integers(0, 15))) * mask
    ranges = draw(npst.arrays(np.uint8, (n, k), elements=st.integers(0, 255))) * mask
    vartypes = tuple(draw(st.lists(letters, min_size=k, max_size=k)))
    return wire.Packages(vartypes, measured, packages.quantise(values), status, ranges)


replies = st.one_of(
    st.sampled_from("elrSFhHZYR").map(wire.Echo),
    st.builds(
        wire.Firmware, devices, st.integers(0, 99999).map(str), printable.filter(lambda t: "#" not in t)
    ),
    st.sampled_from("ABRX").map(wire.Release),
    free_text.map(wire.SerialNumber),
    free_text.map(wire.MultiSerial),
    free_text.map(wire.ScriptVersion),
    st.integers(0, 2**256 - 1).map(wire.CapabilityBits),
    hexadecimal.map(wire.RegisterValue),
    st.builds(
        lambda command, code, place: wire.Failure(command, code, *place),
        st.sampled_from(["", "e", "l", "r", "t", "Z", "f"]),
        st.integers(0, 0xFFFF),
        optional_place,
    ),
    st.integers(0, 0xFFFF).map(wire.LoopStarted),
    st.integers(0, 0xFFFF).map(wire.ScanStarted),
    st.sampled_from(
        [
            wire.LoopEnded(),
            wire.ScanEnded(),
            wire.RepeatStarted(),
            wire.RepeatEnded(),
            wire.EmptyLine(),
        ]
    ),
    free_text.map(wire.Text),
    package_runs(),
)


def pieces(data: bytes, cuts: Sequence[int]) -> Iterable[bytes]:
    """`data` in chunks of the sizes `cuts`, over and over."""
    at, turn = 0, 0
    while at < len(data):
        size = cuts[turn % len(cuts)]
        yield data[at : at + size]
        at, turn = at + size, turn + 1


def flat(messages: Iterable[Any]) -> list[Any]:
    """Messages in a form that compares: packages one row each, NaN equal to NaN."""
    out: list[Any] = []
    for message in messages:
        if isinstance(message, wire.Packages):
            for values, status, ranges in zip(message.values, message.status, message.ranges, strict=True):
                cells = tuple(map(repr, values.tolist()))
                out.append((message.vartypes, message.measured, cells, status.tolist(), ranges.tolist()))
        else:
            out.append(message)
    return out


cuts = st.lists(st.integers(1, 97), min_size=1, max_size=8)
law = settings(max_examples=EXAMPLES, deadline=None)


@given(st.lists(replies, max_size=12), cuts)
@law
def test_replies_survive_the_wire_under_any_chunking(sent: list[wire.Reply], sizes: list[int]) -> None:
    decoder, got = wire.ReplyDecoder(), list[wire.Reply]()
    for piece in pieces(b"".join(map(wire.encode, sent)), sizes):
        got += decoder.feed(piece)
    assert flat(got) == flat(sent)


@given(st.lists(requests, max_size=12), cuts)
@law
def test_requests_survive_the_wire_under_any_chunking(sent: list[wire.Request], sizes: list[int]) -> None:
    decoder, got = wire.RequestDecoder(), list[wire.Request]()
    for piece in pieces(b"".join(map(wire.encode, sent)), sizes):
        got += decoder.feed(piece)
    assert got == sent


hostile = st.one_of(
    st.binary(max_size=300),
    st.lists(
        st.sampled_from(
            [
                b"P",
                b"Pda",
                b"da",
                b"8000000 ",
                b"     nan",
                b";",
                b",10",
                b",2",
                b",2FF",
                b"\n",
                b"\r",
                b"\x11",
            ]
            + [b"e", b"e!", b"l\n", b"M000A", b"C", b"0000", b"!0032", b": Line 1", b"t", b"#", b"T", b"\xff"]
            + [b"PdaDF5CB18n;ba9699F74p,14,218,40\n"] * 3
            + [b"PdaDF5CB18n;ba9699F74p,14,218;40\n", b"PdaDF5CB18n;ba9699G74p,14,218,40\n", b"x" * 300]
        ),
        max_size=40,
    ).map(b"".join),
)


@given(hostile, cuts)
@law
def test_any_bytes_become_replies_whatever_the_chunks(data: bytes, sizes: list[int]) -> None:
    whole = wire.ReplyDecoder().feed(data)
    decoder, got = wire.ReplyDecoder(), list[wire.Reply]()
    for piece in pieces(data, sizes):
        got += decoder.feed(piece)
    assert flat(got) == flat(whole)


@given(hostile, cuts)
@law
def test_any_bytes_become_requests_whatever_the_chunks(data: bytes, sizes: list[int]) -> None:
    whole = wire.RequestDecoder().feed(data)
    decoder, got = wire.RequestDecoder(), list[wire.Request]()
    for piece in pieces(data, sizes):
        got += decoder.feed(piece)
    assert got == whole


def test_a_reply_without_end_is_reported_once_and_not_kept() -> None:
    decoder = wire.ReplyDecoder()
    got = [message for _ in range(1000) for message in decoder.feed(b"x" * 4096)]
    assert [type(message) for message in got] == [wire.Unreadable]
    assert decoder.feed(b"\n*\n") == [wire.LoopEnded()]
    assert sys.getsizeof(decoder._rest) < reply_side.LONGEST_LINE


def test_a_script_without_end_is_cut_beyond_its_limit() -> None:
    decoder = wire.RequestDecoder()
    decoder.feed(b"e\n")
    for _ in range(2000):
        assert decoder.feed(b"wait 1\n" + b"x" * 1000 + b"\n") == []
    (message,) = decoder.feed(b"\n")
    assert isinstance(message, wire.Execute)
    assert request_side.LARGEST_SCRIPT < len(message.script) <= request_side.LARGEST_SCRIPT + 300
    assert max(map(len, message.script.splitlines())) == request_side.LONGEST_LINE + 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.3, "8325AA0u"),
        (1e-3, "80F4240n"),
        (-1e-3, "7F0BDC0n"),
        (0.1, "DF5E100n"),
        (4.2, "8401640u"),
        (100e3, "DF5E100m"),
        (50.0, "AFAF080u"),
        (0.0, "8000000 "),
        (float("nan"), "     nan"),
        (float("inf"), "     nan"),
        (1e30, "     nan"),
    ],
)
def test_values_take_the_finest_prefix_that_fits(value: float, text: str) -> None:
    none = np.zeros((1, 1), np.uint8)
    line = wire.encode(wire.Packages(("da",), (False,), np.array([[value]]), none, none))
    assert line == f"Pda{text}\n".encode()


@given(st.floats(-1.3e26, 1.3e26))
@law
def test_quantising_loses_less_than_half_a_unit_and_nothing_the_second_time(value: float) -> None:
    once = packages.quantise(np.array([value]))
    assert packages.quantise(once).tolist() == once.tolist()
    finest = max(1e-18, abs(value) * 1e3 / packages.LARGEST)
    assert abs(once[0] - value) <= 0.5 * finest * (1 + 1e-9)


@given(package_runs())
@law
def test_decimal_values_are_exact(run: wire.Packages) -> None:
    """What a person would read off the integer and the prefix is the float that Python would parse."""
    line = wire.encode(run).split(b"\n")[0][1:]
    for field, value in zip(line.split(b";"), run.values[0].tolist(), strict=True):
        text = field[2:10].decode()
        if text.strip() == "nan":
            assert np.isnan(value)
        else:
            exponent = packages.PREFIXES.index(text[7]) * 3 - 18
            assert value == float(f"{int(text[:7], 16) - packages.OFFSET}e{exponent}")


def test_a_change_of_layout_splits_a_run_and_a_bad_line_is_alone() -> None:
    good, other = b"PdaDF5CB18n,10,218\n", b"PbaDF5CB18n,10,218\n"
    bad = b"PdaDF5CZ18n,10,218\n"
    got = wire.ReplyDecoder().feed(good * 40 + bad + good + other * 20 + good)
    shape = [len(m) if isinstance(m, wire.Packages) else type(m).__name__ for m in got]
    assert shape == [40, "Unreadable", 1, 20, 1]


def test_xon_and_carriage_returns_are_dropped_and_spaces_kept() -> None:
    (run,) = wire.ReplyDecoder().feed(b"\x11Pda80\x1300001 \r\n")
    assert isinstance(run, wire.Packages)
    assert run.values.tolist() == [[1.0]]
