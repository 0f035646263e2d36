"""The JSON Schemas of everything that is published, as they stand in docs/telemetry.schema.json."""

from __future__ import annotations

import json
from typing import Any

from hilcycler.telemetry.home_assistant import Sensor
from hilcycler.telemetry.messages import MESSAGES, STATUS


def schema() -> dict[str, Any]:
    """One JSON Schema a leaf, for the docs and whoever writes another subscriber."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Telemetry messages by the last level of their topic",
        "messages": {
            str(leaf): model.model_json_schema(mode="serialization") for leaf, model in MESSAGES.items()
        },
        "status": {"enum": list(STATUS), "description": "plain text, not JSON"},
        "home assistant": Sensor.model_json_schema(mode="serialization"),
    }


def schema_text() -> str:
    """`schema` as the file in the docs has it."""
    return json.dumps(schema(), indent=1) + "\n"
