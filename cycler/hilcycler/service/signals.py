"""Signals that end a run in good order: Ctrl-C, a closed terminal, a shutdown."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ENDING = tuple(
    number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None
)


@contextmanager
def on_ending(stop: Callable[[str], None]) -> Iterator[None]:
    """Call `stop` with the signal's name, on the loop, while the block runs; repeats are harmless."""
    loop = asyncio.get_running_loop()
    handled = []
    for number in ENDING:
        try:
            loop.add_signal_handler(number, stop, signal.Signals(number).name)
            handled.append(number)
        except (NotImplementedError, RuntimeError):  # Windows has no loop signal handlers
            signal.signal(number, lambda n, _: loop.call_soon_threadsafe(stop, signal.Signals(n).name))
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
