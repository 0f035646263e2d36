"""The table of traps in docs/evaluation.md names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ABOUT = {
    "conversions", "CE", "CE, reservoir", "overpotential", "lifetime", "nucleation", "conductivity",
    "transference", "exchange current", "Arrhenius", "GITT", "CV", "stability window", "transients", "Sand",
    "cycling", "impedance", "unnoticed",
}  # fmt: skip


def rows() -> list[list[str]]:
    text = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8").split("## Traps")[1]
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_trap_names_a_test_that_exists() -> None:
    for about, trap, answer, test in rows():
        found = NAMED.fullmatch(test)
        assert found is not None, (about, trap, answer)
        assert found[2] in functions(ROOT / found[1]), test


def test_no_subject_is_without_a_trap() -> None:
    assert {row[0] for row in rows()} == ABOUT
