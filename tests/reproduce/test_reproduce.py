"""The papers' measurements on the twin: every row is accounted for, and what is measured is judged fairly."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from hilcycler import registry
from hilcycler.errors import RequestError
from hilcycler_simulators.reproduce import reproduction
from hilcycler_simulators.reproduce.findings import Measured, Status, judged
from hilcycler_simulators.reproduce.reproducing import reproduce
from hilcycler_simulators.reproduce.rows import PAPERS

ROWS = {"wng": 16, "bn-pp": 17, "wn-mo2n": 14, "limmt": 16, "pota": 25}


@dataclass(frozen=True)
class Compared:
    """What a target says, made up."""

    quantity: str = "overpotential"
    published: float = 15.0
    twin: float = 15.0
    unit: str = "mV"
    at_least: bool = False
    conflict: str = ""


def test_all_88_rows_are_there() -> None:
    assert {paper: list(rows) for paper, rows in PAPERS.items()} == {
        paper: list(range(1, n + 1)) for paper, n in ROWS.items()
    }
    assert sum(len(rows) for rows in PAPERS.values()) == 88


def test_every_row_has_numbers_or_is_executed_or_says_why_not() -> None:
    for rows in PAPERS.values():
        for row in rows.values():
            assert sum((bool(row.numbers), row.executed is not None, bool(row.reason))) == 1, row.what


def test_it_is_found_by_its_entry_point() -> None:
    assert registry.reproduction("seeds") is reproduction


@pytest.mark.parametrize(("paper", "row"), [("nobody", 1), ("wng", 17)])
def test_what_does_not_exist_is_refused(paper: str, row: int) -> None:
    with pytest.raises(RequestError):
        list(reproduction.run([(paper, row, False)], jobs=1))


@pytest.mark.parametrize(
    ("measured", "compared", "status"),
    [
        (15.9, Compared(), Status.PASSED),  # a millivolt is near enough
        (16.1, Compared(), Status.FAILED),
        (101.9, Compared(twin=100.0, published=100.0), Status.PASSED),
        (102.1, Compared(twin=100.0, published=100.0), Status.FAILED),  # 2 % of the truth
        (100.0, Compared(twin=100.0, published=106.0), Status.FAILED),  # 5 % of the paper
        (100.0, Compared(twin=100.0, published=106.0, conflict="no cell can"), Status.PASSED),
        (float("nan"), Compared(), Status.FAILED),
        (1701.0, Compared(twin=1701.0, published=1700.0, at_least=True, unit="h"), Status.PASSED),
        (1699.0, Compared(twin=1701.0, published=1700.0, at_least=True, unit="h"), Status.FAILED),
    ],
)
def test_the_rule(measured: float, compared: Compared, status: Status) -> None:
    assert judged(Measured(measured, "made up"), compared, "cell", None).status is status


@pytest.mark.parametrize(("inside", "status"), [((98.0, 99.0), Status.PASSED), ((98.6, 99.0), Status.FAILED)])
def test_an_interval_must_hold_the_truth(inside: tuple[float, float], status: Status) -> None:
    compared = Compared(twin=98.5, published=98.5, unit="%")
    assert judged(Measured(98.55, "made up", inside), compared, "cell", None).status is status


def test_a_published_number_may_lie_anywhere_in_the_interval() -> None:
    """An ill-conditioned t+ of 0.50 +- 0.03 does not contradict 0.53."""
    compared = Compared(twin=0.53, published=0.53, unit="")
    wide, narrow = (
        judged(Measured(0.50, "made up", reach), compared, "cell", None)
        for reach in ((0.47, 0.53), (0.49, 0.5))
    )
    assert wide.status is Status.PASSED
    assert narrow.status is Status.FAILED


@pytest.mark.parametrize(
    ("paper", "row"),
    [("wng", 1), ("wng", 2), ("wng", 6), ("wng", 12), ("limmt", 4), ("pota", 13)],
    ids=["conductivity", "transference", "resistance", "capacity", "nucleation", "life"],
)
def test_a_row_passes_through_the_wire(paper: str, row: int) -> None:
    outcome = reproduce((paper, row, False))
    assert outcome.status is Status.PASSED, outcome
    assert outcome.numbers


def test_a_row_without_a_number_is_executed() -> None:
    outcome = reproduce(("wng", 3, False))
    assert outcome.status is Status.EXECUTED
    assert "samples" in outcome.reason


def test_what_needs_a_microscope_is_not_done() -> None:
    outcome = reproduce(("wng", 16, False))
    assert outcome.status is Status.NOT_DONE
    assert "microscope" in outcome.reason
