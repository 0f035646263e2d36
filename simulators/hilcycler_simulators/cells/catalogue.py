"""The catalogue of simulated cells: profiles of this package, and any file a user writes."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from hilcycler.errors import RequestError
from hilcycler_simulators.cells.kinetics import REFERENCE_TEMPERATURE
from hilcycler_simulators.cells.profiles.any import Profile, read
from hilcycler_simulators.cells.wiener import WienerCell

_PROFILES: Final = files("hilcycler_simulators.cells") / "profiles"


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
        """Description, sources, the published numbers it is tuned to, truth; RequestError if unknown."""
        profile = self.profile(name)
        return {
            "name": name,
            **profile.model_dump(include={"kind", "description", "sources", "notes"}),
            "published": [
                _in_words(target) for target in tomllib.loads(self._text(name)[1]).get("target", ())
            ],
            "truth": self.make(name, seed=1).truth,
        }

    def make(self, name: str, seed: int) -> WienerCell:
        """A new cell of that profile; the same seed gives the same cell and the same life."""
        return WienerCell(self.profile(name).chemistry(name, seed), REFERENCE_TEMPERATURE)

    def headlines(self, names: Sequence[str]) -> Iterator[dict[str, str]]:
        """The published numbers beside the twin's, a row each; see `hilcycler.twin.CellCatalogue`."""
        from hilcycler_simulators.cells.headlines import rows

        for row in rows(names):
            yield asdict(row)

    def profile(self, name: str) -> Profile:
        """The profile file of that name, read."""
        return read(*self._text(name))

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


def _in_words(target: dict[str, Any]) -> str:
    """A published number with its conditions, as the profile file writes them."""
    told = {
        key: value
        for key, value in target.items()
        if key not in {"quantity", "value", "values", "where", "conflict"}
    }
    conditions = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in told.items())
    reason = f"; cannot hold here: {target['conflict']}" if target.get("conflict") else ""
    value = target["value"] if "value" in target else ", ".join(target["values"])
    where = f" ({target['where']})" if target.get("where") else ""
    return f"{target['quantity']} {value}{where}" + (f" at {conditions}" if conditions else "") + reason
