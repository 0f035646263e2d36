"""The threads that write: a few for all runs of a process, so that no disk ever holds up the loop."""

from __future__ import annotations

import heapq
import logging
import os
import threading
from collections.abc import Callable
from itertools import count
from typing import Final

from hilcycler.clock import process_time
from hilcycler.quantities import Second

Job = Callable[[], None]

AT_ONCE: Final = float("-inf")

_log = logging.getLogger(__name__)


class Writers:
    """Runs jobs when they are due, the most urgent first, none of them twice at a time.

    The threads are daemons: a disk that hangs must not keep the process from ending.
    """

    def __init__(self, threads: int = 4) -> None:
        self._threads = threads
        self.forget()

    def forget(self) -> None:
        """Begin anew: in a forked child the jobs and the threads are its parent's."""
        self._change = threading.Condition()
        self._due: dict[Job, Second] = {}
        self._heap: list[tuple[Second, int, Job]] = []
        self._turn = count()
        self._running: set[Job] = set()
        self._waiting_for_the_clock = False
        self._started = False

    def call(self, job: Job, due: Second) -> None:
        """See that `job` begins at `due` by the stopwatch, or earlier. Never waits for a job."""
        with self._change:
            if self._due.get(job, float("inf")) <= due:
                return
            self._due[job] = due
            if job not in self._running:
                self._queue(job)
            if not self._started:
                self._started = True
                for number in range(self._threads):
                    threading.Thread(target=self._work, name=f"journal-{number}", daemon=True).start()

    def _queue(self, job: Job) -> None:
        entry = (self._due[job], next(self._turn), job)
        heapq.heappush(self._heap, entry)
        if self._heap[0] is entry:  # else whoever watches the clock wakes early enough
            self._change.notify_all()

    def _work(self) -> None:
        while True:
            job = self._take()
            try:
                job()
            except Exception:  # noqa: BLE001  (the other runs of this process still need this thread)
                _log.exception("a journal's writer failed in a way that it did not foresee")
            with self._change:
                self._running.discard(job)
                if job in self._due:
                    self._queue(job)

    def _take(self) -> Job:
        """Wait for the next job that is due. One thread watches the clock, the others sleep."""
        with self._change:
            while True:
                job = self._first()
                if job is not None:
                    self._change.notify()
                    return job
                if self._waiting_for_the_clock or not self._heap:
                    self._change.wait()
                    continue
                self._waiting_for_the_clock = True
                self._change.wait(self._heap[0][0] - process_time())
                self._waiting_for_the_clock = False

    def _first(self) -> Job | None:
        while self._heap:
            due, _, job = self._heap[0]
            if self._due.get(job) != due or job in self._running:  # asked for earlier meanwhile, or at work
                heapq.heappop(self._heap)
                continue
            if due > process_time():
                return None
            heapq.heappop(self._heap)
            del self._due[job]
            self._running.add(job)
            return job
        return None


SHARED: Final = Writers()
"""The writers of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=SHARED.forget)
