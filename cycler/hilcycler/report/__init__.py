"""Figures of a run, as papers print them, and its page."""

from hilcycler.report.figures import report
from hilcycler.report.page import page

__all__ = ["page", "report"]
