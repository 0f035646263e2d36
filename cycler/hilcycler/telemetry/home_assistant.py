"""Discovery for Home Assistant: retained configurations that point at `latest` and `status`."""

from __future__ import annotations

import json
from typing import Any, Final

from hilcycler.telemetry.topics import Leaf, Place, Topics, level

_SENSORS: Final = {
    "voltage_volt": ("voltage", "V"),
    "current_ampere": ("current", "A"),
    "ambient_temperature_celsius": ("temperature", "°C"),
    "cycle_count": (None, None),
    "step_type": (None, None),
}
"""By key of `latest`: Home Assistant's device class and unit."""


def discovery(prefix: str, topics: Topics, place: Place) -> dict[str, bytes]:
    """Payload by topic."""
    device = "-".join(("cycler", level(place.site), level(place.bench), level(place.channel)))
    node = "".join(c if c.isalnum() or c in "-_" else "_" for c in device)
    found = {}
    for key, (kind, unit) in _SENSORS.items():
        config: dict[str, Any] = {
            "name": key.replace("_", " "),
            "unique_id": f"{node}-{key}",
            "state_topic": topics.topic(place, Leaf.LATEST),
            "value_template": f"{{{{ value_json.{key} }}}}",
            "availability": [
                {"topic": topics.bench(place.site, place.bench, Leaf.STATUS)},
                {"topic": topics.topic(place, Leaf.STATUS)},
            ],
            "availability_mode": "all",
            "device": {"identifiers": [node], "name": f"{place.bench} {place.channel}"[:200]},
        }
        if kind is not None:
            config |= {"device_class": kind, "unit_of_measurement": unit}
        found[f"{prefix}/sensor/{node}/{key}/config"] = json.dumps(config).encode()
    return found
