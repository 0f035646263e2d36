"""Protocol files from the command line: check, experiments, new, schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hilcycler import registry
from hilcycler.cell import Cell
from hilcycler.cli import app
from hilcycler.cli.files import JSON
from hilcycler.cli.output import inert, print_json, say, table
from hilcycler.errors import RequestError
from hilcycler.language import (
    FileError,
    describe,
    experiment,
    experiments,
    load,
    load_cell,
    longest_of,
    template,
    written_out,
)
from hilcycler.protocol import count_steps
from hilcycler.quantities import duration
from hilcycler.twin import TwinRequest

if TYPE_CHECKING:
    from hilcycler.preflight import Report

SET = Annotated[
    list[str] | None, typer.Option("--set", help="Parameter of the file or experiment, as name=value.")
]


@app.command()
def check(
    protocol: Annotated[Path, typer.Argument(help="Protocol file (YAML).")],
    cell: Annotated[
        Path | None, typer.Option(help="File that describes the cell; default: the protocol's own.")
    ] = None,
    parameters: SET = None,
    on: Annotated[
        str | None,
        typer.Option("--on", help="Rehearse it: 'twin', or the model to simulate, such as keithley-2450."),
    ] = None,
    profile: Annotated[
        str, typer.Option("--profile", help="Simulated cell to rehearse on; `cycler cells` lists them.")
    ] = "li-li/bn-pp",
    accept: Annotated[
        list[str] | None, typer.Option(help="Code of a warning that you accept; may be repeated.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help="With --on: draw voltage and current against time; .svg, .png or .pdf."),
    ] = None,
    as_json: JSON = False,
) -> None:
    """Read a protocol file, say in words what it does, and with --on rehearse it on a simulated cell.

    --cell takes the file that describes a cell, or, with --on, the name of a simulated one. Exit code
    2: the file is wrong, or rehearsal found an error or a warning that was not accepted.
    """
    if on is not None:
        told = _preflight(protocol, cell, given(parameters), on, profile, as_json=as_json)
        _tell(told, frozenset(accept or ()), plot, as_json=as_json)
        return
    if plot is not None:
        raise RequestError("--plot needs --on: what is drawn is what happens on a simulated cell")
    document = load(protocol, given(parameters))
    bound = document.bind(load_cell(cell) if cell is not None else None)
    words, steps, most = describe(bound), count_steps(bound.body), longest_of(bound.body)
    if as_json:
        print_json({"protocol": bound.name, "steps": steps, "longest s": most, "words": words})
        return
    say(inert(bound.name))
    for line in words:
        say("  " + inert(line))
    say(f"{steps} steps if no end leads elsewhere, {duration(most)} at most")


def _preflight(
    path: Path,
    cell: Path | None,
    parameters: dict[str, str] | None,
    on: str,
    profile: str,
    *,
    as_json: bool,
) -> Report:
    """What is found; a file that means nothing is told here, and ends the command."""
    from hilcycler.preflight import preflight, unreadable

    if cell is not None and not cell.exists():  # no file: the name of a simulated cell
        profile, cell = str(cell), None
    try:
        document = load(path, parameters)
        described = load_cell(cell) if cell is not None else document.cell
        if described is None:
            described = _simulated_label(on, profile)
        bound = document.bind(described)
    except FileError as fault:
        if as_json:
            found = [
                {"code": f.code, "severity": f.severity.value, "message": f.message}
                for f in unreadable(fault)
            ]
            print_json({"protocol": None, "findings": found, "rehearsal": None})
            raise typer.Exit(2) from None
        for finding in unreadable(fault):
            say(inert(finding))
        raise typer.Exit(2) from None
    return preflight(bound, described, on, profile)


def _tell(told: Report, accepted: frozenset[str], plot: Path | None, *, as_json: bool) -> None:
    from hilcycler.preflight import in_words, report
    from hilcycler.preflight.profile import draw

    if as_json:
        print_json(report.as_json(told, accepted))
    else:
        say(inert(told.protocol.name))
        for line in in_words(told):
            say("  " + inert(line))
        for finding in told.findings:
            say(inert(finding) + (" accepted" if finding.code in accepted else ""))
    if plot is not None and told.rehearsed is not None:
        drawn = draw(told.rehearsed.profile.bars, told.protocol.name, plot)
        if not as_json:
            say(f"figure        {drawn}")
    if told.open(accepted):
        raise typer.Exit(2)


def _simulated_label(on: str, profile: str) -> Cell:
    model = "emstat4-hr" if on == "twin" else on
    return registry.twin_family(model).make(TwinRequest(model, profile)).cell


experiments_app = typer.Typer(help="Ready experiments with their parameters.", invoke_without_command=True)
app.add_typer(experiments_app, name="experiments")


@experiments_app.callback()
def list_experiments(context: typer.Context, as_json: JSON = False) -> None:
    """List the experiments, or show one with its parameters: `cycler experiments show NAME`."""
    if context.invoked_subcommand is None:
        rows = [{"experiment": name, "what": experiment(name).summary} for name in experiments()]
        table(rows, as_json=as_json, empty="no experiments are installed")


@experiments_app.command("show")
def show_experiment(
    name: Annotated[str, typer.Argument(help="Experiment, such as symmetric-cycling.")], as_json: JSON = False
) -> None:
    """Print an experiment's parameters, their defaults and what they mean."""
    found = experiment(name)
    rows = [
        {"parameter": field.alias or key, "default": _plain(field.default), "meaning": field.description}
        for key, field in found.parameters.model_fields.items()
    ]
    if not as_json:
        say(f"{found.name}: {inert(found.summary)}")
    table(rows, as_json=as_json, empty="no parameters")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Experiment, such as symmetric-cycling.")],
    parameters: SET = None,
    steps: Annotated[bool, typer.Option("--steps", help="Every step, to be changed at will.")] = False,
) -> None:
    """Print a protocol file that runs an experiment, to keep and to change: `cycler new NAME > my.yaml`.

    Every parameter stands in it with its meaning; --steps writes out every step instead.
    """
    say((written_out if steps else template)(name, given(parameters)).rstrip("\n"))


@app.command()
def schema(
    of: Annotated[str, typer.Argument(help="Which files: protocol or bench.")] = "protocol",
) -> None:
    """Print the JSON Schema of protocol files or of bench.toml, for editors."""
    from hilcycler.bench_file import schema as bench
    from hilcycler.language import schema as protocol

    schemas = {"protocol": protocol.json_schema, "bench": bench.json_schema}
    if of not in schemas:
        raise RequestError(f"cycler schema {of}: expected {' or '.join(schemas)}")
    say(json.dumps(schemas[of](), indent=2, ensure_ascii=False))


def given(parameters: list[str] | None) -> dict[str, str] | None:
    """`--set name=value` options as a mapping."""
    if not parameters:
        return None
    pairs = [each.partition("=") for each in parameters]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise typer.BadParameter(f"--set {name}: expected name=value, such as cycles=200")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _plain(default: object) -> str:
    return "" if default is None else str(default)
