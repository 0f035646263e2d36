"""The control API: what can be looked at, and what can be asked for, as HTTP."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from hilcycler.control import streams
from hilcycler.control.openapi import document
from hilcycler.errors import CyclerError, RequestError
from hilcycler.journal import find_run
from hilcycler.service.apart import apart
from hilcycler.service.desk import Command, Verb, Word
from hilcycler.service.supervisor import Service

LONGEST_BODY: Final = 2 << 20

Handler = Callable[[Request], Awaitable[Response]]
_M = TypeVar("_M", bound=BaseModel)


class SafeAll(BaseModel):
    """Every output off, at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    actor: Word = ""
    reason: Word = ""
    key: str = Field(min_length=8, max_length=48)


class _Refused(Exception):
    """Answered with `status` and the reason."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def application(service: Service, *, control: bool) -> Starlette:
    """The API; without `control` every verb is refused, whoever asks."""
    looking = _Looking(service)
    routes = [
        Route("/openapi.json", looking.openapi),
        Route("/status", looking.status),
        Route("/channels/{channel}", looking.channel),
        Route("/events", looking.events),
        Route("/runs/{run}/events", looking.run_events),
    ]
    acting = _Acting(service)
    routes.append(Route("/safe", acting.safe_all if control else _denied, methods=["POST"]))
    for verb in Verb:
        handler = acting.handler(verb) if control else _denied
        routes.append(Route(f"/channels/{{channel}}/{verb.value}", handler, methods=["POST"]))
    return Starlette(
        routes=routes,
        exception_handlers={_Refused: _refused, RequestError: _wrong, CyclerError: _failed},  # type: ignore[dict-item]
    )


async def _denied(_: Request) -> Response:
    raise _Refused(403, "denied: this socket is for looking; the control socket is for acting")


async def _refused(_: Request, error: _Refused) -> Response:
    # What is left of a body that is too long is not waited for.
    closing = {"Connection": "close"} if error.status == 413 else {}
    return JSONResponse({"error": str(error)}, error.status, closing)


async def _wrong(_: Request, error: RequestError) -> Response:
    return JSONResponse({"error": str(error)}, 404)


async def _failed(_: Request, error: CyclerError) -> Response:
    return JSONResponse({"error": str(error)}, 503)


class _Looking:
    """What changes nothing."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def openapi(self, _: Request) -> Response:
        return JSONResponse(document())

    async def status(self, _: Request) -> Response:
        return Response(self._service.status().model_dump_json(), media_type="application/json")

    async def channel(self, request: Request) -> Response:
        name = request.path_params["channel"]
        for each in self._service.status().channels:
            if each.channel == name:
                return Response(each.model_dump_json(), media_type="application/json")
        raise RequestError(f"no channel {name!r}")

    async def events(self, request: Request) -> Response:
        said = request.headers.get("last-event-id") or request.query_params.get("since")
        if said is not None and not (said.isascii() and said.isdigit() and len(said) < 16):
            raise _Refused(422, f"since: {said[:40]!r} is no number of an entry")
        return _stream(streams.bench(self._service, None if said is None else int(said)))

    async def run_events(self, request: Request) -> Response:
        said = request.headers.get("last-event-id") or request.query_params.get("since") or "0.0"
        place = streams.cursor(said)
        folder, which = self._service.bench.data, request.path_params["run"]
        path = await apart(lambda: find_run(folder, which))
        return _stream(streams.of_run(self._service, path, *place))


class _Acting:
    """What changes something: all of it through the desk."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def handler(self, verb: Verb) -> Handler:
        async def act(request: Request) -> Response:
            command = await _body(request, Command)
            self._refuse_when_ending()
            name = request.path_params["channel"]
            answer = await self._service.desk.ask(name, verb, command, _actor(request, command.actor))
            return JSONResponse(answer.model_dump(), 200 if answer.done else 409)

        return act

    async def safe_all(self, request: Request) -> Response:
        asked = await _body(request, SafeAll)
        answers = await self._service.desk.safe_all(_actor(request, asked.actor), asked.reason, asked.key)
        done = all(each.done for each in answers)
        return JSONResponse([each.model_dump() for each in answers], 200 if done else 409)

    def _refuse_when_ending(self) -> None:
        if self._service.ending.is_set():
            raise _Refused(503, "the service ends")


def _actor(request: Request, named: str) -> str:
    """Who asks: the name that was given, and the user whom the kernel names."""
    user = request.client.host if request.client is not None else "unknown"
    return user if not named or named == user else f"{named} (user {user})"


async def _body(request: Request, model: type[_M]) -> _M:
    """The request's body, bounded, as `model`; refused with what is wrong with it."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > LONGEST_BODY:
            raise _Refused(413, f"more than {LONGEST_BODY} bytes")
    try:
        return model.model_validate(_strict_json(bytes(received)))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _Refused(422, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (ValueError, RecursionError) as error:
        raise _Refused(422, f"not JSON: {error}") from None


def _strict_json(text: bytes) -> Any:  # noqa: ANN401  (pydantic says what it is)
    """JSON without NaN, Infinity and duplicate keys, which Python would let pass."""

    def constant(name: str) -> None:
        raise ValueError(f"{name} is no number in JSON")

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in found}) != len(found):
            raise ValueError("the same key twice")
        return dict(found)

    return json.loads(text, parse_constant=constant, object_pairs_hook=pairs)


def _stream(events: Any) -> Response:  # noqa: ANN401
    return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
