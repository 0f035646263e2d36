"""The OpenAPI document, made from the same models and the same table of verbs that serve."""

from __future__ import annotations

from functools import cache
from math import isfinite
from typing import Any

from pydantic.json_schema import models_json_schema

from hilcycler import __version__
from hilcycler.service.desk import Answer, Command, Verb
from hilcycler.service.status import BenchStatus, ChannelStatus

_WHAT = {
    Verb.START: "Put a run into the channel's queue.",
    Verb.PAUSE: "Output off, and wait: at once, or after the end of a step, a cycle, a plating, a stripping.",
    Verb.RESUME: "Go on: open circuit (and a spectrum, where the protocol has one) first.",
    Verb.STOP: "Output off, and the run is over: at once or after the end of something.",
    Verb.SKIP: "End the step that is under way and go on with the next.",
    Verb.SAFE: "Output off at once; nothing begins here until somebody says so.",
    Verb.EXTEND: "Add cycles to the repeat that is running.",
    Verb.LIMITS: "Tighten the safety limits; nothing widens them.",
    Verb.DROP: "Take a waiting run out of the queue.",
    Verb.RESET: "Release a channel that a trip has latched.",
}


@cache
def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    models = (Command, Answer, BenchStatus, ChannelStatus)
    _, schemas = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    paths: dict[str, Any] = {
        "/status": {"get": _looks("The whole bench, now.", "BenchStatus")},
        "/channels/{channel}": {"get": _looks("One channel, now.", "ChannelStatus", "channel")},
        "/events": {"get": _streams("Entries of the bench's chain, and its status about once a second.")},
        "/runs/{run}/events": {"get": _streams("Samples and events of one run, from its file.", "run")},
        "/safe": {
            "post": {"summary": "Every output off, at once.", "responses": {"200": {"description": "done"}}}
        },
    }
    for verb in Verb:
        paths[f"/channels/{{channel}}/{verb.value}"] = {"post": _acts(_WHAT[verb])}
    return {
        "openapi": "3.1.0",
        "info": {"title": "hilcycler service", "version": __version__},
        "paths": paths,
        "components": {"schemas": _finite(schemas["$defs"])},
    }


def _finite(value: Any) -> Any:  # noqa: ANN401  (whatever a schema holds)
    """JSON has no word for infinity; defaults that are infinite are named."""
    match value:
        case dict():
            return {key: _finite(each) for key, each in value.items()}
        case list() | tuple():
            return [_finite(each) for each in value]
        case float() if not isfinite(value):
            return str(value)
        case _:
            return value


def _looks(summary: str, model: str, *within: str) -> dict[str, Any]:
    return {"summary": summary, **_within(*within), "responses": {"200": _content(model)}}


def _streams(summary: str, *within: str) -> dict[str, Any]:
    stream = {
        "description": "server-sent events; resumed by Last-Event-ID or ?since=",
        "content": {"text/event-stream": {}},
    }
    return {"summary": summary, **_within(*within), "responses": {"200": stream}}


def _acts(summary: str) -> dict[str, Any]:
    body = {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Command"}}},
    }
    refused = {**_content("Answer"), "description": "refused; nothing was changed"}
    denied = {"description": "on the view socket"}
    return {
        "summary": summary,
        **_within("channel"),
        "requestBody": body,
        "responses": {"200": _content("Answer"), "403": denied, "409": refused},
    }


def _within(*names: str) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
    ]
    return {"parameters": parameters} if parameters else {}


def _content(model: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{model}"}
    return {"description": model, "content": {"application/json": {"schema": schema}}}
