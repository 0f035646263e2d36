"""The catalogue of simulated cells: profiles of this package, and any file a user writes."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from hilcycler.errors import RequestError
from hilcycler_simulators.cells.kinetics import REFERENCE_TEMPERATURE
from hilcycler_simulators.cells.profiles.symmetric import SymmetricProfile
from hilcycler_simulators.cells.reading import refusal
from hilcycler_simulators.cells.wiener import WienerCell

_PROFILES: Final = files("hilcycler_simulators.cells") / "profiles"
_LARGEST: Final = 100_000  # characters in a profile file


class Catalogue:
    """Simulated cells by name, such as `li-li/bn-pp`, or by the path of a profile file."""

    def names(self) -> Sequence[str]:
        """All profiles of this package."""
        return sorted(
            f"{folder.name}/{entry.name.removesuffix('.toml')}"
            for folder in _PROFILES.iterdir()
            if folder.is_dir()
            for entry in folder.iterdir()
            if entry.name.endswith(".toml")
        )

    def describe(self, name: str) -> dict[str, Any]:
        """Description, sources, what it is tuned to and cannot meet, truth; RequestError if unknown."""
        profile = self._profile(name)
        return {
            "name": name,
            **profile.model_dump(include={"kind", "description", "sources", "notes"}),
            "truth": self.make(name, seed=1).truth,
        }

    def make(self, name: str, seed: int) -> WienerCell:
        """A new cell of that profile; the same seed gives the same cell and the same life."""
        return WienerCell(self._profile(name).chemistry(name, seed), REFERENCE_TEMPERATURE)

    def _profile(self, name: str) -> SymmetricProfile:
        where, text = self._text(name)
        if len(text) > _LARGEST:
            raise RequestError(f"{where}: more than {_LARGEST} characters; expected a profile of a cell")
        try:
            return SymmetricProfile.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise RequestError(f"{where}: {error}; expected a TOML file") from None
        except ValidationError as error:
            raise refusal(where, error) from None

    def _text(self, name: str) -> tuple[str, str]:
        if name in self.names():
            entry = _PROFILES / f"{name}.toml"
            return f"{name}.toml", entry.read_text(encoding="utf-8")
        path = Path(name)
        if path.suffix != ".toml":
            raise RequestError(
                f"no simulated cell {name!r}; expected the path of a .toml profile or one of: {', '.join(self.names())}"
            )
        try:
            return name, path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RequestError(
                f"{name}: cannot be read ({error}); expected a profile of a simulated cell"
            ) from None


catalogue: Final = Catalogue()
