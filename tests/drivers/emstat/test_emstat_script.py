"""MethodSCRIPT: what is printed parses to the same tree, errors stand where the instrument puts them."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilcycler.errors import WireError
from hilcycler_drivers.emstat.wire import script
from hilcycler_drivers.emstat.wire.script import (
    Branch,
    Command,
    Comparison,
    If,
    Literal,
    Loop,
    MeasureLoop,
    Option,
    Quoted,
    Script,
    ScriptError,
    Statement,
    Variable,
    VarType,
    number,
    parse,
    print_script,
)

law = settings(max_examples=int(os.environ.get("HILCYCLER_EXAMPLES", "50")), deadline=None)

NAMES = ("a", "b", "c", "voltage", "x_1")
PLAIN = sorted(
    set(script.SIGNATURES)
    - {"var", "array", "breakloop", "pck_start", "pck_add", "pck_end"}
    - {name for name in script.SIGNATURES if name.startswith("meas_loop")}
)

literals = st.builds(Literal, st.integers(-(2**31), 2**31), st.sampled_from([*"afpnumkMGTPEi", ""]))
variables = st.builds(Variable, st.sampled_from(NAMES))
elements = st.builds(
    Variable, st.just("row"), st.one_of(variables, st.builds(Literal, st.integers(0, 9), st.just("i")))
)
places = st.one_of(variables, elements)
numbers = st.one_of(places, literals)
quoted = st.builds(Quoted, st.text("abc {}|=./&- ", max_size=12), st.booleans())
vartypes = st.builds(VarType, st.sampled_from(["ab", "ba", "da", "eb", "ja"]))
kinds = {"v": places, "n": numbers, "l": literals, "t": vartypes, "s": quoted}


def _arguments(signature: str) -> st.SearchStrategy[tuple[script.Argument, ...]]:
    return st.tuples(*(kinds[kind] for kind in signature))


@st.composite
def commands(draw: st.DrawFn, names: tuple[str, ...] = tuple(PLAIN)) -> Command:
    name = draw(st.sampled_from(names))
    arguments = draw(_arguments(script.SIGNATURES[name]))
    options = [
        Option(option, draw(_arguments(signature)))
        for option, signature in script.OPTIONS.get(name, {}).items()
        if draw(st.booleans())
    ]
    return Command(name, arguments, tuple(options))


comparisons = st.builds(Comparison, numbers, st.sampled_from(["==", "!=", "<", ">", "<=", ">="]), numbers)
measurements = tuple(name for name in script.SIGNATURES if name.startswith("meas_loop"))


def bodies(depth: int, *, measuring: bool) -> st.SearchStrategy[tuple[Statement, ...]]:
    statement: st.SearchStrategy[Statement] = commands()
    if depth:
        inner = bodies(depth - 1, measuring=measuring)
        loops = st.builds(Loop, comparisons, inner)
        branches = st.lists(st.builds(Branch, comparisons, inner), min_size=1, max_size=3).map(tuple)
        statement = st.one_of(statement, loops, st.builds(If, branches, inner))
        if not measuring:
            loop = st.builds(MeasureLoop, commands(measurements), bodies(depth - 1, measuring=True))
            statement = st.one_of(statement, loop)
    return st.lists(statement, max_size=4).map(tuple)


DECLARATIONS: tuple[Statement, ...] = (
    *(Command("var", (Variable(name),)) for name in NAMES),
    Command("array", (Variable("row"), Literal(10, "i"))),
)
scripts = st.builds(
    lambda body, finished: Script((*DECLARATIONS, *body), finished),
    bodies(2, measuring=False),
    bodies(1, measuring=False).filter(bool),
)


@given(scripts)
@law
def test_what_is_printed_parses_to_the_same_tree(tree: Script) -> None:
    text = print_script(tree)
    assert "\n\n" not in text, "a blank line would end the script"
    assert parse(text) == tree


def verdict(text: str) -> Script | ScriptError:
    try:
        return parse(text)
    except ScriptError as error:
        return error


@given(st.text(st.characters(codec="latin-1"), max_size=200))
@law
def test_any_text_parses_or_is_a_script_error(text: str) -> None:
    found = verdict(text)
    assert isinstance(found, Script) or 1 <= found.line <= text.count("\n") + 1


WORDS = (
    'var a b meas_loop_cp loop if endif else endloop 1m 1.5 < >= " "x" add_meas(0 nscans( ) a[b] [ breakloop '
    "on_finished: pck_start pck_end # \n"
)


@given(st.lists(st.sampled_from(WORDS.split(" ")), max_size=40).map(" ".join))
@law
def test_any_words_parse_or_are_a_script_error(text: str) -> None:
    found = verdict(text)
    assert isinstance(found, ScriptError) or parse(print_script(found)) == found


@pytest.mark.parametrize(
    ("source", "code", "line", "column"),
    [
        ("fail\n", 0x4001, 1, 5),  # heard from an independent simulator
        ("invalid_command\n", 0x4001, 1, 16),  # in the vendor's documentation
        ("# a comment\nwait 1\n  fail\n", 0x4001, 3, 7),
        ("set_e 1.5\n", 0x4004, 1, 9),
        ("wait\n", 0x4004, 1, 5),
        ("cell_on nscans(2)\n", 0x4008, 1, 15),
        ("var p\nmeas_loop_ocp p 1 1\nmeas_loop_ocp p 1 1\n", 0x400B, 3, 14),
        ("breakloop\n", 0x400C, 1, 10),
        ("endif\n", 0x400E, 1, 6),
        ("loop 1 < 2\nendif\n", 0x400E, 2, 6),
        ("loop 1 < 2\nwait 1\n", 0x4018, 2, 7),
        ("pck_add 1\n", 0x401B, 1, 8),
        ("pck_start\npck_start\n", 0x401B, 2, 10),
        ("var a\nvar a\n", 0x4026, 2, 6),
        ("var Abc\n", 0x402B, 1, 8),
        ("var " + "a" * 40 + "\n", 0x402C, 1, 45),
        ("set_e 1x\n", 0x4039, 1, 9),
        ("cell_off 1\n", 0x420A, 1, 11),
        ("set_e u\n", 0x420B, 1, 8),
        ("var u\nstore_var 1 1 ab\n", 0x420D, 2, 12),
        ("wait 1 # " + "x" * 300 + "\n", 0x0008, 1, 256),
        ("wait 1\n" * 10000, 0x4005, 4682, 1),
    ],
)
def test_errors_are_where_they_should_be(source: str, code: int, line: int, column: int) -> None:
    with pytest.raises(ScriptError) as raised:
        parse(source)
    assert (raised.value.code, raised.value.line, raised.value.column) == (code, line, column)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.5, "1500m"),
        (0.0, "0"),
        (-0.0, "0"),
        (1e-3, "1m"),
        (-0.01, "-10m"),
        (36000.0, "36k"),
        (4.2, "4200m"),
        (100e3, "100k"),
        (0.1, "100m"),
        (1e-9, "1n"),
        (1e8, "100M"),
        (3.4e-4, "340u"),
    ],
)
def test_numbers_are_written_as_short_as_can_be(value: float, text: str) -> None:
    assert str(number(value)) == text


@given(st.floats(1e-9, 1e12), st.sampled_from([-1.0, 1.0]))
@law
def test_numbers_keep_six_digits_and_fit_32_bits(magnitude: float, sign: float) -> None:
    literal = number(sign * magnitude)
    assert abs(literal.value - sign * magnitude) <= 1e-6 * magnitude
    assert abs(literal.mantissa) < 2**31


@given(st.integers(-999_999, 999_999), st.integers(-12, 6))
@law
def test_decimal_numbers_are_exact(mantissa: int, exponent: int) -> None:
    value = float(f"{mantissa}e{exponent}")
    assert number(value).value == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e40])
def test_what_no_literal_says_is_refused(value: float) -> None:
    with pytest.raises(WireError):
        number(value)
