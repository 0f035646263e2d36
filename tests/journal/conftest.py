"""Where these tests write: in memory, where a sync costs nothing and proves as much about us."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import small_disk

MEMORY = Path("/dev/shm")

collect_ignore = [] if small_disk.available() else ["test_real_disks.py"]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A fresh folder, in memory where there is such a thing."""
    with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
        yield Path(folder).resolve()


@pytest.fixture
def fallback(tmp_path: Path) -> Path:
    (tmp_path / "fallback").mkdir()
    return tmp_path / "fallback"
