"""A run in the foreground is asked by its own user only, wherever its folder lies and whatever lay there before."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hilcycler.errors import RequestError
from hilcycler.records import OffState
from hilcycler.service.foreground_socket import SUFFIX, ForegroundRuns, Requests
from hilcycler.telemetry.commands import CommandRefused

RUN = "20260101-testtest"


def with_run(folder: Path, ask: Callable[[ForegroundRuns], Awaitable[object]]) -> list[tuple[str, str]]:
    """Ask a run that ends when it is told to; what it was told."""
    told: list[tuple[str, str]] = []

    async def main() -> None:
        asked = asyncio.Event()

        def stop(actor: str, reason: str) -> None:
            told.append((actor, reason))
            asked.set()

        async with Requests(folder, RUN, stop) as requests, asyncio.TaskGroup() as group:

            async def end_when_told() -> None:
                await asked.wait()
                requests.over(OffState.OFF)

            ending = group.create_task(end_when_told())
            await ask(ForegroundRuns(folder))
            ending.cancel()

    asyncio.run(main())
    return told


def test_it_stops_and_says_what_became_of_the_output(tmp_path: Path) -> None:
    """Also in a folder whose name is longer than a socket's address may be."""
    folder = tmp_path / ("deep" * 30) / ("deeper" * 20)
    folder.mkdir(parents=True)
    answers: list[str] = []

    async def ask(runs: ForegroundRuns) -> None:
        (found,) = folder.iterdir()
        assert stat.S_IMODE(found.stat().st_mode) == 0o600
        answers.append(await runs.stop("ch1", RUN, "ada", "smoke"))

    assert with_run(folder, ask) == [("ada", "smoke")]
    assert answers == ["the run has ended, output OFF"]
    assert not list(folder.iterdir())


def test_what_a_process_that_died_left_is_no_hindrance(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / f"{RUN}{SUFFIX}"))
    with pytest.raises(CommandRefused, match="nobody answers for run"):
        asyncio.run(ForegroundRuns(tmp_path).stop("ch1", RUN, "ada", ""))
    assert with_run(tmp_path, lambda runs: runs.safe("ch1", RUN, "ada", "")) == [("ada", "")]


def test_it_cannot_pause_and_does_not_listen_to_nonsense(tmp_path: Path) -> None:
    async def ask(runs: ForegroundRuns) -> None:
        with pytest.raises(CommandRefused, match="cannot pause"):
            await runs.pause("ch1", RUN, "ada", "")
        for nonsense in (b"\n", b"[]\n", b"[" * 3000 + b"\n", b"x" * 9000 + b"\n", b'{"verb": "start"}\n'):
            reader, writer = await asyncio.open_unix_connection(tmp_path / f"{RUN}{SUFFIX}")
            writer.write(nonsense)
            assert await reader.read() == b""
            writer.close()
        reader, writer = await asyncio.open_unix_connection(tmp_path / f"{RUN}{SUFFIX}")
        writer.write(b'{"verb": "start", "actor": "", "reason": ""}\n')
        assert "cannot start" in json.loads(await reader.read())["refused"]
        writer.close()

    assert with_run(tmp_path, ask) == []


def test_a_run_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="run id"):
        asyncio.run(ForegroundRuns(tmp_path).stop("ch1", "../../etc/x", "ada", ""))


def test_a_run_goes_on_where_no_socket_can_be_had(tmp_path: Path) -> None:
    """A folder that is gone stands for a file system without sockets."""
    gone = tmp_path / "gone"

    async def main() -> None:
        async with Requests(gone, RUN, lambda _, __: None) as requests:
            requests.over(OffState.OFF)

    asyncio.run(main())
    assert not gone.exists()
    assert os.listdir(tmp_path) == []  # noqa: PTH208
