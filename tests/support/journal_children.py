"""What the journal's tests do in processes of their own, so that they can be killed."""

from __future__ import annotations

import asyncio
from multiprocessing.synchronize import Event
from pathlib import Path

from hilcycler.journal import Journal


def hold(path: str, held: Event, done: Event) -> None:
    """Reopen a run, say so, and keep it until told otherwise."""

    async def keep() -> None:
        async with Journal.reopen(Path(path)):
            held.set()
            done.wait(30)

    asyncio.run(keep())
