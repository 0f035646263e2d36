"""A child process that keeps a journal and does what it is told, one order a line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import journal_children
import numpy as np
from bad_disk import BadDisk
from journal_children import RUN

from hilcycler.journal import open_run
from hilcycler.journal.bench import example_samples
from hilcycler.journal.names import run_path

GOOD: Final = ("header", "put 300", "put 10", "commit")
"""Orders that leave 310 samples acknowledged."""


class Child:
    """A process with a journal, and words for it."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self.path = run_path(folder, RUN)
        self.warnings: list[str] = []
        self.opened = self._answer()

    def do(self, *orders: str) -> str:
        """Give orders; the answer to the last one, after all others were done as told."""
        for at, order in enumerate(orders):
            assert self._process.stdin is not None
            self._process.stdin.write(f"{order}\n")
            self._process.stdin.flush()
            answer = self._answer()
            assert answer == "done" or at == len(orders) - 1, answer
        return answer

    def _answer(self) -> str:
        assert self._process.stdout is not None
        words, self.warnings = json.loads(self._process.stdout.readline())
        return str(words)


@contextmanager
def child(folder: Path, bad: BadDisk | None = None, **told: Any) -> Iterator[Child]:
    order = json.dumps({"folder": str(folder), **told}, default=str)
    with subprocess.Popen(
        [sys.executable, journal_children.__file__, "obey", order],
        env=None if bad is None else bad.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Child(process, folder)
        finally:
            process.kill()


def holds(path: Path, rows: int, fallback: Path | None = None) -> bool:
    """Whether exactly the first `rows` samples of the example are there."""
    found = open_run(path, fallback).columns(("voltage",))["voltage"]
    return len(found) == rows and np.array_equal(found, example_samples(0, rows).columns["voltage"])
