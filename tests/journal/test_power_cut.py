"""The power goes at random instants: nothing acknowledged is missing, and no repair is needed.

Everything that a writing child sends to its run file is noted (see bad_disk); then, for many instants,
what the disk would hold is worked out and opened. HILCYCLER_CUTS=1000 for many.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import journal_children
from bad_disk import BadDisk, Note, PowerCut, read_notes
from journal_children import ACKNOWLEDGED, RUN, acknowledged_path
from run_prefix import check_prefix, finish
from run_stories import count

from hilcycler.errors import JournalError
from hilcycler.journal import State, Verdict, open_run, verify
from hilcycler.journal.names import run_path

SEED = 7


def test_a_power_cut_loses_nothing_acknowledged(tmp_path: Path) -> None:
    written = tmp_path / "written"
    written.mkdir()
    bad = BadDisk(written, tmp_path)
    subprocess.run(
        [sys.executable, journal_children.__file__, "write", written, str(SEED), "150"],
        env=bad.environment,
        check=True,
    )
    notes = list(read_notes(bad.notes))
    assert sum(note.kind == "s" for note in notes) > 50, "the bad disk has not seen what it should"
    chance = random.Random(SEED)
    for number in range(count("HILCYCLER_CUTS", 25)):
        left = tmp_path / f"left-{number}"
        left.mkdir()
        promised = cut(notes[: chance.randrange(len(notes) + 1)], written, left, chance)
        judge(left, promised)


def cut(notes: list[Note], written: Path, left: Path, chance: random.Random) -> tuple[int, int]:
    """Leave what is left after `notes`; the last promise that was given before."""
    disk = PowerCut(written)
    promised = (0, 0)
    for note in notes:
        if note.path == acknowledged_path(written):
            promised = ACKNOWLEDGED.unpack(note.data) if note.kind == "w" else promised
        else:
            disk.take(note)
    disk.leave(left, chance)
    return promised


def judge(left: Path, promised: tuple[int, int]) -> None:
    path = run_path(left, RUN)
    try:
        verdict = verify(path).verdict
    except JournalError:
        assert promised == (0, 0), "a run file that is gone, or not one any more"
        return
    assert verdict is not Verdict.CORRUPT
    taken = check_prefix(path, SEED, promised)
    match open_run(path).state:
        case State.INTERRUPTED if taken:
            finish(path, SEED, taken)
        case State.ENDED | State.SEALED | State.INTERRUPTED:
            pass
        case State.RUNNING:
            raise AssertionError("nobody writes it")
