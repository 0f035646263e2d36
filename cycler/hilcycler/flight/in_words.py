"""A transcript as a person reads it: times, directions, and what the bytes mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from hilcycler import registry
from hilcycler.channel import InWords
from hilcycler.errors import RequestError
from hilcycler.flight.transcript import (
    Closed,
    Lost,
    Missing,
    Opened,
    Received,
    Refused,
    Sent,
    Transcript,
)
from hilcycler.quantities import Second

_SHOWN: Final = 400


def in_words(transcript: Transcript) -> Iterator[str]:
    """One line or more for each thing that happened; times in seconds since the conversation began."""
    words = _words_of(transcript.about.driver)
    begin = transcript.happenings[0].time if transcript.happenings else 0.0
    said = words()
    for happening in transcript.happenings:
        at: Second = happening.time - begin
        match happening:
            case Opened(_, name):
                said = words()  # what was half said over another link is over
                yield f"{at:12.4f}    link opened: {name}"
            case Refused(_, why):
                yield f"{at:12.4f}    no link: {why}"
            case Sent(_, data):
                yield from (f"{at:12.4f} -> {each[:_SHOWN]}" for each in said.sent(data))
            case Received(_, data):
                told = said.received(data) if data else ["end of stream"]
                yield from (f"{at:12.4f} <- {each[:_SHOWN]}" for each in told)
            case Lost(_, why):
                yield f"{at:12.4f}    {why}"
            case Closed():
                yield f"{at:12.4f}    link closed"
            case Missing(_, count):
                yield f"{at:12.4f}    {count} happenings are missing here"


class _Literally:
    """For families that do not say what their bytes mean."""

    def sent(self, data: bytes) -> list[str]:
        return [repr(data)[1:]]

    def received(self, data: bytes) -> list[str]:
        return [repr(data)[1:]]


def _words_of(driver: str) -> Callable[[], InWords]:
    try:
        family = registry.driver(driver)
    except RequestError:
        return _Literally
    return family.in_words or _Literally
