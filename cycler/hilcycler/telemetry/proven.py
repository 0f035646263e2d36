"""What the lab has confirmed, kept on the bench over restarts. Losing it costs a repetition, no data."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

NAME = "telemetry.json"


@dataclass(frozen=True, slots=True)
class Proven:
    """Of one run: rows, events and findings stored; `done`: the run has ended and all of it is."""

    rows: int = 0
    events: int = 0
    results: int = 0
    done: bool = False


_KNOWN: TypeAdapter[dict[str, dict[str, Proven]]] = TypeAdapter(dict[str, dict[str, Proven]])


class Confirmed:
    """The file in the data folder; one entry a run for each receiver (`whom`)."""

    def __init__(self, folder: Path, whom: str) -> None:
        self._path, self._whom = folder / NAME, whom
        self._all = self._read()
        self._runs = self._all.setdefault(whom, {})
        self._changed = False

    def of(self, run: str) -> Proven:
        return self._runs.get(run, Proven())

    def set(self, run: str, proven: Proven) -> None:
        if self._runs.get(run) != proven:
            self._runs[run] = proven
            self._changed = True

    def save(self) -> None:
        """Write it if something changed; whole or not at all."""
        if not self._changed:
            return
        plain = {whom: {run: asdict(each) for run, each in runs.items()} for whom, runs in self._all.items()}
        beside = self._path.with_name(f".{NAME}.{os.getpid()}")
        try:
            beside.write_text(json.dumps(plain), "utf-8")
            beside.replace(self._path)
        except OSError:
            beside.unlink(
                missing_ok=True
            )  # a full disk is the journal's business; here it costs a repetition
            return
        self._changed = False

    def _read(self) -> dict[str, dict[str, Proven]]:
        try:
            return _KNOWN.validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return {}
