"""Whatever is lost on the way, and in whatever order watermarks come, in the end all is stored."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hilcycler.telemetry.cursor import LONGEST_PATIENCE, Cursor


class Receiver:
    """The other end: keeps what arrives, and knows how far that is without gaps."""

    def __init__(self) -> None:
        self.rows: set[int] = set()

    def take(self, start: int, stop: int) -> None:
        self.rows.update(range(start, stop))

    @property
    def mark(self) -> int:
        return next(at for at in range(len(self.rows) + 1) if at not in self.rows)


@given(
    st.integers(0, 60),
    st.lists(
        st.tuples(
            st.sampled_from(["grow", "old", "new", "ack", "late", "wipe", "again", "wait"]), st.booleans()
        ),
        max_size=80,
    ),
)
def test_in_the_end_all_is_stored(there: int, course: list[tuple[str, bool]]) -> None:
    cursor, receiver, now, marks = Cursor(), Receiver(), 0.0, [0]
    cursor.begin(there)

    def old(*, lost: bool) -> None:
        start, stop = cursor.backfill
        if start < stop:
            end = min(stop, start + 3)
            if not lost:
                receiver.take(start, end)
            cursor.sent_old(end)

    def new(*, lost: bool) -> None:
        if cursor.new < there:
            if not lost:
                receiver.take(cursor.new, there)
            cursor.sent_new(there)

    for what, lost in course:
        now += 0.5
        match what:
            case "grow":
                there += 2
            case "old":
                old(lost=lost)
            case "new":
                new(lost=lost)
            case "ack" if not lost:
                marks.append(receiver.mark)
                cursor.ack(receiver.mark, there, now)
            case "late":
                cursor.ack(marks[len(marks) // 2], there, now)
            case "wipe":
                receiver.rows.clear()
            case "again":
                cursor.begin(there)
            case "wait":
                now += LONGEST_PATIENCE
        cursor.stalled(now)
    for _ in range(400):
        now += LONGEST_PATIENCE
        old(lost=False)
        new(lost=False)
        cursor.ack(receiver.mark, there, now)
        cursor.stalled(now)
    assert receiver.rows == set(range(there))
    assert cursor.done(there)


def test_without_watermarks_what_was_taken_counts_once() -> None:
    cursor = Cursor(proven=False)
    cursor.begin(10)
    cursor.sent_new(12)
    assert not cursor.done(12)
    cursor.sent_old(10)
    assert cursor.done(12)
    assert not cursor.stalled(1e9)


def test_while_backfill_waits_for_its_turn_nothing_is_sent_twice() -> None:
    """Other runs may be using the whole window; what is live cannot be covered until the backfill is."""
    cursor = Cursor()
    cursor.begin(1000)
    cursor.sent_new(1001)
    assert not any(cursor.stalled(now) for now in (0.0, 10.0, 100.0))
    cursor.sent_old(1000)
    assert not cursor.stalled(100.0)
    assert cursor.stalled(104.0)
    assert cursor.backfill == (0, 1000)
