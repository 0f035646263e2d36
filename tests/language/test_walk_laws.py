"""The walk through a protocol: order, named exits, cycles, totals, and going on after a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from hilcycler.protocol import (
    Group,
    Insert,
    Node,
    Plan,
    Planned,
    Protocol,
    Repeat,
    count_steps,
    ends_of,
    resume,
    total,
    walk,
)
from hilcycler.steps import NEXT, STOP, End, Rest, StepResult, TimeReached

NAMES = ("inner", "outer", "group")


def rest(*targets: str) -> Rest:
    """One with an end for each of `targets`."""
    return Rest(tuple(End(TimeReached(60.0 + at), then) for at, then in enumerate(targets)))


def result(end: int | None) -> StepResult:
    return StepResult(end=end, elapsed=60.0, charge=0.0, last_voltage=0.0, last_current=0.0)


STEPS = st.lists(st.sampled_from([NEXT, STOP, *NAMES]), min_size=1, max_size=3).map(lambda then: rest(*then))
QUIET = st.just(rest(NEXT))


def trees(steps: st.SearchStrategy[Rest]) -> st.SearchStrategy[Protocol]:
    def larger(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        body = st.lists(nodes, min_size=1, max_size=3).map(tuple)
        name = st.sampled_from(["", *NAMES])
        return st.one_of(
            st.builds(Repeat, st.integers(1, 4), body, name),
            st.builds(Group, body, st.just((End(TimeReached(1.0), NEXT),)), name),
            st.builds(Insert, body, st.integers(0, 3), st.lists(st.integers(1, 4), max_size=2).map(tuple)),
        )

    nodes: st.SearchStrategy[Node] = st.recursive(steps, larger, max_leaves=8)
    return st.lists(nodes, min_size=1, max_size=4).map(lambda body: Protocol("p", tuple(body)))


def walked(plan: Plan, choose: Callable[[Planned], int | None]) -> Iterator[Planned]:
    """Everything that is planned when each step ends as `choose` says."""
    try:
        planned = next(plan)
        while True:
            yield planned
            planned = plan.send(result(choose(planned)))
    except StopIteration:
        return


class Leave(Exception):
    """A target on its way to the node that bears its name."""


class Slow:
    """The meaning of a protocol, told another way: flat numbers first, then exceptions for exits."""

    def __init__(self, protocol: Protocol, choose: Callable[[Planned], int | None]) -> None:
        self.numbers: dict[int, int] = {}
        self._number(protocol.body)
        self.cycle, self.choose = 0, choose
        self.seen: list[Planned] = []
        with suppress(Leave):
            self.visit(protocol.body, (), 1)

    def _number(self, nodes: tuple[Node, ...]) -> None:
        for node in nodes:
            if isinstance(node, (Repeat, Group, Insert)):
                self._number(node.body)
            else:
                self.numbers[id(node)] = len(self.numbers) + 1

    def visit(self, nodes: tuple[Node, ...], common: tuple[End, ...], number: int) -> None:
        for node in nodes:
            try:
                self.one(node, common, number)
            except Leave as leaving:
                if leaving.args[0] != getattr(node, "name", None) or not isinstance(node, (Repeat, Group)):
                    raise

    def one(self, node: Node, common: tuple[End, ...], number: int) -> None:
        match node:
            case Repeat():
                counts = not any(isinstance(inner, Repeat) for inner in self.below(node.body))
                for here in range(1, node.times + 1):
                    self.cycle += counts
                    self.visit(node.body, common, here)
            case Group():
                self.visit(node.body, (*node.ends, *common), number)
            case Insert():
                if number in node.at or (node.every and number % node.every == 0):
                    self.visit(node.body, common, number)
            case _:
                assert isinstance(node, Rest)
                planned = Planned(Rest((*node.ends, *common)), self.numbers[id(node)], self.cycle)
                self.seen.append(planned)
                end = self.choose(planned)
                then = NEXT if end is None else ends_of(planned.step)[end].then
                if then != NEXT:
                    raise Leave(then)

    def below(self, nodes: tuple[Node, ...]) -> Iterator[Node]:
        """All within, as far as the counting of cycles looks: not into inserts."""
        for node in nodes:
            yield node
            if isinstance(node, Group):
                yield from self.below(node.body)


def distinct(protocol: Protocol) -> Protocol:
    """The same tree with no step shared between places, so that each has a number of its own."""

    def copied(node: Node) -> Node:
        match node:
            case Repeat():
                return Repeat(node.times, tuple(map(copied, node.body)), node.name)
            case Group():
                return Group(tuple(map(copied, node.body)), node.ends, node.name)
            case Insert():
                return Insert(tuple(map(copied, node.body)), node.every, node.at)
            case _:
                return Rest(ends_of(node))

    return Protocol("p", tuple(map(copied, protocol.body)))


@settings(deadline=None)
@given(trees(STEPS), st.randoms(use_true_random=False))
def test_the_walk_means_what_the_slow_telling_means(tree: Protocol, random: object) -> None:
    protocol = distinct(tree)
    choices: list[int] = []

    def choose(planned: Planned) -> int:
        choices.append(random.randrange(len(ends_of(planned.step))))  # type: ignore[attr-defined]
        return choices[-1]

    fast = list(walked(walk(protocol), choose))
    again = iter(choices)
    assert Slow(protocol, lambda _: next(again)).seen == fast


@settings(deadline=None)
@given(trees(QUIET))
def test_totals_are_sums_over_the_walk(tree: Protocol) -> None:
    planned = list(walked(walk(tree), lambda _: 0))
    assert count_steps(tree.body) == len(planned)
    assert total(tree.body, lambda step: len(ends_of(step))) == sum(
        len(ends_of(each.step)) for each in planned
    )


@settings(deadline=None)
@given(trees(STEPS), st.randoms(use_true_random=False), st.integers(0, 30))
def test_going_on_from_any_point_is_as_if_nothing_had_happened(
    tree: Protocol, random: object, cut: int
) -> None:
    recorded: list[StepResult] = []

    def choose(planned: Planned) -> int:
        recorded.append(result(random.randrange(len(ends_of(planned.step)))))  # type: ignore[attr-defined]
        end = recorded[-1].end
        assert end is not None
        return end

    whole = list(walked(walk(tree), choose))
    cut = min(cut, len(recorded))
    plan, at = resume(partial(walk, tree), recorded[:cut])
    others: list[Planned] = []
    for each in recorded[cut:]:
        assert at is not None
        others.append(at)
        try:
            at = plan.send(each)
        except StopIteration:
            at = None
    assert others == whole[cut:]
    assert at is None


def names(protocol: Protocol, ends: dict[int, int]) -> list[tuple[int, int]]:
    """(index, cycle) of what is planned; the n-th (from 0) ends by `ends[n]`, others by their first end."""
    number = count()
    return [(each.index, each.cycle) for each in walked(walk(protocol), lambda _: ends.get(next(number), 0))]


def test_leaving_a_repeat_goes_on_after_it() -> None:
    protocol = Protocol("p", (Repeat(5, (rest(NEXT, "loop"),), "loop"), rest(NEXT)))
    assert names(protocol, {2: 1}) == [(1, 1), (1, 2), (1, 3), (2, 3)]


def test_leaving_a_group_inside_a_repeat_goes_on_with_the_repeat() -> None:
    protocol = Protocol("p", (Repeat(2, (Group((rest(NEXT, "g"), rest(NEXT)), name="g"), rest(NEXT))),))
    assert names(protocol, {0: 1}) == [(1, 1), (3, 1), (1, 2), (2, 2), (3, 2)]


def test_leaving_the_outer_of_two_repeats() -> None:
    inner = Repeat(3, (rest(NEXT, "outer"),), "inner")
    assert names(Protocol("p", (Repeat(3, (inner,), "outer"), rest(NEXT))), {3: 1}) == [
        (1, 1), (1, 2), (1, 3), (1, 4), (2, 4),
    ]  # fmt: skip


def test_stop_ends_everything() -> None:
    assert names(Protocol("p", (Repeat(5, (rest(NEXT, STOP),)), rest(NEXT))), {1: 1}) == [(1, 1), (1, 2)]


def test_only_the_innermost_repeat_counts_cycles() -> None:
    protocol = Protocol("p", (rest(NEXT), Repeat(2, (rest(NEXT), Repeat(2, (rest(NEXT),))))))
    assert names(protocol, {}) == [(1, 0), (2, 0), (3, 1), (3, 2), (2, 2), (3, 3), (3, 4)]


def test_an_insert_runs_in_its_passes_and_counts_none() -> None:
    body = (rest(NEXT), Insert((rest(NEXT),), every=2, at=(1,)))
    assert names(Protocol("p", (Repeat(4, body), rest(NEXT))), {}) == [
        (1, 1), (2, 1), (1, 2), (2, 2), (1, 3), (1, 4), (2, 4), (3, 4),
    ]  # fmt: skip


def test_common_ends_come_after_a_steps_own() -> None:
    inner, outer = End(TimeReached(1.0), "a"), End(TimeReached(2.0), "b")
    protocol = Protocol("p", (Group((Group((rest(NEXT),), (inner,), "a"),), (outer,), "b"),))
    (planned,) = walked(walk(protocol), lambda _: 0)
    assert ends_of(planned.step) == (*rest(NEXT).ends, inner, outer)
