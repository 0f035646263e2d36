"""Acceptance 4: each profile shows its paper's numbers, or says why it cannot.

The whole table is printed by `cycler cells headlines` (half a minute of one processor). By default the
tests measure what is quick; HEADLINES=all measures every profile.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from hilcycler_simulators.cells import catalogue
from hilcycler_simulators.cells.headlines import rows
from hilcycler_simulators.cells.targets import Comparison

QUICK = [
    "li-li/bn-pp",
    "li-li/pp",
    "li-li/wng-control",
    "li-li/pota-bare",
    "na-na/bn-pp",
    "li-cu/pota-no3",
    "li-cu/wng",
    "li-s/bn-pp",
    "li-s/pp",
    "li-lco/pota-no3-np",
    "ss-ss/wng",
]
MEASURED = list(catalogue.names()) if os.environ.get("HEADLINES") == "all" else QUICK


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.timeout(600)
def test_a_profile_shows_its_papers_numbers(name: str) -> None:
    found = list(rows([name]))
    missed = [f"{row.quantity}: {row.twin} for {row.published}" for row in found if row.verdict == "missed"]
    assert not missed
    unexplained = [row.quantity for row in found if row.verdict == "cannot hold" and not row.reason]
    assert not unexplained


def test_every_variant_of_the_five_papers_has_a_profile() -> None:
    """Modified and control, cell by cell as the papers have them."""
    names = set(catalogue.names())
    expected = {
        *(
            f"li-li/{each}"
            for each in ("wng", "wng-control", "bn-pp", "pp", "bn-pp-carbonate", "pp-carbonate")
        ),
        *(f"li-li/wn-mo2n{each}" for each in ("", "-wn", "-mo2n", "-hcn", "-foil")),
        *(
            f"li-li/{each}"
            for each in ("limmt", "limmt-pe", "pota-no3", "pota-no3-10um", "pota-pf6", "pota-tfsi")
        ),
        *("li-li/pota-bare", "li-li/pota-bare-carbonate", "na-na/bn-pp", "k-k/bn-pp"),
        *(f"li-cu/{each}" for each in ("wng", "wng-control", "bn-pp", "pp", "limmt", "limmt-pe")),
        *("li-cu/pota-no3", "li-cu/pota-bare"),
        *(f"ss-ss/{each}" for each in ("wng", "wng-ng", "wng-w2n3", "wng-control", "bn-pp", "pp")),
        *(f"li-lfp/{each}" for each in ("wng", "wng-control", "bn-pp", "pp", "bn-pp-thick", "pp-thick")),
        *("li-lfp/limmt", "li-lfp/limmt-pe", "li-s/bn-pp", "li-s/pp"),
        *(f"li-ncm523/{each}" for each in ("bn-pp", "pp", "limmt", "limmt-thick", "limmt-pe")),
        *(f"li-ncm811/wn-mo2n{each}" for each in ("", "-wn", "-hcn", "-foil", "-thick", "-lean")),
        *("li-ncm811/pota-no3", "li-ncm811/pota-bare"),
        *(f"li-lco/pota-{each}" for each in ("no3", "bare", "no3-np", "bare-np", "pf6", "tfsi")),
    }
    assert expected <= names


def test_a_published_bound_must_be_exceeded_and_a_failure_matched() -> None:
    """A bound that the twin only just misses is missed; a short half a cycle off is still met."""
    bound = Comparison("life", 1400.0, 1399.0, 0.0, "h", "", at_least=True)
    assert not bound.met
    assert replace(bound, twin=1402.0).met
    short = Comparison("short", 308.0, 309.0, 1.0, "h", "")
    assert short.met
    assert not replace(short, twin=310.0).met
    assert not replace(short, twin=float("nan")).met
