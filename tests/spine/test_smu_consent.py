"""An instrument that holds its set-point for ever is not left alone with a cell unless somebody agrees."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from spine import make_twin, order

from hilcycler import registry
from hilcycler.errors import RequestError
from hilcycler.journal import Settings, open_run
from hilcycler.language import loads
from hilcycler.records import Note, OperatorAction, Outcome
from hilcycler.service.consent import HOLDS_FOR_EVER, longest_energised
from hilcycler.service.foreground import Order, Performed, go_on, perform
from hilcycler_simulators.virtual_time import run

LONG = """
protocol: a long half-cycle
safety: {voltage: -1 V to 1 V, current: -10 mA to 10 mA}
record: {every: 10 s}
steps:
  - rest: {for: 10 s}
  - plate: {current: 1 mA, for: 10 min}
"""


def attempt(folder: Path, text: str, accepts: frozenset[str], said: list[str]) -> Performed:
    twin = make_twin("keithley-2450")
    wanted = replace(
        order(twin, twin.connect, folder, text),
        driver=registry.driver("keithley"),
        accepts=accepts,
        announce=said.append,
    )
    return run(perform(wanted, settings=Settings(inline=True)))


def test_without_consent_nothing_is_energised_and_no_file_is_written(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"for ever.*--accept holds-for-ever"):
        attempt(tmp_path, LONG, frozenset(), [])
    assert not list(tmp_path.glob("*.run.sqlite"))


def test_with_consent_it_is_said_before_the_start_and_written_down(tmp_path: Path) -> None:
    said: list[str] = []
    performed = attempt(tmp_path, LONG, frozenset({HOLDS_FOR_EVER}), said)
    assert performed.ended.outcome is Outcome.COMPLETED
    assert len(said) == 1
    events = open_run(performed.path).events()
    (action,) = [each for each in events if isinstance(each, OperatorAction)]
    assert (action.verb, action.reason) == ("accept", said[0])
    notes = [each.text for each in events if isinstance(each, Note)]
    assert any("0 A with the output on; its offset" in each for each in notes), "what a rest costs"


def test_a_run_that_goes_on_asks_again_and_writes_down_the_answer(tmp_path: Path) -> None:
    """The files as they are in the middle of the long step are what a killed process leaves."""
    begun, left = tmp_path / "begun", tmp_path / "left"
    begun.mkdir()
    left.mkdir()

    def wanted(folder: Path) -> Order:
        twin = make_twin("keithley-2450")
        return replace(
            order(twin, twin.connect, folder, LONG),
            driver=registry.driver("keithley"),
            accepts=frozenset({HOLDS_FOR_EVER}),
        )

    async def until_killed() -> None:
        running = asyncio.create_task(perform(wanted(begun), settings=Settings(inline=True)))
        await asyncio.sleep(60.0)
        for each in begun.glob("*.run.sqlite*"):
            shutil.copy(each, left)
        await running

    run(until_killed())
    (path,) = left.glob("*.run.sqlite")
    said: list[str] = []
    again = replace(wanted(left), announce=said.append)
    with pytest.raises(RequestError, match=r"for ever.*--accept holds-for-ever"):
        run(go_on(path, replace(again, accepts=frozenset()), settings=Settings(inline=True)))
    assert open_run(path).ended is None, "nothing was begun"
    performed = run(go_on(path, again, settings=Settings(inline=True)))
    assert performed.ended.outcome is Outcome.COMPLETED
    accepted = [
        each for each in open_run(path).events() if isinstance(each, OperatorAction) and each.verb == "accept"
    ]
    assert [each.reason for each in accepted] == [said[0], said[0]]


def test_short_steps_need_no_consent(tmp_path: Path) -> None:
    said: list[str] = []
    assert (
        attempt(tmp_path, LONG.replace("10 min", "1 min"), frozenset(), said).ended.outcome
        is Outcome.COMPLETED
    )
    assert said == []


@pytest.mark.parametrize(
    ("step", "lasts"),
    [
        ("plate: {current: 1 mA, until: {charge: 1 mAh}}", 3600.0),
        ("plate: {current: 1 mA, until: {charge: 1 mAh}, for: 30 min}", 1800.0),
        ("constant voltage: {voltage: 10 mV, for: 2 h}", 7200.0),
        ("rest: {for: 10 h}", 0.0),
    ],
)
def test_the_longest_step_is_the_one_that_is_bounded_worst(step: str, lasts: float) -> None:
    text = f"protocol: one\nsafety: {{voltage: -1 V to 1 V}}\nsteps:\n  - repeat: 3\n    steps:\n      - {step}\n"
    assert longest_energised(loads(text).bind(make_twin().cell).body) == pytest.approx(lasts)
