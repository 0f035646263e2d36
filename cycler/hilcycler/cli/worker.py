"""A process beside this one for what is slow and large: fits, figures. The one that runs cells stays lean."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor


def beside() -> ProcessPoolExecutor:
    """Give one fresh worker process, to be used in a `with` block."""
    return ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn"))
