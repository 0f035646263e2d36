"""Servers for the tests of telemetry: one database cluster a session, a broker for each test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from lab_servers import MOSQUITTO, POSTGRES, Mosquitto, Postgres, make_certificates, need

_numbers = itertools.count()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Postgres]:
    need(POSTGRES)
    postgres = Postgres().start()
    yield postgres
    postgres.remove()


@pytest.fixture
def database(cluster: Postgres) -> str:
    return cluster.database(f"lab{next(_numbers)}")


@pytest.fixture
def make_broker(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    need(MOSQUITTO)
    made: list[Mosquitto] = []

    def make(*lines: str, before: Iterable[str] = ()) -> Mosquitto:
        made.append(Mosquitto(tmp_path, *lines, before=before).start())
        return made[-1]

    yield make
    for each in made:
        each.kill()


@pytest.fixture
def broker(make_broker: Callable[..., Mosquitto]) -> Mosquitto:
    return make_broker()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder
