"""Topics: `{root}/v1/{site}/{bench}/{channel}/{leaf}`.

A name may be anything; a level of a topic may not. What is not a letter, a digit, a dot, a hyphen or
an underscore is written as `%` and two hexadecimal digits of its UTF-8, as in web addresses, so that no
name leaves its level, reaches a neighbour's or matches a subscription of somebody else. A name that is
too long keeps its beginning and ends in a digest, so that two long names stay two.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import quote, unquote

from hilcycler.errors import RequestError

VERSION: Final = "v1"
BENCH: Final = "_"
"""In place of a channel: the bench itself. No name is written like this."""

LONGEST: Final = 96
_ROOT = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*", re.ASCII)


class Leaf(StrEnum):
    """The last level: what a message is about."""

    STATUS = "status"
    META = "meta"
    STATE = "state"
    DATA = "data"
    EIS = "eis"
    EVENT = "event"
    RESULT = "result"
    LATEST = "latest"
    ACK = "ack"
    COMMAND = "cmd"
    REPLY = "reply"


@dataclass(frozen=True, slots=True)
class Place:
    """A channel of a bench of a site, in the levels of its topics."""

    site: str
    bench: str
    channel: str


def level(name: str) -> str:
    """`name` as one level of a topic."""
    if name == BENCH:
        return "%5F"
    written = quote(name.encode("utf-8", "surrogatepass"), safe="").replace("~", "%7E")
    if not written:
        return "%"  # no name is written like this either
    if len(written) <= LONGEST:
        return written
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    beginning = re.sub(r"%[0-9A-F]?$", "", written[: LONGEST - len(digest) - 1])
    return f"{beginning}~{digest}"


def name_of(written: str) -> str:
    """The name behind a level; of one that was too long its beginning and digest."""
    return "" if written == "%" else unquote(written, errors="replace")


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics below one root."""

    root: str = "cycler"

    def __post_init__(self) -> None:
        if _ROOT.fullmatch(self.root) is None:
            raise RequestError(
                f"topic root {self.root!r}: expected letters, digits, '.', '_', '-' in levels with '/' between"
            )

    def topic(self, place: Place, leaf: Leaf) -> str:
        """The topic of `leaf` for a place, whose names may be anything."""
        channel = place.channel if place.channel == BENCH else level(place.channel)
        return f"{self.root}/{VERSION}/{level(place.site)}/{level(place.bench)}/{channel}/{leaf}"

    def bench(self, site: str, bench: str, leaf: Leaf) -> str:
        """The topic of `leaf` for the bench itself."""
        return self.topic(Place(site, bench, BENCH), leaf)

    def everywhere(self, leaf: Leaf, group: str | None = None) -> str:
        """A subscription to `leaf` of all benches; with `group` one that its members share."""
        share = "" if group is None else f"$share/{level(group)}/"
        return f"{share}{self.within(leaf)}"

    def within(self, leaf: Leaf, site: str | None = None, bench: str | None = None) -> str:
        """A subscription to `leaf` of all channels of a bench, a site, or everywhere."""
        levels = ["+" if name is None else level(name) for name in (site, bench)]
        return f"{self.root}/{VERSION}/{'/'.join(levels)}/+/{leaf}"

    def parse(self, topic: str) -> tuple[Place, Leaf] | None:
        """The place, by name, and leaf of a topic; None if it is not one of ours."""
        head = f"{self.root}/{VERSION}/"
        levels = topic.removeprefix(head).split("/")
        if not topic.startswith(head) or len(levels) != 4 or not all(levels):
            return None
        site, bench, channel, leaf = levels
        try:
            found = Leaf(leaf)
        except ValueError:
            return None
        known = channel if channel == BENCH else name_of(channel)
        return Place(name_of(site), name_of(bench), known), found
