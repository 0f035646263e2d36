"""The reader in docs/journal.md, which needs nothing of ours, reads what we write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_stories import story, tell, written_columns

from hilcycler.journal import Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "journal.md"


def the_documented_reader() -> dict[str, Any]:
    code = next(
        part.split("```")[0]
        for part in DOCUMENT.read_text("utf-8").split("```python\n")
        if "def blocks" in part
    )
    names: dict[str, Any] = {}
    exec(compile(code, str(DOCUMENT), "exec"), names)
    return names


def test_the_documented_reader_reads_all_samples(tmp_path: Path) -> None:
    records = story(steps=4, rows=3000, chunk=77)
    path = tell(tmp_path, records, Settings(inline=True, inline_rows=500))
    found = the_documented_reader()["columns"](path)
    expected = written_columns(records)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_the_documented_reader_notices_damage(tmp_path: Path) -> None:
    path = tell(tmp_path, story())
    path.chmod(0o644)
    spoiled = bytearray(path.read_bytes())
    at = spoiled.index(b'{"columns"') + 500
    spoiled[at] ^= 1
    path.write_bytes(spoiled)
    with pytest.raises(AssertionError, match="damaged"):
        the_documented_reader()["columns"](path)
