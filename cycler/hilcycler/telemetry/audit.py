"""What was asked of the bench by MQTT, and what became of it: one line each, in a file of the data folder."""

from __future__ import annotations

import json
import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hilcycler.quantities import Second

NAME: Final = "commands.jsonl"
MINUTE: Final = 60.0
REFUSALS: Final = 100
"""Refusals a minute that get a line; whoever sends more cannot fill the disk, they are counted."""


@dataclass(slots=True)
class Audit:
    """The file at `path`."""

    path: Path
    _times: deque[Second] = field(default_factory=deque)
    _passed_over: int = 0

    def has_room(self, stopwatch: Second) -> bool:
        """Whether one more refusal gets a line; if not it is counted, and the next line tells how many were."""
        while self._times and stopwatch - self._times[0] > MINUTE:
            self._times.popleft()
        if len(self._times) >= REFUSALS:
            self._passed_over += 1
            return False
        self._times.append(stopwatch)
        return True

    def write(self, **said: object) -> None:
        """Append a line; on disk when this returns. OSError if the disk does not take it."""
        if self._passed_over:
            said["refused_without_a_line_before"] = self._passed_over
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, 0o600)
        try:
            os.write(descriptor, (json.dumps(said) + "\n").encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._passed_over = 0
