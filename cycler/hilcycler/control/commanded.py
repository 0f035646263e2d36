"""Who carries out what is asked of a bench from afar: its service, or a run in the foreground itself.

See hilcycler.telemetry.commands.Commanded, which this is for. The service is asked as by anybody else, through
its control socket, so it judges, audits and refuses as it always does.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from hilcycler.control.client import Client, command_for
from hilcycler.errors import CyclerError
from hilcycler.service.desk import Verb
from hilcycler.service.foreground_socket import SUFFIX, ForegroundRuns
from hilcycler.telemetry.commands import Commanded, CommandRefused


class ServiceRuns:
    """The runs of the service whose data folder is `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def pause(self, channel: str, run: str, actor: str, reason: str) -> str:
        """See Commanded."""
        return await asyncio.to_thread(self._ask, Verb.PAUSE, channel, run, actor, reason)

    async def stop(self, channel: str, run: str, actor: str, reason: str) -> str:
        """See Commanded."""
        return await asyncio.to_thread(self._ask, Verb.STOP, channel, run, actor, reason)

    async def safe(self, channel: str, run: str, actor: str, reason: str) -> str:
        """See Commanded."""
        return await asyncio.to_thread(self._ask, Verb.SAFE, channel, run, actor, reason)

    def _ask(self, verb: Verb, channel: str, run: str, actor: str, reason: str) -> str:
        """`run` is what was meant: the service refuses where another one goes on by now."""
        try:
            with Client(self._folder, acting=True) as service:
                command = command_for(service.channel(channel), run=run, actor=actor, reason=reason)
                return service.ask(channel, verb, command).answer
        except CyclerError as error:
            raise CommandRefused(f"{verb.value}: {error}") from None


class BenchRuns:
    """The runs whose files are in `folder`, wherever they go on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def pause(self, channel: str, run: str, actor: str, reason: str) -> str:
        """See Commanded."""
        return await self._of(run).pause(channel, run, actor, reason)

    async def stop(self, channel: str, run: str, actor: str, reason: str) -> str:
        """See Commanded."""
        return await self._of(run).stop(channel, run, actor, reason)

    async def safe(self, channel: str, run: str, actor: str, reason: str) -> str:
        """See Commanded."""
        return await self._of(run).safe(channel, run, actor, reason)

    def _of(self, run: str) -> Commanded:
        """A run in the foreground has a socket of its own beside its file."""
        if (self._folder / f"{run}{SUFFIX}").exists():
            return ForegroundRuns(self._folder)
        return ServiceRuns(self._folder)
