"""Discovery for Home Assistant: retained configurations that point at `latest` and `status`."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from hilcycler.telemetry.messages import Text
from hilcycler.telemetry.topics import Leaf, Place, Topics, level

_SENSORS: Final = {
    "voltage_volt": ("voltage", "V"),
    "current_ampere": ("current", "A"),
    "ambient_temperature_celsius": ("temperature", "°C"),
    "cycle_count": (None, None),
    "step_type": (None, None),
}
"""By key of `latest`: Home Assistant's device class and unit."""


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Availability(_Plain):
    """A topic that says `online` or `offline`."""

    topic: str


class Device(_Plain):
    """What the sensors of a channel belong to."""

    identifiers: list[str]
    name: Text


class Sensor(_Plain):
    """One number of a channel."""

    name: str
    unique_id: str
    state_topic: str
    value_template: str
    availability: list[Availability]
    availability_mode: Literal["all"] = "all"
    device: Device
    device_class: str | None = None
    unit_of_measurement: str | None = None


def discovery(prefix: str, topics: Topics, place: Place) -> dict[str, bytes]:
    """Payload by topic."""
    device = "-".join(("cycler", level(place.site), level(place.bench), level(place.channel)))
    node = "".join(c if c.isalnum() or c in "-_" else "_" for c in device)
    found = {}
    for key, (kind, unit) in _SENSORS.items():
        sensor = Sensor(
            name=key.replace("_", " "),
            unique_id=f"{node}-{key}",
            state_topic=topics.topic(place, Leaf.LATEST),
            value_template=f"{{{{ value_json.{key} }}}}",
            availability=[
                Availability(topic=topics.bench(place.site, place.bench, Leaf.STATUS)),
                Availability(topic=topics.topic(place, Leaf.STATUS)),
            ],
            device=Device(identifiers=[node], name=f"{place.bench} {place.channel}"[:200]),
            device_class=kind,
            unit_of_measurement=unit,
        )
        found[f"{prefix}/sensor/{node}/{key}/config"] = sensor.model_dump_json(exclude_none=True).encode()
    return found
