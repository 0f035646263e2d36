r"""What a transcript holds, and how it is written: one JSON array a line, `[time, mark, text]`.

    {"flight": 1, "run": "20260131-7k2m9xq4", "driver": "keithley", "utc": ..., "file": 1}
    [0.0, "open", "tcp://10.0.0.7:5025"]
    [0.0, ">", "*IDN?\n"]
    [0.0021, "<", "KEITHLEY INSTRUMENTS,MODEL 2450,04412345,1.7.0\n"]

Times are the loop's seconds, as exact as a float is. Bytes are written as Latin-1, one character a
byte, so that what instruments say stays readable. A last line that a crash has torn is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from hilcycler.errors import JournalError, RequestError
from hilcycler.journal.names import SUFFIX as RUN_SUFFIX
from hilcycler.quantities import Second

FORMAT: Final = 1
SUFFIX: Final = ".jsonl"
LONGEST_LINE: Final = 1 << 20
"""Characters of a line; far beyond what a link hands over at once (64 KiB, escaped)."""

_NAME: Final = re.compile(r"(.+)\.flight-([1-9][0-9]{0,8})\.jsonl", re.ASCII)


@dataclass(frozen=True, slots=True)
class About:
    """Whose conversation this is. `utc` is the wall clock at the loop's time `time`.

    `file` counts from 1 in each process that worked on the run; `part` counts the files of all.
    """

    run: str
    driver: str
    utc: Second
    time: Second
    file: int = 1


@dataclass(frozen=True, slots=True)
class Opened:
    """A link was opened; `name` is what it calls itself."""

    time: Second
    name: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A link could not be opened."""

    time: Second
    why: str


@dataclass(frozen=True, slots=True)
class Sent:
    """Bytes to the instrument."""

    time: Second
    data: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes from the instrument; none is the end of the stream."""

    time: Second
    data: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """The link broke, or (`timeout`) nothing came in time; `sending`: while the last bytes were sent."""

    time: Second
    why: str
    timeout: bool = False
    sending: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """The link was closed from this side."""

    time: Second


@dataclass(frozen=True, slots=True)
class Missing:
    """So many happenings are not here: the disk did not take them in time."""

    time: Second
    count: int


Happening: TypeAlias = Opened | Refused | Sent | Received | Lost | Closed | Missing


@dataclass(frozen=True, slots=True)
class Transcript:
    """A conversation as recorded. `whole`: from its beginning and without holes, so it can be replayed."""

    about: About
    happenings: tuple[Happening, ...]
    whole: bool


def flight_path(folder: Path, run: str, number: int = 1) -> Path:
    """Where part `number` of the conversation of `run` lies."""
    return folder / f"{run}.flight-{number}{SUFFIX}"


def transcript_files(path: Path) -> list[Path]:
    """All parts of the conversation that `path` belongs to: one of them, or the run file. In order."""
    match = _NAME.fullmatch(path.name)
    run = match[1] if match else path.name.removesuffix(RUN_SUFFIX)
    found = [
        (int(each[2]), other)
        for other in path.parent.glob(f"{_literally(run)}.flight-*{SUFFIX}")
        if (each := _NAME.fullmatch(other.name)) and each[1] == run and not other.is_symlink()
    ]
    return [other for _, other in sorted(found)]


def read_transcript(path: Path) -> Transcript:
    """The first process's conversation on the run that `path` is part of. RequestError, JournalError."""
    files = transcript_files(path)
    if not files:
        raise RequestError(f"{path}: no flight recorder's file, and none lies beside it")
    about, happenings = None, list[Happening]()
    whole = _number(files[0]) == 1
    for at, file in enumerate(files):
        head, lines = _read(file)
        if about is not None and head.file == 1:
            break  # another process went on with the run: another conversation
        whole = whole and _number(file) == at + 1
        about = about or head
        happenings += lines
    assert about is not None
    whole = whole and not any(isinstance(each, Missing) for each in happenings)
    return Transcript(about, tuple(happenings), whole)


def header(about: About) -> str:
    """The first line of a file."""
    return json.dumps({"flight": FORMAT, **asdict(about)}) + "\n"


def line(happening: Happening) -> str:
    """One happening as it is written."""
    match happening:
        case Opened(time, text):
            mark = "open"
        case Refused(time, text):
            mark = "refused"
        case Sent(time, data):
            mark, text = ">", data.decode("latin-1")
        case Received(time, data):
            mark, text = "<", data.decode("latin-1")
        case Lost(time, text, timeout, sending):
            mark = "unsent" if sending else "timeout" if timeout else "lost"
        case Closed(time):
            mark, text = "close", ""
        case Missing(time, count):
            mark, text = "missing", str(count)
    return json.dumps([time, mark, text], ensure_ascii=True) + "\n"


def _read(path: Path) -> tuple[About, list[Happening]]:
    happenings: list[Happening] = []
    about: About | None = None
    try:
        with path.open(encoding="ascii") as file:
            for written in _lines(file):
                if about is None:
                    about = _about(json.loads(written))
                elif written.endswith("\n"):
                    happenings.append(_happening(json.loads(written)))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise JournalError(f"{path}: no flight recorder's file, or damaged: {error}") from None
    if about is None:
        raise JournalError(f"{path}: is empty")
    return about, happenings


def _lines(file: Any) -> Iterator[str]:  # noqa: ANN401  (a text file)
    while written := file.readline(LONGEST_LINE):
        if len(written) >= LONGEST_LINE:
            raise ValueError(f"a line is longer than {LONGEST_LINE} characters")
        yield written


def _about(plain: Any) -> About:  # noqa: ANN401  (whatever a file holds)
    if not isinstance(plain, dict) or plain.pop("flight", None) != FORMAT:
        raise ValueError(f"another format than {FORMAT}")
    if not all(isinstance(plain.get(name), str) for name in ("run", "driver")):
        raise TypeError("expected the names of a run and a driver")
    return About(**plain)


def _happening(plain: Sequence[Any]) -> Happening:
    time, mark, text = plain
    if not isinstance(time, float) or not isinstance(text, str):
        raise TypeError("expected a time, a mark and a text")
    match mark:
        case "open":
            return Opened(time, text)
        case "refused":
            return Refused(time, text)
        case ">":
            return Sent(time, text.encode("latin-1"))
        case "<":
            return Received(time, text.encode("latin-1"))
        case "lost" | "timeout":
            return Lost(time, text, mark == "timeout")
        case "unsent":
            return Lost(time, text, sending=True)
        case "close":
            return Closed(time)
        case "missing":
            return Missing(time, int(text))
        case _:
            raise ValueError(f"unknown mark {mark!r}")


def _number(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    assert match is not None
    return int(match[2])


def _literally(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
