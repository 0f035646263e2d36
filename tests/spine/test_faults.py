"""Whole runs on faulty benches, in virtual time: each ends in a named state that is true of the cell.

The invariants, whatever the fault: I1 a run that says OFF has left the output off; I2 the file is
whole and its rows are numbered without gaps; I3 no row says what the instrument did not measure, none
comes twice, and a run that was completed has them all; I4 the run ends with a named outcome and a reason.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from faulty_bench import (
    EVERY_TECHNIQUE,
    HALF_CYCLES,
    KINDS,
    MEASURED_OTHERWISE,
    PLACELESS,
    Told,
    anywhere,
    at_step,
    hold,
    law,
    on,
    places,
    truth,
)

from hilcycler.bench_state import BenchState, Refused
from hilcycler.errors import WrongInstrument
from hilcycler.protocol import Envelope
from hilcycler.records import Failed, OffState, Outcome
from hilcycler_simulators import faults as f
from hilcycler_simulators.faults import At, Fault

SEEDS = int(os.environ.get("HILCYCLER_FAULT_SEEDS", "2"))
"""100 for the whole law."""

TECHNIQUES = ("rest", "CC", "CC-CV", "CV", "CA", "LSV", "CV scan", "PEIS", "GEIS")
PLACED = tuple(kind for kind in KINDS if kind not in PLACELESS)


# --- each kind once, with what must be said ---------------------------------------------------


def test_a_cable_pulled_in_mid_step_and_never_put_back(tmp_path: Path) -> None:
    told = on([f.Unplugged(at=2000)], tmp_path)
    assert told.outcome == (Outcome.FAILED, OffState.UNCONFIRMED)
    (failed,) = [each for each in told.found.events() if isinstance(each, Failed)]
    assert failed.error in {"LinkLost", "LinkTimeout"}


def test_a_cable_put_back_in_time_to_switch_off(tmp_path: Path) -> None:
    told = on([f.Unplugged(at=2000, seconds=1.0)], tmp_path)
    assert told.outcome == (Outcome.FAILED, OffState.OFF)
    assert not told.energised


def test_a_reply_that_comes_after_its_deadline(tmp_path: Path) -> None:
    told = on([f.Delayed(at=2000, seconds=60.0)], tmp_path)
    assert told.outcome[0] is Outcome.FAILED
    hold(told, truth(HALF_CYCLES))


def test_a_firmware_error_that_leaves_the_cell_on_is_followed_by_off(tmp_path: Path) -> None:
    told = on([f.FirmwareError(At(script=2, packages=5), 0x0032)], tmp_path)
    assert told.outcome == (Outcome.FAILED, OffState.OFF)
    assert "overload" in told.reason
    assert not told.energised


@pytest.mark.parametrize("wrong", [f.WrongModel("espico"), f.WrongModel("espbl"), f.Impostor()])
def test_the_wrong_instrument_is_refused_before_anything_is_set(tmp_path: Path, wrong: Fault) -> None:
    with pytest.raises(WrongInstrument):
        on([wrong], tmp_path)
    assert not list(tmp_path.glob("*.run.sqlite"))
    (kept,) = BenchState(tmp_path).entries()
    assert isinstance(kept, Refused)
    assert kept.error == "WrongInstrument"


def test_readings_without_a_value_trip(tmp_path: Path) -> None:
    told = on([f.NotANumber(sample=100)], tmp_path)
    assert told.outcome == (Outcome.TRIPPED, OffState.OFF)
    assert not told.energised


def test_an_output_that_does_not_obey_is_told_as_unconfirmed(tmp_path: Path) -> None:
    told = on([f.StuckOutput(), f.FirmwareError(At(script=2, packages=5), 0x0032)], tmp_path)
    assert told.outcome == (Outcome.FAILED, OffState.UNCONFIRMED)
    assert told.energised


def test_an_envelope_that_is_crossed_trips(tmp_path: Path) -> None:
    told = on([f.OpenLead(time=100.0)], tmp_path)
    assert told.outcome == (Outcome.TRIPPED, OffState.OFF)
    assert Envelope(voltage=(-1.0, 1.0)).first_violation(*_last(told)) is not None


def _last(told: Told) -> tuple[np.ndarray, np.ndarray]:
    columns = told.found.columns()
    return columns["voltage"][-1:], columns["current"][-1:]


# --- every kind anywhere, and at every step ----------------------------------------------------


@pytest.mark.timeout(60 + 10 * SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_any_fault_anywhere(kind: str, tmp_path: Path) -> None:
    """HILCYCLER_FAULT_SEEDS=100 for the whole law; each seed is replayed by its number."""
    for seed in range(SEEDS):
        fault = anywhere(kind, seed)
        law(
            fault,
            tmp_path / str(seed),
            seed=seed,
            text=HALF_CYCLES,
            measured_otherwise=kind in MEASURED_OTHERWISE,
        )


def test_the_steps_are_all_there_are() -> None:
    assert tuple(place.name for place in places(EVERY_TECHNIQUE)) == TECHNIQUES
    assert all(len(place.bytes) > 100 for place in places(EVERY_TECHNIQUE))


@pytest.mark.timeout(60 + 10 * SEEDS * len(TECHNIQUES))
@pytest.mark.parametrize("kind", KINDS)
def test_any_fault_at_every_step(kind: str, tmp_path: Path) -> None:
    """Each technique in its turn is hit; by default one step a seed, with HILCYCLER_FAULT_SEEDS=100 all.

    Faults without a place (XON bytes, acknowledgements run together, a deaf time) are there all the time.
    """
    where = places(EVERY_TECHNIQUE)
    for seed in range(SEEDS):
        hit = where[:1] if kind in PLACELESS else where if SEEDS >= 10 else where[seed::SEEDS][:2]
        for place in hit:
            folder = tmp_path / f"{place.name} {seed}"
            law(
                at_step(kind, place, seed),
                folder,
                seed=seed,
                text=EVERY_TECHNIQUE,
                measured_otherwise=kind in MEASURED_OTHERWISE,
            )


@pytest.mark.parametrize(
    "kind", ["garbage", "dropped", "duplicated", "delayed", "unplugged", "firmware", "nan"]
)
def test_a_seed_replays_byte_for_byte(kind: str, tmp_path: Path) -> None:
    """What is said on the wire, in both directions, and what is on file."""
    place = places(EVERY_TECHNIQUE)[3]
    stories = []
    for again in range(2):
        wire = bytearray()
        told = on([at_step(kind, place, 7)], tmp_path / str(again), seed=7, text=EVERY_TECHNIQUE, wire=wire)
        stories.append((bytes(wire), told.story()))
    assert stories[0] == stories[1]
    assert len(stories[0][0]) > 2000


def test_another_seed_is_another_garbage(tmp_path: Path) -> None:
    wires = []
    for seed in (1, 2):
        wire = bytearray()
        on([f.Garbage(1000, 30)], tmp_path / str(seed), seed=seed, text=EVERY_TECHNIQUE, wire=wire)
        wires.append(bytes(wire))
    assert wires[0] != wires[1]
