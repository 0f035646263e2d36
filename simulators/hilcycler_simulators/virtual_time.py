"""Virtual time: an asyncio loop whose clock jumps to the next timer when all is idle.

Only what lives inside the process exists here: memory links and plain coroutines. Bytes on a pty
or a socket travel through the kernel and are not there yet when the loop asks, so the clock would
jump past them; threads are invisible altogether. Both are refused.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

from hilcycler.quantities import Second

_T = TypeVar("_T")


class Deadlock(RuntimeError):
    """Everybody waits and no timer is set: in real time this would hang for ever."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` starts at zero and moves only by jumps."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Jumping(self))
        # How early asyncio may fire a timer. Its default is so small that beyond some 10^7 s the
        # jump's rounding error would leave a timer undue and the loop spinning.
        self._clock_resolution = 1e-6

    def time(self) -> Second:
        return self._now

    def jump(self, seconds: Second) -> None:
        self._now += seconds

    def run_in_executor(self, *args: object) -> NoReturn:
        """Refuse: a thread's work would take no virtual time, or for ever."""
        raise RuntimeError(f"threads do not exist in virtual time: {args!r}")


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Like `asyncio.run`, in virtual time. Deadlock if nothing can ever happen again."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


class _Jumping(selectors.SelectSelector):
    """Looks, never waits; when there is nothing to do it moves the clock to the next timer."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:  # noqa: ANN401
        if self.get_map():  # the first is the loop's own wake-up socket
            raise RuntimeError("no files or sockets in virtual time: use a memory link")
        return super().register(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            waiting = sorted(task.get_name() for task in asyncio.all_tasks(self._loop))
            raise Deadlock(f"nothing is ready and no timer is set; waiting: {', '.join(waiting)}")
        if timeout > 0:
            self._loop.jump(timeout)
        return ready
