"""What may leave the bench beside numbers: nothing that names people, cells or chemistry, unless allowed."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from hilcycler.errors import RequestError


class Allowed(StrEnum):
    """Groups of metadata that are published only where the bench says so."""

    NAMES = "names"
    """The names of cell and protocol, the instrument's serial number."""
    CHEMISTRY = "chemistry"
    """Electrodes, electrolyte, separator, masses, capacity and notes of the cell."""
    PROTOCOL = "protocol"
    """The protocol's text and the steps as written."""
    PEOPLE = "people"
    """Who asked for something, and the reasons and notes that people wrote."""


_ABOUT = ("disk", "clock", "link", "memory")
"""Words of a note that tell what it is about, even where its text stays at the bench."""


def allowed(names: Iterable[str]) -> frozenset[Allowed]:
    """The groups that `names` name. RequestError."""
    try:
        return frozenset(Allowed(name) for name in names)
    except ValueError:
        known = ", ".join(Allowed)
        raise RequestError(f"metadata to allow: {', '.join(names)}: expected some of {known}") from None


def published(record: dict[str, Any], allow: frozenset[Allowed]) -> dict[str, Any]:
    """An event, as its JSON, without what is not allowed. Simulated truth never leaves the bench."""
    kept = dict(record)
    match record["kind"]:
        case "run-started":
            kept = _header(kept, allow)
        case "step-started":
            if Allowed.PROTOCOL not in allow:
                kept["step"] = {"kind": record["step"].get("kind")}
        case "operator-action":
            if Allowed.PEOPLE not in allow:
                kept = {name: kept[name] for name in ("verb", "stamp", "kind")}
        case "run-ended":
            if Allowed.PEOPLE not in allow and record["outcome"] == "stopped":
                del kept["reason"]
        case "note":
            text = record["text"].lower()
            kept["about"] = [word for word in _ABOUT if word in text]
            if Allowed.PEOPLE not in allow:
                del kept["text"]
        case "resumed" | "failed" | "gap":
            if Allowed.PEOPLE not in allow:
                for name in ("reason", "message"):
                    kept.pop(name, None)
    plain: dict[str, Any] = _storable(kept)
    return plain


def _header(record: dict[str, Any], allow: frozenset[Allowed]) -> dict[str, Any]:
    kept = {name: value for name, value in record.items() if name not in {"truth", "cell"}}
    cell = record["cell"]
    instrument = dict(record["instrument"])
    shown = {"area": cell.get("area")}
    if Allowed.NAMES in allow:
        shown["name"] = cell["name"]
    else:
        del kept["protocol_name"]
        del instrument["serial"]
    if Allowed.CHEMISTRY in allow:
        shown |= {name: value for name, value in cell.items() if name != "name"}
    if Allowed.PROTOCOL not in allow:
        del kept["protocol_text"]
    return kept | {"cell": shown, "instrument": instrument}


def _storable(value: Any) -> Any:  # noqa: ANN401  (any JSON)
    """The same without the character NUL, which no database keeps in a text."""
    match value:
        case str():
            return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        case dict():
            return {_storable(key): _storable(entry) for key, entry in value.items()}
        case list():
            return [_storable(entry) for entry in value]
        case _:
            return value
