"""Is this computer, and is this bench, fit to be left alone with cells? Nothing here energises anything."""

from hilcycler.doctor.bench import examine_bench
from hilcycler.doctor.host import examine_host
from hilcycler.doctor.verdicts import Checked, Verdict

__all__ = ["Checked", "Verdict", "examine_bench", "examine_host"]
