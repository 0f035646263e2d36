"""One flipped bit, or a cut, anywhere in a run file: no value changes and none is dropped unnoticed.

HILCYCLER_FLIPS=10000 and HILCYCLER_CUTS_OFF=500 for the full counts.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from run_stories import Content, count, cut_short, story, tell

from hilcycler.errors import JournalError
from hilcycler.journal import Settings, Verdict, verify
from hilcycler.records import Record

FLIPS = count("HILCYCLER_FLIPS", 150)
CUTS = count("HILCYCLER_CUTS_OFF", 30)
SMALL = Settings(inline=True, inline_rows=100)
"""Many small transactions: many pages, blocks that are written anew, a log that is folded in."""


def the_story() -> list[Record]:
    return story(steps=3, rows=3000)


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Content:
    return Content(tell(tmp_path_factory.mktemp("truth"), the_story(), SMALL))


def read(path: Path) -> Content | None:
    """What a reader gets; None if it is told that something is wrong, in our own words."""
    try:
        return Content(path)
    except JournalError:
        return None


def noticed(path: Path) -> bool:
    try:
        return verify(path).verdict is not Verdict.WHOLE
    except JournalError:
        return True


def flip(path: Path, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0] ^ 1 << bit % 8
        file.seek(bit // 8)
        file.write(bytes([byte]))


def test_no_flip_in_a_sealed_file_changes_a_value_unnoticed(tmp_path: Path, truth: Content) -> None:
    path = tell(tmp_path, the_story(), SMALL)
    path.chmod(0o644)
    chance = random.Random(1)
    harmless = 0
    for _ in range(FLIPS):
        bit = chance.randrange(8 * path.stat().st_size)
        flip(path, bit)
        found = read(path)
        if found is not None:
            assert found.equals(truth), f"bit {bit} changed what is read, and nobody said so"
        if not noticed(path):
            assert found is not None, f"bit {bit}: verified as whole, and yet unreadable"
            harmless += 1
        flip(path, bit)
    assert verify(path).verdict is Verdict.WHOLE
    assert harmless < 0.7 * FLIPS, "a good part of the file is data"


def test_no_cut_of_a_sealed_file_goes_unnoticed(tmp_path: Path, truth: Content) -> None:
    path = tell(tmp_path, the_story(), SMALL)
    chance = random.Random(2)
    for number in range(CUTS):
        copy = tmp_path / f"{number}.run.sqlite"
        shutil.copy(path, copy)
        copy.chmod(0o644)
        with copy.open("r+b") as file:
            file.truncate(chance.randrange(path.stat().st_size))
        found = read(copy)
        assert found is None or found.equals(truth)
        assert noticed(copy)
        copy.unlink()


@pytest.mark.parametrize("side", ["", "-wal"])
def test_no_flip_in_an_unsealed_file_changes_a_value(tmp_path: Path, truth: Content, side: str) -> None:
    """A damaged log may cost its end, which nothing can prove; it never gives another value."""
    original = cut_short(tmp_path / "original", the_story()[:-1], SMALL)
    chance = random.Random(3)
    for number in range(FLIPS // 2):
        path = copied(original, tmp_path / str(number))
        spoiled = path.with_name(path.name + side)
        flip(spoiled, chance.randrange(8 * spoiled.stat().st_size))
        found = read(path)
        assert found is None or found.begins(truth)
        try:
            verdict = verify(path).verdict
        except JournalError:
            verdict = Verdict.CORRUPT
        assert verdict is not Verdict.WHOLE
        assert (found is None) <= (verdict is Verdict.CORRUPT)
        shutil.rmtree(path.parent)


@pytest.mark.parametrize("side", ["", "-wal"])
def test_no_cut_of_an_unsealed_file_changes_a_value(tmp_path: Path, truth: Content, side: str) -> None:
    original = cut_short(tmp_path / "original", the_story()[:-1], SMALL)
    chance = random.Random(4)
    for number in range(CUTS):
        path = copied(original, tmp_path / str(number))
        spoiled = path.with_name(path.name + side)
        with spoiled.open("r+b") as file:
            file.truncate(chance.randrange(spoiled.stat().st_size))
        found = read(path)
        assert found is None or found.begins(truth)
        shutil.rmtree(path.parent)


def copied(path: Path, folder: Path) -> Path:
    shutil.copytree(path.parent, folder)
    return folder / path.name
