"""Protocols of other programs, in and out. What the other form cannot say is refused by name.

from_unicycler, to_unicycler    aurora-unicycler's JSON
from_pybamm, to_pybamm          PyBaMM's experiment strings
to_pyprobe_readme               the step list that PyProBE filters by
"""

from hilcycler.language.exchange.pybamm import from_pybamm, to_pybamm
from hilcycler.language.exchange.pyprobe import to_pyprobe_readme
from hilcycler.language.exchange.refusals import CannotExpress, Loss
from hilcycler.language.exchange.unicycler_reading import from_unicycler
from hilcycler.language.exchange.unicycler_writing import to_unicycler

__all__ = [
    "CannotExpress",
    "Loss",
    "from_pybamm",
    "from_unicycler",
    "to_pybamm",
    "to_pyprobe_readme",
    "to_unicycler",
]
