"""Work that may have to wait for a disk, done beside the loop: no disk ever holds up a channel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from hilcycler.journal.writers import AT_ONCE, Writers

_T = TypeVar("_T")

_THREADS: Final = Writers(threads=2)
"""Daemons, and not those of the runs' journals: a bench file that hangs must not keep a run from its disk."""


async def apart(work: Callable[[], _T], *, inline: bool = False) -> _T:
    """What `work` returns or raises, from a thread of its own; `inline`: here and now, for virtual time."""
    if inline:
        return work()
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def settle(result: _T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def job() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:  # noqa: BLE001  (raised again in the caller's task)
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    _THREADS.call(job, AT_ONCE)
    return await done
