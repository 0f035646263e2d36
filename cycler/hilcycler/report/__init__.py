"""Figures of a run, as papers print them."""

from hilcycler.report.figures import report

__all__ = ["report"]
