"""Where runs are kept."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path

from hilcycler.errors import RequestError

VARIABLE = "HILCYCLER_DATA"


def data_folder(given: Path | None = None) -> Path:
    """The data folder: as given, else $HILCYCLER_DATA, else the user's own. Made if missing."""
    folder = given or (
        Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else user_data_path("hilcycler")
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"the data folder {folder} cannot be made: {error.strerror}") from error
    return folder.resolve()
