"""The papers' headline numbers beside the twin's: `python -m hilcycler_simulators.cells.headlines`.

Every profile states what it is tuned to; each number is measured by cycling the cell itself, as the
paper did, without noise. Rows that cannot hold together with others say why.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby

from rich.console import Console
from rich.table import Table

from hilcycler.errors import RequestError
from hilcycler_simulators.cells.catalogue import catalogue
from hilcycler_simulators.cells.runs import Runs
from hilcycler_simulators.cells.targets import Comparison


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, in words."""

    profile: str
    quantity: str
    published: str
    twin: str
    tolerance: str
    verdict: str
    reason: str
    where: str


def rows(names: Iterable[str] = ()) -> Iterator[Row]:
    """The table, profile by profile; all of the catalogue unless `names` are given."""
    for name in names or catalogue.names():
        profile = catalogue.profile(name)
        runs = Runs(partial(catalogue.make, name, seed=1))
        longest_first = sorted(profile.target, key=lambda target: -target.extent)
        compared = {id(target): list(target.compare(runs)) for target in longest_first}
        for target in profile.target:
            yield from (_row(name, comparison) for comparison in compared[id(target)])


def _row(name: str, found: Comparison) -> Row:
    verdict = "met" if found.met else "cannot hold" if found.conflict else "missed"
    return Row(
        profile=name,
        quantity=found.quantity,
        published=f"{'> ' if found.at_least else ''}{found.published:.4g} {found.unit}".strip(),
        twin=f"{found.twin:.5g} {found.unit}".strip(),
        tolerance="not below" if found.at_least else f"{found.tolerance:.3g} {found.unit}".strip(),
        verdict=verdict,
        reason=found.conflict,
        where=found.where,
    )


def print_table(console: Console, found: Iterable[Row]) -> int:
    """Print the rows by profile; the number of those missed without a reason."""
    missed = 0
    for profile, group in groupby(found, key=lambda row: row.profile):
        table = Table(title=profile, title_justify="left", box=None, pad_edge=False)
        for heading in ("quantity", "published", "twin", "within", "verdict"):
            table.add_column(heading, overflow="fold")
        because = []
        for row in group:
            missed += row.verdict == "missed"
            table.add_row(row.quantity, row.published, row.twin, row.tolerance, row.verdict)
            if row.reason:
                because.append(f"{row.quantity}: {row.reason}")
        console.print(table)
        for reason in because:
            console.print(f"  {reason}", style="italic", markup=False)
        console.print()
    return missed


def main(arguments: list[str]) -> int:
    """`[--json] [PROFILE...]`; 1 if a number is missed without a reason."""
    names = [each for each in arguments if each != "--json"]
    if "--json" in arguments:
        found = list(rows(names))
        print(json.dumps([asdict(row) for row in found], indent=1))
        return int(any(row.verdict == "missed" for row in found))
    console = Console() if sys.stdout.isatty() else Console(width=120)
    return int(print_table(console, rows(names)) > 0)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except RequestError as error:
        sys.exit(f"{error}")
