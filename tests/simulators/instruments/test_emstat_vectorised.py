"""The law: running a body over whole grids gives what running it sample by sample gives, to the byte.

HILCYCLER_EXAMPLES sets how many random bodies are tried (100 by default; 8 000 were tried once).
"""

import os
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hilcycler_drivers.emstat.wire.script import (
    Branch,
    Command,
    Comparison,
    If,
    Literal,
    MeasureLoop,
    Quoted,
    Statement,
    Variable,
    VarType,
    parse,
)
from hilcycler_simulators.instruments.emstat import body as plain
from hilcycler_simulators.instruments.emstat import vectorised
from hilcycler_simulators.instruments.emstat.body import Column, Done, Grid, run_plain
from hilcycler_simulators.instruments.emstat.values import Value, Variables, is_pure
from hilcycler_simulators.instruments.emstat.vectorised import run_vectorised

EXAMPLES = int(os.environ.get("HILCYCLER_EXAMPLES", "100"))

NAMES = ("t", "u", "i", "n", "k", "w", "v", "d", "q")
START: Variables = {
    "n": Value(0, "ja"),
    "k": Value(3, "ja"),
    "w": Value(0, "ja"),
    "v": Value(0.25, "ab", 0, 6, measured=True),
    "d": Value(0.0, "ab"),
    "q": Value(0.0, "aa"),
}

variables = st.sampled_from(NAMES).map(Variable)
written = st.sampled_from(("n", "k", "w", "v", "d", "q", "d", "n")).map(Variable)
literals = st.one_of(
    st.integers(-3, 12).map(lambda n: Literal(n, "i")),
    st.sampled_from((-500, -100, 0, 1, 100, 250, 500)).map(lambda n: Literal(n, "m")),
    st.integers(0, 60).map(Literal),
)
numbers = st.one_of(variables, literals)
vartypes = st.sampled_from(("ja", "ab")).map(VarType)


def command(name: str, *arguments: st.SearchStrategy[object]) -> st.SearchStrategy[Command]:
    return st.tuples(*arguments).map(lambda given: Command(name, given, line=1))


simple = st.one_of(
    command("store_var", written, literals, vartypes),
    command("copy_var", variables, written),
    command("add_var", written, numbers),
    command("sub_var", written, numbers),
    command("mul_var", written, numbers),
    command("div_var", written, numbers),
    command("alter_vartype", written, vartypes),
    command("timer_get", st.just(Variable("t"))),
    command("float_to_int", written),
    st.just(Command("send_string", (Quoted("n is {n}", formatted=True),), line=1)),
    st.just(Command("add_var", (Variable("n"), Literal(1, "i")), line=1)),
    st.just(Command("store_var", (Variable("n"), Literal(0, "i"), VarType("ja")), line=1)),
    st.just(Command("copy_var", (Variable("u"), Variable("v")), line=1)),
)
comparisons = st.builds(Comparison, variables, st.sampled_from(("==", "!=", "<", ">", "<=", ">=")), numbers)
leaving = st.sampled_from((Command("breakloop", line=1), Command("abort", line=1)))


@st.composite
def package(draw: st.DrawFn) -> tuple[Statement, ...]:
    adds = draw(st.lists(command("pck_add", variables), min_size=0, max_size=3))
    return (Command("pck_start", line=1), *adds, Command("pck_end", line=1))


def block(inner: st.SearchStrategy[Statement]) -> st.SearchStrategy[tuple[Statement, ...]]:
    piece = st.one_of(inner.map(lambda s: (s,)), inner.map(lambda s: (s,)), package())
    return st.lists(piece, max_size=4).map(lambda pieces: tuple(s for piece in pieces for s in piece))


def conditional(inner: st.SearchStrategy[Statement]) -> st.SearchStrategy[Statement]:
    branches = st.lists(
        st.builds(lambda c, b: Branch(c, b, 1), comparisons, block(inner)), min_size=1, max_size=2
    )
    return st.builds(lambda b, o: If(tuple(b), o), branches, block(inner))


statements = st.recursive(st.one_of(simple, simple, simple, leaving), conditional, max_leaves=6)
bodies = block(
    st.one_of(simple, statements, st.just(Command("add_var", (Variable("n"), Literal(1, "i")), line=1)))
)


def grid(seed: int, rows: int) -> Grid:
    """A slow rise with noise, now and then a NaN, like a voltage; a set current; seconds."""
    rng = np.random.default_rng(seed)
    u = np.round(np.linspace(0.1, 0.6, rows) + rng.normal(0.0, 0.02, rows), 3)
    if seed % 3 == 0:
        u[rng.integers(0, rows)] = np.nan
    status = (rng.random(rows) < 0.05).astype(np.uint8) * np.uint8(2)
    columns = {
        "u": Column("ab", u, status, np.full(rows, 6, np.uint8)),
        "i": Column("db", np.full(rows, 1e-3)),
    }
    return Grid(columns, np.arange(1.0, rows + 1.0))


def shown(value: object) -> str:
    """In full, NaN being itself; the sign of a zero shows nowhere outside."""
    return repr(value).replace("=-0.0,", "=0.0,")


def same(a: Done, b: Done) -> None:
    assert (a.rows, a.outcome, shown(a.package)) == (b.rows, b.outcome, shown(b.package))
    assert a.lines.data == b.lines.data
    assert a.lines.ends.tolist() == b.lines.ends.tolist()
    assert a.lines.rows.tolist() == b.lines.rows.tolist()
    assert shown(sorted(a.variables.items())) == shown(sorted(b.variables.items()))
    assert repr(a.failure) == repr(b.failure)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bodies, st.integers(0, 1000), st.integers(1, 200), st.booleans())
def test_any_body(tried: tuple[Statement, ...], seed: int, rows: int, muted: bool) -> None:
    assert is_pure(tried)
    data = grid(seed, rows)
    same(
        run_vectorised(tried, data, START, None, muted=muted),
        run_plain(tried, data, START, None, muted=muted),
    )


def body_of(text: str) -> tuple[Statement, ...]:
    declared = "".join(f"var {name}\n" for name in (*NAMES, "a", "x"))
    (loop,) = parse(f"{declared}meas_loop_cp u i 1m 1 10\n{text}endloop\n").body[len(NAMES) + 2 :]
    assert isinstance(loop, MeasureLoop)
    return loop.body


RECORD = "pck_start\npck_add t\npck_add u\npck_add i\npck_add w\npck_end\n"
EVERY_TENTH = f"""
timer_get t
add_var n 1i
store_var w 0i ja
if u >= 450m
store_var w 2i ja
endif
if w > 0i
store_var n 10i ja
endif
if n >= 10i
{RECORD}store_var n 0i ja
endif
if w > 0i
breakloop
endif
"""
BY_CHANGE = f"""
timer_get t
add_var n 1i
copy_var u d
sub_var d v
if d < 0
mul_var d -1
endif
if d >= 60m
store_var n 50i ja
endif
if n >= 50i
{RECORD}store_var n 0i ja
copy_var u v
endif
"""
BY_CHARGE = f"""
timer_get t
copy_var i d
mul_var d 1
add_var q d
add_var n 1i
if n >= 7i
{RECORD}store_var n 0i ja
endif
if q >= 1500m
breakloop
endif
"""
BY_CHARGE_IN_REAL_TIME = f"""
timer_get t
copy_var t d
sub_var d x
mul_var d i
add_var q d
copy_var t x
add_var n 1i
if n >= 10i
{RECORD}store_var n 0i ja
endif
if q >= 1500m
breakloop
endif
"""
BY_CLOCK = f"""
timer_get t
copy_var t d
sub_var d x
if d >= 25
{RECORD}copy_var t x
endif
"""


@pytest.fixture(scope="module")
def plain_rows() -> Iterator[list[int]]:
    """Rows that the vectorised runner gave up on, counted."""
    rows: list[int] = []
    inner = plain.run_plain

    def counting(*args: object, **kwargs: object) -> Done:
        done = inner(*args, **kwargs)  # type: ignore[arg-type]
        rows.append(done.rows)
        return done

    patch = pytest.MonkeyPatch()
    patch.setattr(vectorised, "run_plain", counting)
    yield rows
    patch.undo()


@pytest.mark.parametrize(
    "text", [EVERY_TENTH, BY_CHANGE, BY_CHARGE, BY_CHARGE_IN_REAL_TIME, BY_CLOCK, RECORD]
)
@pytest.mark.parametrize("rows", [1, 17, 3600])
def test_the_usual_bodies_run_in_columns(text: str, rows: int, plain_rows: list[int]) -> None:
    usual = body_of(text)
    start = START | {"t": Value(0.0, "eb"), "x": Value(0.0, "eb"), "w": Value(0, "ja")}
    for seed in range(1, 4):
        data = grid(3 * seed + 1, rows)
        plain_rows.clear()
        got = run_vectorised(usual, data, start, None, muted=False)
        assert sum(plain_rows) <= rows // 10  # a few, where changes come thick and fast
        same(got, run_plain(usual, data, start, None, muted=False))
