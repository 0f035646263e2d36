"""Where a view gets its records from, whatever is behind it: a file, a service, a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hilcycler.records import Record


@dataclass(frozen=True, slots=True)
class Look:
    """What is new, oldest first. `recording`: somebody still writes the run."""

    records: tuple[Record, ...]
    recording: bool


class Feed(Protocol):
    """A run's records, as they come."""

    def look(self) -> Look:
        """What came since the last call. Blocks for a moment; JournalError if it cannot be read."""
        ...
