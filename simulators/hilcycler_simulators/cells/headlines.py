"""The papers' headline numbers beside the twin's: `cycler cells headlines`.

Every profile states what it is tuned to; each number is measured by cycling the cell itself, as the
paper did, without noise. Rows that cannot hold together with others say why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

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
    bound = "> " if found.at_least else ""
    return Row(
        profile=name,
        quantity=found.quantity,
        published=f"{bound}{found.published:.4g} {found.unit}".strip(),
        twin=f"{found.twin:.5g} {found.unit}".strip(),
        tolerance="bound" if bound else f"{found.tolerance:.3g} {found.unit}".strip(),
        verdict=verdict,
        reason=found.conflict,
        where=found.where,
    )
