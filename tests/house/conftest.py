"""Where the checkout is, and what of it is ours to judge."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("cycler", "drivers", "protocols", "simulators")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def modules(root: Path) -> list[Path]:
    """Every module of the four source roots."""
    return sorted(path for folder in SOURCES for path in (root / folder).rglob("*.py"))
