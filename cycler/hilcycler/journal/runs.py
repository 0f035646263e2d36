"""Run files in a data folder: their names, and which of them is meant."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hilcycler.clock import wall_clock
from hilcycler.errors import RequestError

SUFFIX: Final = ".run.sqlite"

_ID = re.compile(r"[0-9a-z][0-9a-z-]{0,63}", re.ASCII)
_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"  # without i, l, o, u: read aloud without mistakes


def new_run_id() -> str:
    """A name for a new run: the UTC date, then chance. What people call the run is metadata."""
    day = datetime.fromtimestamp(wall_clock(), UTC).strftime("%Y%m%d")
    return f"{day}-{''.join(secrets.choice(_LETTERS) for _ in range(8))}"


def run_path(folder: Path, run: str) -> Path:
    """Where the file of `run` lies. RequestError for an id that is not made as ours are."""
    if _ID.fullmatch(run) is None:
        raise RequestError(
            f"run id {run!r}: expected letters a-z, digits and hyphens, as in 20260131-7k2m9xq4"
        )
    return folder / f"{run}{SUFFIX}"


def lock_path(path: Path) -> Path:
    """The lock that belongs to the run file at `path`."""
    return path.with_name(path.name.removesuffix(SUFFIX) + ".lock")
