"""A profile file of whatever kind, read strictly."""

from __future__ import annotations

import tomllib
from typing import Annotated, Final, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError

from hilcycler.errors import RequestError
from hilcycler_simulators.cells.profiles.blocking import BlockingProfile
from hilcycler_simulators.cells.profiles.cathodes import IntercalationProfile, SulfurProfile
from hilcycler_simulators.cells.profiles.plating import PlatingProfile
from hilcycler_simulators.cells.profiles.symmetric import SymmetricProfile
from hilcycler_simulators.cells.reading import refusal

Profile: TypeAlias = (
    SymmetricProfile | PlatingProfile | IntercalationProfile | SulfurProfile | BlockingProfile
)

_ANY: Final[TypeAdapter[Profile]] = TypeAdapter(Annotated[Profile, Field(discriminator="kind")])
_LARGEST: Final = 100_000  # characters


def read(where: str, text: str) -> Profile:
    """The profile that `text` holds; RequestError naming `where`, the key and what is allowed."""
    if len(text) > _LARGEST:
        raise RequestError(f"{where}: more than {_LARGEST} characters; expected a profile of a cell")
    try:
        return _ANY.validate_python(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise RequestError(f"{where}: {error}; expected a TOML file") from None
    except ValidationError as error:
        raise refusal(where, error) from None
