"""The measurements of the papers on the twin, through the wire, evaluated, beside the published numbers."""

from __future__ import annotations

from hilcycler_simulators.reproduce.reproducing import Reproduction, reproduction

__all__ = ["Reproduction", "reproduction"]
