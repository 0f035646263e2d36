"""What the documents about protocols and evaluations show as files and code is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hilcycler.cell import Cell, Electrode
from hilcycler.language import FileError, describe, experiments, loads
from hilcycler.language.models import Item

DOCS = Path(__file__).parents[2] / "docs"
PROTOCOLS = (DOCS / "protocols.md").read_text("utf-8")
FILES = re.findall(r"^```yaml\n(.*?)^```$", PROTOCOLS, re.MULTILINE | re.DOTALL)
CELL = Cell("any", Electrode("Li", active_mass=1e-5), Electrode("Li"), area=1e-4, nominal_capacity=7.2)


@pytest.mark.parametrize("text", FILES, ids=lambda text: text.partition(": ")[2].splitlines()[0])
def test_a_file_that_is_shown_is_right(text: str) -> None:
    document = loads(text, "docs/protocols.md")
    assert len(describe(document.bind())) > 2, "each shows its own cell"


def test_the_faults_that_are_shown_are_those_that_are_told() -> None:
    shown = re.search(r"expected:\n\n```\n(.*?)```", PROTOCOLS, re.DOTALL)
    assert shown is not None
    wrong = FILES[0].replace("rest: 10 min", "rest: {for: 10}").replace("plate: {current", "plate: {curent")
    with pytest.raises(FileError) as caught:
        loads(wrong, "my.yaml")
    assert str(caught.value) == shown[1].strip()


def test_every_step_and_every_experiment_is_named() -> None:
    named = set(re.findall(r"`([^`\n]+)`", PROTOCOLS))
    assert {*Item.kinds(), *experiments()} - {"repeat", "group", "every", "in cycles"} <= named
    assert {"group", "every", "in cycles"} <= named
