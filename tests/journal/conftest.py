"""Where these tests write, and what they need."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import small_disk
from memory import in_memory

collect_ignore = [] if small_disk.available() else ["test_real_disks.py"]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A fresh folder, in memory where there is such a thing."""
    with tempfile.TemporaryDirectory(dir=in_memory()) as folder:
        yield Path(folder).resolve()


@pytest.fixture
def fallback(tmp_path: Path) -> Path:
    (tmp_path / "fallback").mkdir()
    return tmp_path / "fallback"
