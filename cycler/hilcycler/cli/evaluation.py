"""Numbers from runs on the command line: evaluate, reproduce."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hilcycler import registry
from hilcycler.cell_book import open_corrected
from hilcycler.cli import app
from hilcycler.cli.files import DATA, JSON, run_path
from hilcycler.cli.output import inert, print_json, say, table
from hilcycler.errors import RequestError
from hilcycler.evaluation import Evaluation, evaluate, in_columns, refusals


@app.command("evaluate")
def evaluate_run(
    run: Annotated[str, typer.Argument(help="Run: its id, the beginning of it, or a file: run, BDF or CSV.")],
    name: Annotated[str, typer.Option("--as", help="Evaluation; `cycler evaluations` lists them.")],
    every: Annotated[
        bool, typer.Option("--every", help="Also what each cycle or spectrum says, not only the summary.")
    ] = False,
    last: Annotated[int | None, typer.Option(min=1, help="Summary over the last N cycles.")] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", help="For a CSV: OURS=THEIRS, as in voltage=Ewe/V (repeat it)."),
    ] = None,
    cell: Annotated[
        Path | None, typer.Option(help="File that describes the cell, for data of another cycler.")
    ] = None,
    data: DATA = None,
    as_json: JSON = False,
) -> None:
    """Evaluate a run, or data of another cycler: every number with its definition, window and error."""
    found_as: Evaluation = registry.evaluation(name)
    recorded = _recorded(run, columns or (), cell, data)
    accumulator, found = evaluate(recorded, found_as)
    summary = list(accumulator.summary(last))
    refused = refusals(accumulator)
    if as_json:
        print_json(
            {
                "evaluation": name,
                "summary": [each.as_dict() for each in summary],
                **({"every": [each.as_dict() for each in found]} if every else {}),
                "refused": refused,
            }
        )
    else:
        table(
            [in_columns(each) for each in [*(found if every else ()), *summary]],
            as_json=False,
            empty="no number",
        )
        for reason in refused[:5]:
            say(f"refused: {inert(reason)}")
        if len(refused) > 5:
            say(f"refused: {len(refused) - 5} more")
    if not summary and not found:
        raise typer.Exit(1)


@app.command()
def evaluations(as_json: JSON = False) -> None:
    """List what can come out of a run."""
    names = registry.names("evaluations")
    rows = [{"evaluation": name, "what it gives": registry.evaluation(name).summary} for name in names]
    table(rows, as_json=as_json, empty="no evaluation is installed")


@app.command()
def reproduce(
    paper: Annotated[
        str | None, typer.Argument(help="One paper only: wng, bn-pp, wn-mo2n, limmt, pota.")
    ] = None,
    row: Annotated[list[int] | None, typer.Option("--row", help="One row only (repeat it).")] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Every hour of every life through the wire; takes much longer.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 2,
    as_json: JSON = False,
) -> None:
    """Redo the papers' measurements on the twin, through the wire, beside its truth and the published."""
    if row and paper is None:
        raise RequestError("--row needs the paper it is a row of")
    outcomes = []
    for name in registry.names("reproductions"):
        offered = registry.reproduction(name)
        papers = [paper] if paper else list(offered.papers())
        tasks = [(each, at, whole) for each in papers for at in (row or offered.rows(each))]
        for outcome in offered.run(tasks, jobs):
            outcomes.append(outcome)
            if not as_json:
                _tell(outcome)
    counted = {
        str(status): sum(str(each.status) == str(status) for each in outcomes)
        for status in ("passed", "failed", "executed", "not done")
    }
    if as_json:
        print_json({"rows": [each.as_dict() for each in outcomes], "count": counted})
    else:
        say(", ".join(f"{count} rows {status}" for status, count in counted.items()))
    if counted["failed"]:
        raise typer.Exit(1)


def _tell(outcome: Any) -> None:  # noqa: ANN401  (a plug-in's own type)
    say(f"{outcome.paper} {outcome.row:<3} {outcome.status:<9} {outcome.what}" + _because(outcome.reason))
    for number in outcome.numbers:
        bound = ">" if number.at_least else ""
        between = "" if number.interval is None else f" [{number.interval[0]:.5g}, {number.interval[1]:.5g}]"
        say(
            f"    {number.status:<7} {number.cell}: {number.quantity}: measured {number.measured:.5g}{between}, "
            f"truth {number.truth:.5g}, published {bound}{number.published:.5g} {number.unit}".rstrip()
        )
        say(f"            {number.rule}; {number.how}" + _because(number.conflict))


def _because(reason: str) -> str:
    return f" ({inert(reason)})" if reason else ""


def _recorded(run: str, columns: Sequence[str], cell: Path | None, data: Path | None) -> Any:  # noqa: ANN401  (a run, or data like one)
    path = Path(run)
    if path.is_file() and path.suffix.lower() in {".csv", ".txt", ".mpt", ".parquet"}:
        from hilcycler.importing import read

        return read(path, dict(_mapping(each) for each in columns), cell)
    if columns or cell is not None:
        raise RequestError("--column and --cell belong to data of another cycler; a run file knows both")
    return open_corrected(run_path(run, data))


def _mapping(text: str) -> tuple[str, str]:
    ours, equals, theirs = text.partition("=")
    if not equals or not ours or not theirs:
        raise RequestError(f"--column {text}: expected OURS=THEIRS, as in voltage=Ewe/V")
    return ours.strip(), theirs.strip()
