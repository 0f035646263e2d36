"""The error for a run file that is not as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from hilcycler.errors import JournalError

Part = Literal["structure", "segment", "checkpoint", "block", "event", "seal"]


class Damage(JournalError):
    """Something in a run file is not as it was written.

    `part` says what; `number` is that of a block's first sample or of an event. "structure" is the
    database itself, below our tables.
    """

    def __init__(self, path: Path, part: Part, number: int, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.part, self.number = part, number


@contextmanager
def understanding(path: Path) -> Iterator[None]:
    """Whoever forges checksums may write anything: what we cannot read is a JournalError, not a crash."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise JournalError(f"{path}: holds something that we do not write: {error!r}") from error
