"""Every entry point that pyproject.toml promises is there and is what its group says."""

from __future__ import annotations

import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest

from hilcycler import registry
from hilcycler.channel import Driver
from hilcycler.twin import Twin, TwinRequest
from hilcycler_simulators import virtual_time

GROUPS = ("drivers", "twins", "cells", "experiments", "evaluations")


def _declared(root: Path) -> dict[str, dict[str, str]]:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    return {"console_scripts": project["scripts"], **project["entry-points"]}


def test_what_is_installed_is_what_the_project_declares(root: Path) -> None:
    """Fails after an edit of pyproject.toml until the environment is renewed by start.py."""
    installed: dict[str, dict[str, str]] = {}
    for entry in distribution("hilcycler").entry_points:
        installed.setdefault(entry.group, {})[entry.name] = entry.value
    assert installed == _declared(root)


def test_every_entry_point_loads() -> None:
    for entry in distribution("hilcycler").entry_points:
        assert entry.load() is not None, entry


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_that_the_service_asks_for_has_a_member(group: str) -> None:
    assert registry.names(group)


def test_every_driver_is_a_driver_and_says_what_hardware_it_met() -> None:
    for name in registry.names("drivers"):
        driver = registry.driver(name)
        assert driver.name == name
        assert driver.models
        assert driver.hardware


def test_the_driver_that_a_twin_names_recognises_it() -> None:
    for name in registry.names("twins"):
        family = registry.twin(name)
        driver = registry.driver(family.driver)
        twin = family.make(TwinRequest(model=family.models[0], cell=registry.cells()[0].names()[0]))

        async def identify(driver: Driver = driver, twin: Twin = twin) -> str:
            async with driver.open(twin.connect) as channel:
                return channel.instrument.model

        model = virtual_time.run(identify())
        assert any(model in offered for offered in driver.models), (model, driver.models)
