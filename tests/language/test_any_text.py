"""Whatever text: a document or one typed error, quickly and in little memory.

The default run is small. The large one:
`LANGUAGE_EXAMPLES=100000 pytest tests/language/test_any_text.py --timeout 7200`.
"""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hilcycler.errors import RequestError
from hilcycler.language import load, loads, outside
from hilcycler.language.strict_yaml import MOST_BYTES
from hilcycler.protocol import Group, Insert, Node, Protocol, Repeat
from hilcycler.steps import Step

EXAMPLES = int(os.environ.get("LANGUAGE_EXAMPLES", "300"))
SLOWEST = 1.0
LARGEST_MB = 100.0
many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SEED = (Path(__file__).parent / "everything.yaml").read_text("utf-8")
WORDS = sorted(set(SEED.replace("{", " ").replace("}", " ").replace(",", " ").split()))


def used() -> tuple[float, float]:
    """Most memory so far in MB, processor time so far in s: a loaded machine is no fault of the reader's."""
    now = resource.getrusage(resource.RUSAGE_SELF)
    return now.ru_maxrss / 1024, now.ru_utime + now.ru_stime


def steps_of(nodes: tuple[Node, ...]) -> Iterator[Step]:
    for node in nodes:
        if isinstance(node, (Repeat, Group, Insert)):
            yield from steps_of(node.body)
        else:
            yield node


def tried(text: str) -> Protocol | None:
    """What the text means, within the bounds. No set-point of it lies outside its own safety limits."""
    message = "accepted"
    gc.disable()  # sweeping the thousands of examples that hypothesis keeps is not the reader's work
    before, began = used()
    found = None
    try:
        found = loads(text, "any.yaml").bind()
    except RequestError as error:
        message = str(error)
    finally:
        after, ended = used()
        gc.enable()
    assert 0 < len(message) < 20_000
    assert ended - began < SLOWEST
    assert after - before < LARGEST_MB
    assert found is None or not any(outside(step, found.safety) for step in steps_of(found.body))
    return found


@many
@given(st.text())
def test_any_text(text: str) -> None:
    tried(text)


@many
@given(st.binary(max_size=2000))
def test_any_bytes(tmp_path_factory: object, content: bytes) -> None:
    path = Path(tmp_path_factory.getbasetemp()) / "any.yaml"  # type: ignore[attr-defined]
    path.write_bytes(content)
    with suppress(RequestError):
        load(path).bind()


@many
@given(
    st.lists(
        st.sampled_from(
            [*WORDS, ":", "- ", "\n", "\n  ", "\n    ", "{", "}", "[", "]", ",", " ", '"', "&", "*", "!", "|"]
        )
    )
)
def test_any_text_of_our_own_words(words: list[str]) -> None:
    tried("".join(words))


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A good file with a few places overwritten, doubled or taken out."""
    text = SEED
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        stop = min(len(text), start + draw(st.integers(0, 40)))
        kind = draw(st.sampled_from(["cut", "double", "write", "word"]))
        new = {
            "cut": "",
            "double": text[start:stop] * 2,
            "write": draw(st.text(max_size=8)) if kind == "write" else "",
            "word": draw(st.sampled_from(WORDS)) if kind == "word" else "",
        }[kind]
        text = text[:start] + new + text[stop:]
    return text


@many
@given(mutated())
def test_any_mutation_of_a_good_file(text: str) -> None:
    tried(text)


def test_the_worst_files_that_fit_are_read_or_refused_in_time() -> None:
    for text in (
        "a: " + "[" * MOST_BYTES,
        "a: " + "{" * MOST_BYTES,
        "a:\n" + "- " * (MOST_BYTES // 2 - 2),
        "? " * (MOST_BYTES // 2),
        "a: [" + "x," * (MOST_BYTES // 2 - 4) + "]",
        "a: '" + "'' " * (MOST_BYTES // 3 - 4) + "'",
        "a: " + "&a " * (MOST_BYTES // 3 - 4),
        "a: {" + ",".join(f"k{n}: v" for n in range(6000)) + "}",
        "protocol: p\nparameters: {x: " + "y" * 190 + "}\ndescription: " + "$x" * 30_000,
        "protocol: p\nsteps:\n" + "- rest: 1\n" * 6000,
        "protocol: p\nsteps:\n" + "- rset: 1 h\n" * 4900,
        "protocol: p\nsteps:\n" + "".join(f"{'  ' * n}- repeat: 9\n{'  ' * n}  steps:\n" for n in range(20)),
    ):
        tried(text[:MOST_BYTES])
