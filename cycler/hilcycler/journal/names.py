"""What run files are called, and where they lie."""

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
_FILE = re.compile(rf"({_ID.pattern})(?:\.([1-9][0-9]*))?{re.escape(SUFFIX)}", re.ASCII)
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


def segment_path(folder: Path, run: str, number: int) -> Path:
    """Where segment `number` of `run` lies; the first one has the run's own name."""
    path = run_path(folder, run)
    return path if number == 1 else folder / f"{run}.{number}{SUFFIX}"


def run_of(path: Path) -> str | None:
    """The id of the run whose first file this is by its name, if it is one."""
    match = _FILE.fullmatch(path.name)
    return match[1] if match and match[2] is None else None


def segments(path: Path, also: Path | None = None) -> list[Path]:
    """The files of one run, from the one at `path` on; later ones lie beside it or in `also`."""
    match = _FILE.fullmatch(path.name)
    found = [path]
    if match is None:
        return found
    number = int(match[2] or 1)
    while True:
        number += 1
        beside = [segment_path(folder, match[1], number) for folder in (path.parent, also) if folder]
        there = [each for each in beside if each.is_file()]
        if not there:
            return found
        found.append(there[0])


def last_segment(path: Path, also: Path | None = None) -> Path:
    """The file in which the run at `path` goes on."""
    return segments(path, also)[-1]


def lock_path(path: Path) -> Path:
    """The lock that belongs to the run file at `path`."""
    return path.with_name(path.name.removesuffix(SUFFIX) + ".lock")


def reserve_path(path: Path) -> Path:
    """The room kept aside for the end of the run at `path`."""
    return path.with_name(path.name.removesuffix(SUFFIX) + ".reserve")
