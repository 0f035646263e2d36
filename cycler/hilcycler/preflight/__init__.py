"""Preflight: a protocol read, rehearsed on a simulated cell, and reported before a cell is touched.

`preflight` does all of it and returns a `Report`. No simulator is imported: twins come by entry points.
"""

from hilcycler.preflight.findings import Finding, Severity
from hilcycler.preflight.rehearsal import Rehearsed, rehearse
from hilcycler.preflight.report import Report, in_words, preflight, unreadable

__all__ = [
    "Finding", "Rehearsed", "Report", "Severity", "in_words", "preflight", "rehearse", "unreadable",
]  # fmt: skip
