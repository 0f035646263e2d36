"""The JSON Schema of a protocol file, for editors: completion, hints and red underlines while writing.

`python -m hilcycler.language.schema > docs/protocol.schema.json` writes it; a test keeps it current.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from hilcycler.language.models import ElectrodeModel, Item, Pause, ProtocolFile, Rest

TITLE = "hilcycler protocol"


def json_schema() -> dict[str, Any]:
    """The schema, JSON Schema draft 2020-12."""
    schema = without_null(ProtocolFile.model_json_schema(by_alias=True))
    kinds = schema["$defs"]
    for model in (Rest, Pause, ElectrodeModel):
        kinds[model.__name__] = {"anyOf": [{"type": "string"}, kinds[model.__name__]]}
    kinds["Item"]["oneOf"] = [{"required": [kind]} for kind in Item.kinds()]
    conjunction = kinds["Until"]["properties"]["all of"]
    conjunction["anyOf"] = [
        conjunction["items"],
        {"type": conjunction.pop("type"), "items": conjunction.pop("items")},
    ]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": TITLE}


def text() -> str:
    """The schema as the file in docs."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def without_null(node: Any) -> Any:  # noqa: ANN401  (any JSON)
    """`node` of a schema as an editor needs it: a key that may be left out is not one that may be null."""
    match node:
        case {"anyOf": [one, {"type": "null"}], **others}:
            rest = {key: value for key, value in others.items() if key not in {"default", "title"}}
            return {**without_null(one), **without_null(rest)}
        case dict():
            return {
                key: without_null(value)
                for key, value in node.items()
                if not (key == "default" and (value is None or value == []))
                and not (key == "title" and isinstance(value, str))
            }
        case list():
            return [without_null(item) for item in node]
        case _:
            return node


if __name__ == "__main__":
    sys.stdout.write(text())
