"""Every measurement of the seed papers has a protocol file, and every file means something.

The rows are those of the papers' own figures and tables, in the order of the text; what is looked at
under a microscope or in a spectrometer has the electrochemistry that comes before it, with a pause.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from hilcycler.language import describe, load
from hilcycler.protocol import walk

LIBRARY = Path(str(files("hilcycler_protocols"))) / "library"
ROWS = {"wng": 16, "bn-pp": 17, "wn-mo2n": 14, "limmt": 16, "pota": 25}
FILES = sorted(LIBRARY.rglob("*.yaml"))


def rows_of(paper: str) -> list[int]:
    return [int(path.name[:2]) for path in FILES if path.parent.name == paper]


@pytest.mark.parametrize("paper", ROWS)
def test_no_measurement_is_unaccounted_for(paper: str) -> None:
    assert sorted(set(rows_of(paper))) == list(range(1, ROWS[paper] + 1))


def test_there_is_nothing_else() -> None:
    assert {path.parent.name for path in FILES} == set(ROWS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_it_loads_binds_and_can_be_told(path: Path) -> None:
    document = load(path)
    protocol = document.bind()
    assert next(walk(protocol)).index == 1
    assert len(describe(protocol)) > 2
    assert document.cell is not None


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_it_says_which_measurement_it_is_and_what_is_ours(path: Path) -> None:
    head = " ".join(
        line.removeprefix("# ") for line in path.read_text("utf-8").splitlines() if line.startswith("#")
    )
    assert re.match(rf"{path.parent.name}, {int(path.name[:2])}: ", head)
    assert "Ours, not in the text: " in head
