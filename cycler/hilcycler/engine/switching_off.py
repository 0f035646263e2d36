"""How a run ends, and that switching off is not to be interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hilcycler.records import OffState, Outcome


class Ending(Exception):
    """The run is over: `outcome`, why, and what is known of the output if it was switched off."""

    def __init__(self, outcome: Outcome, reason: str, off: OffState | None = None) -> None:
        super().__init__(reason)
        self.outcome, self.reason, self.off = outcome, reason, off


async def uninterrupted(safe: Callable[[], Awaitable[OffState]]) -> OffState:
    """Switch off to the end, however often somebody asks us to hurry; bounded by `safe` itself."""
    switching = asyncio.ensure_future(safe())
    while not switching.done():
        try:
            await asyncio.shield(switching)
        except asyncio.CancelledError:
            continue
        except Exception:  # noqa: BLE001  (a driver that raises here is wrong, and the output unknown)
            break
    return OffState.UNCONFIRMED if switching.exception() is not None else switching.result()
