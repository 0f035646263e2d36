"""Telling systemd how the service is (sd_notify): ready, alive, stopping. Does nothing elsewhere.

The watchdog is stroked by the event loop: while it turns, every sample meets its limits. It is not tied
to the disk: a service that is killed because a disk hangs guards no cell any more.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress

from hilcycler.quantities import Second


def notify(message: str) -> None:
    """Send one datagram to systemd, if it started us; never waits, never raises."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or address[0] not in "/@":
        return
    if address[0] == "@":  # the abstract namespace
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.setblocking(False)
        sender.sendto(message.encode(), address)


def watchdog_period() -> Second | None:
    """How often systemd wants to hear of us, half of its patience; None if it does not ask."""
    try:
        patience = int(os.environ.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    if os.environ.get("WATCHDOG_PID") not in {None, str(os.getpid())} or patience <= 0:
        return None
    return patience / 2e6


async def stroke_the_watchdog() -> None:
    """For ever, as often as is wanted."""
    period = watchdog_period()
    if period is None:
        return
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(period)
