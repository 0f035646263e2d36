"""Names may be anything; topics stay in their place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilcycler.errors import RequestError
from hilcycler.telemetry.topics import BENCH, LONGEST, Leaf, Place, Topics, level

NAMES = st.text(max_size=300) | st.sampled_from(
    ["", "_", "#", "+", "/", "../..", "$SYS", "a/b", "\0", "%41", "~"]
)


@given(NAMES, NAMES, NAMES, st.sampled_from(Leaf))
def test_no_name_leaves_its_level(site: str, bench: str, channel: str, leaf: Leaf) -> None:
    topic = Topics("lab/cycler").topic(Place(site, bench, channel), leaf)
    levels = topic.split("/")
    assert topic.isascii()
    assert not set(topic) & set("#+\0$ ")
    assert (levels[:3], levels[-1], len(levels)) == (["lab", "cycler", "v1"], leaf.value, 7)
    assert all(levels)
    assert max(map(len, levels)) <= LONGEST


@given(NAMES, NAMES)
def test_two_names_stay_two(one: str, other: str) -> None:
    assert (level(one) == level(other)) == (one == other)


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_a_topic_says_where_it_comes_from(site: str, bench: str, channel: str) -> None:
    place = Place(site, bench, channel)
    found = Topics().parse(Topics().topic(place, Leaf.DATA))
    if channel != BENCH:
        long = any("~" in level(name) for name in (site, bench, channel))
        assert found == (place, Leaf.DATA) or long


def test_no_channel_is_mistaken_for_the_bench() -> None:
    assert level("_") != BENCH


@given(st.text(max_size=60))
def test_any_topic_is_ours_or_not(topic: str) -> None:
    assert Topics().parse(topic) is None or topic.startswith("cycler/v1/")


@pytest.mark.parametrize("root", ["", "/", "a//b", "#", "a/+", "$SYS", "a b", "a/"])
def test_a_root_that_is_none_is_refused(root: str) -> None:
    with pytest.raises(RequestError, match="topic root"):
        Topics(root)
