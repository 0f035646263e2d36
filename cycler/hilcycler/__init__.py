"""Hardware-in-the-loop cycler control and acquisition for battery laboratories."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hilcycler.journal import open_run

__version__ = "0.1.0"
__all__ = ["__version__", "open_run"]


def __getattr__(name: str) -> object:
    """`hilcycler.open_run`, imported when it is asked for: a driver needs no journal."""
    if name == "open_run":
        from hilcycler.journal import open_run

        return open_run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
