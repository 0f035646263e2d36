"""A service and its control API together, until somebody says that it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack

from hilcycler.bench_file import Bench
from hilcycler.control.api import application
from hilcycler.control.places import bound
from hilcycler.control.serving import served
from hilcycler.service.keeper import Policies
from hilcycler.service.signals import on_ending
from hilcycler.service.supervisor import Service


async def host(bench: Bench, policies: Policies, ready: Callable[[Service], None]) -> None:
    """Keep `bench` and answer its sockets until SIGTERM or Ctrl-C. `ready` is told once they are open.

    RequestError if another service has the data folder, JournalError if the bench's chain is damaged.
    """
    bench.data.mkdir(parents=True, exist_ok=True)
    service, over = Service(bench, policies), asyncio.Event()
    with on_ending(lambda _: over.set()):
        async with service.kept():
            with ExitStack() as stack:
                view, control = stack.enter_context(bound(bench))
                looking, acting = application(service, control=False), application(service, control=True)
                async with served(looking, view), served(acting, control):
                    ready(service)
                    await over.wait()
                    service.ending.set()
