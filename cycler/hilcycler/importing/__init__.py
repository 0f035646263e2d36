"""Data of other cyclers, read so that the same evaluations serve them: BDF and CSV, Bio-Logic text, spectra."""

from __future__ import annotations

from hilcycler.importing.foreign import Foreign, read

__all__ = ["Foreign", "read"]
