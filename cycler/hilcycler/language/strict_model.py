"""The ground of every model of a file: exact keys, one clear fault for each thing that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from hilcycler.language.faults import Where, shown
from hilcycler.language.strict_yaml import Text


class Strict(BaseModel):
    """Keys are field names with spaces for underscores (`voltage_change` is `voltage change`).

    `short`: the key that a bare text stands for, as in `rest: 10 min`.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=lambda name: name.rstrip("_").replace("_", " "),
        validate_default=True,
    )
    short: ClassVar[str] = ""
    _where: Where = PrivateAttr(default=Where())

    @property
    def where(self) -> Where:
        """Where its first key stands."""
        return self._where

    @model_validator(mode="wrap")
    @classmethod
    def _exactly(cls, data: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(data, cls):
            return handler(data)
        if isinstance(data, str) and cls.short:
            data = {cls.short: data}
        if not isinstance(data, Mapping):
            found = "a list" if isinstance(data, list) else shown(str(data))
            raise wrong(f"expected keys ({cls.keys_in_words()}); found {found}")
        known = cls.key_names()
        unknown = [key for key in data if key not in known]
        faults = [_detail("unknown_key", cls.unknown(key), (key,), data[key]) for key in unknown]
        try:
            made = handler({key: value for key, value in data.items() if key in known})
        except ValidationError as error:
            meant = {cls._closest(key) for key in unknown}
            faults += [
                cls._again(detail)
                for detail in error.errors(include_url=False)
                if not (unknown and not detail["loc"])
                and not (detail["type"] == "missing" and detail["loc"][0] in meant)
            ]
        if faults:
            raise ValidationError.from_exception_data(cls.__name__, faults)
        first = next(iter(data), None)
        if isinstance(first, Text):
            made._where = Where(first.where.line, first.where.key.rpartition(".")[0])  # noqa: SLF001
        return made

    @classmethod
    def key_names(cls) -> dict[str, str]:
        """What may be written, with the name of its field."""
        return {field.alias or name: name for name, field in cls.model_fields.items()}

    @classmethod
    def keys_in_words(cls) -> str:
        return ", ".join(cls.key_names())

    @classmethod
    def unknown(cls, key: str) -> str:
        """What is wrong with a key that is none."""
        close = cls._closest(key)
        hint = f"; did you mean '{close}'?" if close else ";"
        return f"is not a key here{hint} expected {cls.keys_in_words()}"

    @classmethod
    def _closest(cls, key: str) -> str:
        return next(iter(get_close_matches(key, cls.key_names(), n=1)), "")

    @classmethod
    def _again(cls, detail: ErrorDetails) -> InitErrorDetails:
        """A fault found by pydantic, in our words, to be raised again with others."""
        location, message = detail["loc"], detail["msg"]
        if len(location) == 1:
            match detail["type"]:
                case "missing":
                    field = cls.model_fields[cls.key_names()[str(location[0])]]
                    message = f"is missing; expected {field.description or 'a value'}"
                case "list_type" | "tuple_type":
                    message = "expected a list, each item on a line that begins with '- '"
                case "dict_type":
                    message = "expected keys with values"
        return _detail(detail["type"], message, location, detail["input"])


def wrong(message: str) -> PydanticCustomError:
    """What a validator raises: one sentence for people."""
    template: Any = message  # pydantic asks for a literal; ours are sentences with values in them
    return PydanticCustomError("wrong", template)


def _detail(kind: str, message: str, location: tuple[str | int, ...], value: object) -> InitErrorDetails:
    template: Any = message  # pydantic asks for a literal; ours are sentences with values in them
    return {"type": PydanticCustomError(kind, template), "loc": location, "input": value}
