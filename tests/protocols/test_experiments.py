"""The experiments: what each writes with its defaults, and what its parameters change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hilcycler import registry
from hilcycler.cell import Cell, Electrode
from hilcycler.errors import RequestError
from hilcycler.language import (
    FileError,
    describe,
    experiment,
    experiments,
    loads,
    of_experiment,
    outside,
    template,
    to_yaml,
    tree_of,
    written_out,
)
from hilcycler.protocol import Envelope, Group, Insert, Node, Protocol, Repeat, ends_of, walk
from hilcycler.steps import (
    STOP,
    ChargeReached,
    ConstantCurrent,
    ConstantCurrentConstantVoltage,
    ConstantVoltage,
    CurrentSettled,
    PotentiostaticImpedance,
    Process,
    Step,
    StepResult,
    VoltageAbove,
)

CELL = Cell("c", Electrode("LFP", active_mass=12e-6), Electrode("Li"), area=1e-4, nominal_capacity=7.2)
ALL = [
    "aurbach-ce", "bruce-vincent", "conductivity", "coulombic-efficiency", "full-cell", "galvanostatic-nucleation",
    "gitt", "impedance", "open-circuit", "potentiostatic-nucleation", "staged-plating", "symmetric-cycling",
    "temperature-series", "voltammetry",
]  # fmt: skip
ADAPTIVE = ["impedance-until-steady", "symmetric-until-short"]


def built(name: str, **parameters: str) -> Protocol:
    return of_experiment(name, {key.replace("_", " "): value for key, value in parameters.items()}).bind(CELL)


def nested(name: str, text: str) -> Protocol:
    """With parameters that are themselves mappings."""
    return loads(f"experiment: {name}\nwith: {text}\n").bind(CELL)


def steps_of(nodes: tuple[Node, ...]) -> Iterator[Step]:
    for node in nodes:
        if isinstance(node, (Repeat, Group, Insert)):
            yield from steps_of(node.body)
        else:
            yield node


def kinds(protocol: Protocol) -> list[str]:
    return [getattr(step, "process", None) or step.kind for step in steps_of(protocol.body)]


def test_there_are_fourteen_and_two_that_decide_as_they_go() -> None:
    assert experiments() == sorted([*ALL, *ADAPTIVE])
    assert [name for name in experiments() if experiment(name).decide is not None] == ADAPTIVE


@pytest.mark.parametrize("name", [*ALL, *ADAPTIVE])
def test_every_parameter_is_documented_and_every_experiment_says_where_it_comes_from(name: str) -> None:
    found = experiment(name)
    assert found.name == name
    assert found.summary
    assert found.seeds
    assert found.parameters.__doc__
    for key, field in found.parameters.model_fields.items():
        assert field.description, key
        assert not field.is_required(), key


@pytest.mark.parametrize("name", ALL)
def test_what_it_writes_can_be_kept_and_edited(name: str) -> None:
    """The long form, written out as a file, means what the short form means."""
    found = experiment(name)
    tree = tree_of(found.build(found.parameters()))
    assert isinstance(tree, dict)
    assert loads(to_yaml(tree)).bind(CELL) == built(name)


@pytest.mark.parametrize("name", ALL)
def test_a_file_to_begin_with_means_the_same_and_shows_every_parameter(name: str) -> None:
    text = template(name)
    assert loads(text).bind(CELL) == built(name)
    for key in experiment(name).parameters.key_names():
        assert f"  {key}: " in text or f"  # {key}: " in text
    assert loads(written_out(name)).bind(CELL) == built(name)


@pytest.mark.parametrize("name", [*ALL, *ADAPTIVE])
def test_the_cell_of_a_file_to_begin_with_is_one_that_it_can_run_on(name: str) -> None:
    document = loads(template(name).replace("# cell: ", "cell: "))
    assert document.cell is not None
    assert len(describe(document.bind())) > 2
    assert set(document.evaluations) <= set(registry.names("evaluations"))


def test_what_is_commented_out_in_a_file_to_begin_with_can_be_used() -> None:
    text = template("symmetric-cycling", {"current": "2 mA/cm2"})
    assert "  current: 2 mA/cm2 " in text
    all_used = "\n".join(
        line.replace("  # ", "  ", 1) if ": {" in line or "every: " in line else line
        for line in text.splitlines()
    )
    assert kinds(loads(all_used).bind(CELL)).count("peis") == 3


@pytest.mark.parametrize("name", [*ALL, *ADAPTIVE])
def test_no_set_point_lies_outside_its_own_safety_limits(name: str) -> None:
    protocol = built(name)
    assert [
        outside(step, protocol.safety) for step in steps_of(protocol.body) if outside(step, protocol.safety)
    ] == []


@pytest.mark.parametrize("name", [*ALL, *ADAPTIVE])
def test_a_misspelt_parameter_is_named(name: str) -> None:
    with pytest.raises(FileError, match=f"{name}: with.crurent: is not a key here"):
        built(name, crurent="1 mA")


def test_symmetric_cycling_by_default_is_plate_and_strip() -> None:
    protocol = built("symmetric-cycling", current="2 mA/cm2", capacity="1 mAh/cm2", cycles="7")
    assert kinds(protocol) == ["rest", Process.PLATE, Process.STRIP]
    repeat = protocol.body[1]
    assert isinstance(repeat, Repeat)
    assert repeat.times == 7
    plate = repeat.body[0]
    assert isinstance(plate, ConstantCurrent)
    assert plate.current == pytest.approx(-2e-3)
    assert [end.then for end in plate.ends] == [STOP, "next"]


def test_spectra_frame_the_test_and_follow_a_voltage_limit() -> None:
    """A limit leaves the test for the last spectrum instead of ending the run before it."""
    protocol = nested(
        "symmetric-cycling", "{cycles: 4, spectrum: {}, spectrum every: 2, formation: {cycles: 1}}"
    )
    assert kinds(protocol) == [
        "rest", "rest", "peis", Process.PLATE, Process.STRIP, Process.PLATE, Process.STRIP, "rest", "peis", "rest", "peis",
    ]  # fmt: skip
    plan, seen = walk(protocol), []
    planned = next(plan)
    try:
        while True:
            seen.append(planned.step.kind)
            ended_by = 0 if ends_of(planned.step) else None  # ways out stand first: a voltage limit is met
            planned = plan.send(StepResult(ended_by, 60.0, 0.0, 0.0, 0.0))
    except StopIteration:
        assert seen == ["rest", "rest", "peis", "constant-current", "rest", "peis"]


def test_coulombic_efficiency_is_ended_by_voltage_and_guarded_against_shorts() -> None:
    strip = next(
        step
        for step in steps_of(built("coulombic-efficiency").body)
        if getattr(step, "process", "") == "strip"
    )
    assert isinstance(strip, ConstantCurrent)
    guard, cut_off = strip.ends
    assert isinstance(guard.condition, ChargeReached)
    assert guard.condition.charge == pytest.approx(1.2 * 3.6)
    assert (guard.then, cut_off.condition, cut_off.then) == (STOP, VoltageAbove(0.5), "next")


def test_the_reservoir_method_conditions_fills_cycles_and_empties() -> None:
    protocol = built("aurbach-ce", cycles="3", rest="1 min", rest_before="1 min")
    driven = [
        (step.process, step.name) for step in steps_of(protocol.body) if isinstance(step, ConstantCurrent)
    ]
    assert driven == [
        (Process.PLATE, "conditioning"),
        (Process.STRIP, "stripping the conditioning"),
        (Process.PLATE, "reservoir"),
        (Process.STRIP, "partial stripping"),
        (Process.PLATE, "replating"),
        (Process.STRIP, "final stripping"),
    ]


def test_stages_go_up_and_down() -> None:
    protocol = built("staged-plating", stages="1 mAh/cm2, 3 mAh/cm2, 2.5 mAh/cm2, 0 mAh/cm2", pause="yes")
    charges = [
        (
            step.process,
            next(e.condition.charge for e in step.ends if isinstance(e.condition, ChargeReached)) / 3.6,
        )
        for step in steps_of(protocol.body)
        if isinstance(step, ConstantCurrent)
    ]
    assert [process for process, _ in charges] == [Process.PLATE, Process.PLATE, Process.STRIP, Process.STRIP]
    assert [charge for _, charge in charges] == pytest.approx([1.0, 2.0, 0.5, 3.0])
    assert kinds(protocol).count("pause") == 4


def test_the_polarisation_ends_when_steady_and_its_bias_is_small() -> None:
    hold = next(step for step in steps_of(built("bruce-vincent").body) if isinstance(step, ConstantVoltage))
    assert hold.voltage == pytest.approx(0.01)
    assert hold.versus_open_circuit
    settled = hold.ends[1].condition
    assert isinstance(settled, CurrentSettled)
    assert settled.relative_rate * settled.window == pytest.approx(0.01)
    with pytest.raises(RequestError, match=r"'30 mV' is not small against RT/F \(25.7 mV\)"):
        built("bruce-vincent", bias="30 mV")


def test_a_ladder_of_rates_and_back() -> None:
    protocol = built(
        "full-cell", ladder="0.2 C, 1 C", ladder_cycles="2", and_back="yes", cycles="10", activation="1"
    )
    names = [node.name for node in protocol.body if isinstance(node, Repeat)]
    assert names == ["activation", "rung 1, 0.2 C", "rung 2, 1 C", "rung 3, 0.2 C", "cycling"]


def test_a_full_cell_may_hold_the_upper_voltage_and_begin_with_discharge() -> None:
    protocol = built("full-cell", hold="C/20", first="discharge", activation="1", cycles="1")
    assert kinds(protocol)[1] == Process.DISCHARGE
    held = [step for step in steps_of(protocol.body) if isinstance(step, ConstantCurrentConstantVoltage)]
    assert [step.voltage for step in held] == [4.0, 4.0]


def test_temperatures_up_and_back() -> None:
    lines = describe(built("temperature-series", temperatures="20 degC, 40 degC, 60 degC"))
    assert [line.split("(")[-1] for line in lines if "chamber" in line] == [
        f"{t} degC)" for t in (20, 40, 60, 40, 20)
    ]


def test_one_sweep_for_each_rate() -> None:
    lines = describe(built("voltammetry", kind="cyclic", rates="1 mV/s, 10 mV/s", scans="2"))
    assert sum("2 scans from 0 V to -200 mV to 200 mV and back" in line for line in lines) == 2


def test_galvanostatic_spectra_where_an_amplitude_of_current_is_given() -> None:
    assert kinds(built("impedance", current_amplitude="100 uA rms", spectra="3")) == ["rest", "geis"]


def test_leads_are_measured_like_the_cell() -> None:
    spectra = [
        step for step in steps_of(built("conductivity").body) if isinstance(step, PotentiostaticImpedance)
    ]
    assert {(step.highest, step.lowest, step.amplitude) for step in spectra} == {(1e6, 100.0, 0.01)}
    assert [step.name for step in spectra] == ["leads", "cell"]


def test_an_experiments_own_keys_can_be_set_beside_it() -> None:
    text = (
        "protocol: mine\ncell: {working: Li, counter: Li, area: 1 cm2}\nsafety: {voltage: -0.2 V to 0.2 V}\n"
        "record: {every: 1 s}\nexperiment: symmetric-cycling\nwith: {cycles: 2, voltage limit: 0.1 V}\n"
    )
    protocol = loads(text).bind()
    assert (protocol.name, protocol.safety) == ("mine", Envelope(voltage=(-0.2, 0.2)))
