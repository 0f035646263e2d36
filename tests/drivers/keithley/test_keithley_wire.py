"""SCPI as the manual's grammar has it, and no wider: both ends read it with the same code."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilcycler.errors import WireError
from hilcycler_drivers.keithley.wire import vocabulary as v
from hilcycler_drivers.keithley.wire.models import MODELS, model_of
from hilcycler_drivers.keithley.wire.scpi import Header, Lines, Unit, number, reading, units

HEADERS = [each for each in vars(v).values() if isinstance(each, Header)]


@pytest.mark.parametrize(
    ("header", "written"),
    [
        (v.CURRENT, ":SOUR:CURR"),
        (v.CURRENT, "SOURCE:CURRENT:LEVEL:IMMEDIATE:AMPLITUDE"),
        (v.CURRENT, ":sour1:curr:lev"),
        (v.OUTPUT, "OUTPUT"),
        (v.OUTPUT, ":OUTP1:STAT"),
        (v.VOLTAGE_LIMIT, ":SOUR:CURR:VLIM"),
        (v.SENSE_VOLTAGE_NPLC, ":SENS:VOLT:DC:NPLC"),
        (v.IDENTITY, "*idn"),
    ],
)
def test_long_and_short_forms_in_any_case(header: Header, written: str) -> None:
    (unit,) = units(written + "?")
    assert header.matches(unit.header)


@pytest.mark.parametrize("written", [":SOUR:CUR", ":SOURC:CURR", ":SOUR:CURR:RANG:AUT", "IDN", ":OUTP:STA"])
def test_what_is_neither_the_long_nor_the_short_form_is_no_command(written: str) -> None:
    (unit,) = units(written + "?")
    assert not any(header.matches(unit.header) for header in HEADERS)


def test_every_command_is_recognised_as_itself_alone() -> None:
    for header in HEADERS:
        found = [each for each in HEADERS if each.matches(header.text.upper())]
        assert found == [header], header.pattern


def test_chains_quotes_and_relative_headers() -> None:
    """As PyMeasure's Keithley2450 sends them, and as the manual's examples do."""
    line = (
        ":SOUR:CURR:RANG:AUTO 0;:SOUR:CURR:RANG 0.01;VLIM 5;*IDN?;:SENS:FUNC 'VOLT';:SENS:VOLT:NPLC 0.100000;"
    )
    assert list(units(line)) == [
        Unit(":SOUR:CURR:RANG:AUTO", False, ("0",)),
        Unit(":SOUR:CURR:RANG", False, ("0.01",)),
        Unit(":SOUR:CURR:VLIM", False, ("5",)),
        Unit("*IDN", True, ()),
        Unit(":SENS:FUNC", False, ("'VOLT'",)),
        Unit(":SENS:VOLT:NPLC", False, ("0.100000",)),
    ]
    (unit,) = units(':READ? "defbuffer1", SOUR, READ')
    assert unit.arguments == ('"defbuffer1"', "SOUR", "READ")


@st.composite
def written(draw: st.DrawFn) -> tuple[Header, str]:
    """A command in some form that SCPI-99 6.2.1 allows: each node long or short, in any case, brackets
    in or out, with or without a leading colon and a numeric suffix of 1."""
    header = draw(st.sampled_from(HEADERS))
    pattern = header.pattern
    while "[" in pattern:
        inner = pattern[pattern.rindex("[") : pattern.index("]", pattern.rindex("[")) + 1]
        pattern = pattern.replace(inner, inner[1:-1] if draw(st.booleans()) else "", 1)
    if pattern.startswith("*"):
        return header, draw(st.sampled_from([pattern, pattern.lower()]))
    nodes = []
    for node in pattern.strip(":").split(":"):
        form = node if draw(st.booleans()) else "".join(c for c in node if not c.islower())
        nodes.append(
            draw(st.sampled_from([form.upper(), form.lower(), form.title()]))
            + draw(st.sampled_from(["", "1"]))
        )
    return header, draw(st.sampled_from([":", ""])) + ":".join(nodes)


@given(
    written(),
    st.sampled_from(["", "?", " 1", "  'text; with, separators'", '?  "b1", 2 ']),
    st.sampled_from(["", ";", " ; "]),
)
def test_every_form_of_every_command_is_understood(said: tuple[Header, str], rest: str, tail: str) -> None:
    header, text = said
    (unit,) = units(text + rest + tail)
    assert [each for each in HEADERS if each.matches(unit.header)] == [header]
    assert unit.query == rest.startswith("?")
    assert len(unit.arguments) == {"": 0, "?": 0, " 1": 1}.get(rest, 2 if "?" in rest else 1)


@given(st.lists(written(), min_size=1, max_size=5))
def test_a_chain_means_what_its_commands_mean_one_by_one(said: list[tuple[Header, str]]) -> None:
    absolute = [text if text.startswith(("*", ":")) else ":" + text for _, text in said]
    assert list(units(";".join(absolute))) == [unit for text in absolute for unit in units(text)]


def test_common_commands_do_not_move_the_level() -> None:
    """IEEE 488.2: `*` commands leave the header path alone (SCPI-99, 6.2.4)."""
    assert [unit.header for unit in units(":SOUR:CURR:RANG 1;*OPC;LEV 2;:*CLS;LEV 3")] == [
        ":SOUR:CURR:RANG", "*OPC", ":SOUR:CURR:LEV", "*CLS", ":SOUR:CURR:LEV",
    ]  # fmt: skip


@given(st.text(max_size=200))
def test_any_text_is_units_or_a_wire_error(text: str) -> None:
    try:
        for unit in units(text):
            assert unit.header
    except WireError:
        pass


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_any_bytes_at_any_chunking_are_lines_or_a_wire_error(chunks: list[bytes]) -> None:
    lines = Lines(limit=1000)
    for chunk in chunks:
        try:
            assert all("\n" not in line for line in lines.feed(chunk))
        except WireError:
            lines.clear()


@given(st.floats(-1e30, 1e30))
def test_numbers_keep_seven_digits(value: float) -> None:
    assert reading(number(value)) == pytest.approx(value, rel=1e-6, abs=0.0)


@pytest.mark.parametrize(
    ("text", "value"), [("9.900000E+37", math.inf), ("-9.9E+37", -math.inf), ("+9.91E37", math.nan)]
)
def test_over_range_and_no_number_never_look_like_readings(text: str, value: float) -> None:
    assert reading(text) == value or (math.isnan(value) and math.isnan(reading(text)))


def test_identities() -> None:
    """The first two as printed in the manuals; the others must not be taken for ours."""
    assert model_of("KEITHLEY INSTRUMENTS,MODEL 2450,04096331,1.7.12b") == (
        MODELS["2450"],
        "04096331",
        "1.7.12b",
    )
    assert model_of("KEITHLEY INSTRUMENTS INC.,MODEL 2400,1,C30/A02")[0] is MODELS["2400"]
    assert model_of("KEITHLEY INSTRUMENTS,MODEL 2000,1,1")[0] is None
    assert model_of("HEWLETT-PACKARD,34401A,0,10-5-2")[0] is None
    assert model_of("")[0] is None
