"""Laws of the raster, and pictures small enough to be checked by eye."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hilcycler.tui import raster

WIDTH, HEIGHT = 24, 16
_COORDINATES = st.floats(-40.0, 60.0) | st.just(float("nan"))
_CURVES = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        arrays(np.float64, n, elements=_COORDINATES), arrays(np.float64, n, elements=_COORDINATES)
    )
)


def shown(dots: np.ndarray) -> str:
    return "\n".join("".join("#" if dot else "." for dot in row) for row in dots)


def test_a_line_is_drawn_without_holes() -> None:
    dots = raster.line(np.array([0.5, 7.5]), np.array([3.5, 0.5]), 8, 4)
    assert shown(dots) == "......##\n....###.\n.####...\n##......"


def test_not_a_number_breaks_the_line() -> None:
    dots = raster.line(np.array([0.5, 2.5, 4.5, 6.5]), np.array([0.5, np.nan, 0.5, 0.5]), 8, 4)
    assert shown(dots) == "#...###.\n........\n........\n........"


def test_a_column_keeps_its_extremes_however_many_points_it_saw() -> None:
    y = np.full(100_000, 8.0)
    y[31_415], y[2_718] = 1.5, 14.5
    dots = raster.line(np.linspace(5.0, 5.9, len(y)), y, WIDTH, HEIGHT)
    assert dots[1:15, 5].all()
    assert dots.sum() == 14


def test_values_beyond_all_bounds_neither_overflow_nor_bend_the_line() -> None:
    x, y = np.array([0.5, 1.5, np.inf, 3.5]), np.array([1e308, -1e308, 3.0, np.inf])
    dots = raster.line(x, y, 4, 4)
    assert shown(dots) == "##..\n#...\n#...\n#..."


@settings(deadline=None)
@given(_CURVES)
def test_every_place_on_the_line_has_a_dot_and_no_dot_is_off_the_line(
    curve: tuple[np.ndarray, np.ndarray],
) -> None:
    x, y = curve
    along_x, along_y = _sampled(x, y)
    dots = raster.line(x, y, WIDTH, HEIGHT)
    for px, py in zip(along_x, along_y, strict=True):
        if 0 <= px < WIDTH and 0 <= py < HEIGHT:
            assert dots[int(py), int(px)], (px, py)
    for row, column in np.argwhere(dots):
        # Within one column the points' order is not kept: the span covers all of them.
        inside = np.floor(along_x) == column
        assert inside.any()
        assert along_y[inside].min() - 1.2 <= row <= along_y[inside].max() + 0.2


@settings(deadline=None)
@given(st.integers(0, 600), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.01, 0.3]), st.booleans())
def test_thinned_points_draw_the_same_line(count: int, seed: int, broken: float, forwards: bool) -> None:
    random = np.random.default_rng(seed)
    x, y = random.uniform(-5.0, 30.0, count), random.uniform(-3.0, 20.0, count)
    x = np.sort(x) if forwards else x
    x[random.random(count) < broken] = np.nan
    y[random.random(count) < broken] = np.inf
    thin_x, thin_y = raster.thinned(x, y, np.arange(WIDTH + 1, dtype=np.float64))
    assert (raster.line(thin_x, thin_y, WIDTH, HEIGHT) == raster.line(x, y, WIDTH, HEIGHT)).all()
    if forwards and not broken:
        assert len(thin_x) <= 4 * (WIDTH + 2) + 1


@settings(deadline=None)
@given(_CURVES)
def test_points_are_where_they_are(curve: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = curve
    dots = raster.points(x, y, WIDTH, HEIGHT)
    inside = (x >= 0) & (x < WIDTH) & (y >= 0) & (y < HEIGHT)
    assert dots[y[inside].astype(int), x[inside].astype(int)].all()
    assert dots.sum() <= 4 * np.isfinite(x + y).sum()


@settings(deadline=None)
@given(arrays(np.bool_, (12, 10)))
def test_cells_hold_every_dot_in_the_braille_order(dots: np.ndarray) -> None:
    for row, text in enumerate(raster.text(raster.cells(dots))):
        for column, character in enumerate(text):
            code = 0x2800 if character == " " else ord(character)
            tile = dots[4 * row : 4 * row + 4, 2 * column : 2 * column + 2]
            # Unicode 16, block 2800: dots 1-3 and 7 down the left, 4-6 and 8 down the right.
            order = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1)]
            assert code - 0x2800 == sum(int(tile[place]) << bit for bit, place in enumerate(order))


def _sampled(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places along the line, dense enough that each dot it crosses is met."""
    xs, ys = [], []
    finite = np.isfinite(x) & np.isfinite(y)
    for at in range(len(x)):
        if not finite[at]:
            continue
        xs.append(x[at : at + 1])
        ys.append(y[at : at + 1])
        if at + 1 < len(x) and finite[at + 1]:
            part = np.linspace(0.0, 1.0, 801)[1:-1]
            xs.append(x[at] + part * (x[at + 1] - x[at]))
            ys.append(y[at] + part * (y[at + 1] - y[at]))
    if not xs:
        return np.empty(0), np.empty(0)
    return np.concatenate(xs), np.concatenate(ys)
