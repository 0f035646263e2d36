"""A run file as messages, in pieces of bounded size: what the publisher sends and the check compares."""

from __future__ import annotations

import json
from array import array
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import groupby, islice, pairwise
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from hilcycler.export.table import type_of
from hilcycler.journal import Run, State, open_run
from hilcycler.journal.chain import Link
from hilcycler.quantities import ZERO_CELSIUS
from hilcycler.records import StepStarted, from_json
from hilcycler.telemetry import messages
from hilcycler.telemetry.allowed import Allowed, published
from hilcycler.telemetry.messages import MOST, Data, Events, Latest, Meta, Spectrum
from hilcycler.telemetry.topics import Place

PORTION: Final = 16_384
"""Rows read from the file at a time: less than 1 MB."""

NO_EVENTS: Final = 2**62
EVENTS: Final = 100
"""Events in one message: one of them may hold a whole protocol."""

Columns: TypeAlias = dict[str, NDArray[Any]]


class RunFeed:
    """The run in the file at `path`, seen from `place`. `refresh` looks how far it has come. JournalError."""

    def __init__(self, path: Path, site: str, bench: str, allow: frozenset[Allowed]) -> None:
        self._run: Run = open_run(path)
        self.path, self.allow = path, allow
        self.header = self._run.header
        self.place = Place(site, bench, self.header.channel or self.header.run)
        self.state = State.RUNNING
        self.outcome: str | None = None
        self._looked = 0  # events
        # By executed step, from 1: UTC where test time is zero, and the kind. A run may have millions.
        self._zeros, self._kinds = array("d", [0.0]), array("B", [0])
        self._types: list[str] = [""]
        self._step_id = 0
        self.refresh()

    @property
    def run(self) -> str:
        return self.header.run

    @property
    def rows(self) -> int:
        """As of the last `refresh`."""
        return self._run.rows

    @property
    def events(self) -> int:
        """As of the last `refresh`."""
        return self._run.event_count

    def refresh(self) -> None:
        """Look how far the run has come."""
        self._run.refresh()
        if self._looked < self._run.event_count:
            for link in self._links(self._looked, self._run.event_count):
                if link.kind == "step-started":
                    event = from_json(link.record)
                    assert isinstance(event, StepStarted)
                    self._step(event)
        self._looked = self._run.event_count
        self.state = self._run.state
        self.outcome = self._run.ended.outcome.value if self._run.ended else None

    def _step(self, event: StepStarted) -> None:
        kind = type_of(event.step)
        if kind not in self._types:
            self._types.append(kind)
        while len(self._zeros) <= event.step_count:
            self._zeros.append(self._zeros[-1])
            self._kinds.append(0)
        self._zeros[event.step_count] = round(event.stamp.utc - event.test_time, 6)
        self._kinds[event.step_count] = self._types.index(kind)
        self._step_id = event.step_index

    # --- as messages ------------------------------------------------------------------------

    def meta(self) -> Meta:
        """The birth of the run."""
        header = self.header
        (first,) = (json.loads(link.record) for link in self._links(0, 1))
        return Meta(
            run=self.run,
            site=self.place.site[:200],
            bench=self.place.bench[:200],
            channel=self.place.channel[:200],
            started_unix_second=header.stamp.utc,
            driver=header.instrument.driver[:200],
            model=header.instrument.model[:200],
            simulated=header.instrument.simulated,
            voltage=header.cell.voltage_label,
            area_square_metre=header.cell.area,
            protocol_sha256=header.protocol_sha256,
            planned_steps=header.planned_steps,
            versions=header.versions,
            allow=sorted(self.allow),
            header=published(first, self.allow),
        )

    def standing(self, alarm: str | None = None) -> messages.State:
        """Where the run stands."""
        count = self._last_step()
        return messages.State(
            run=self.run,
            state=self.state.value,
            step_count=count,
            step_id=self._step_id,
            step_type=self._types[self._kinds[count]],
            cycle_count=self._run.cycle,
            rows=self.rows,
            events=self.events,
            outcome=self.outcome,
            alarm=None if alarm is None else alarm[:200],
        )

    def latest(self, data: Data) -> Latest:
        """The last of these rows."""
        warmth = data.ambient_temperature_celsius
        return Latest(
            run=self.run,
            site=self.place.site[:200],
            bench=self.place.bench[:200],
            channel=self.place.channel[:200],
            state=self.state.value,
            step_type=data.step_type,
            step_id=data.step_id,
            step_count=data.step_count,
            cycle_count=data.cycle_count,
            unix_time_second=round(data.unix_time_zero_second + data.test_time_second[-1], 6),
            test_time_second=data.test_time_second[-1],
            voltage_volt=data.voltage_volt[-1],
            current_ampere=data.current_ampere[-1],
            ambient_temperature_celsius=None if warmth is None else warmth[-1],
        )

    def data(self, start: int, stop: int) -> Iterator[Data]:
        """Rows `start` to `stop` (excluded), not beyond those of the last `refresh`."""
        while start < stop:
            news = self._run.since(start, NO_EVENTS, most=min(stop - start, PORTION))
            if news.next_sequence == start:
                return
            yield from self._batches(news.columns, start)
            start = news.next_sequence

    def happenings(self, start: int, stop: int) -> Iterator[Events | Spectrum]:
        """Events `start` to `stop` (excluded): spectra as columns, the rest as it is."""
        if start >= stop:
            return
        with closing(self._links(start, stop)) as links:
            for (step, _), group in groupby(links, key=_belongs):
                for part in iter(lambda: list(islice(group, EVENTS if step is None else MOST)), []):  # noqa: B023
                    records = [json.loads(link.record) for link in part]
                    if step is None:
                        plain = [published(record, self.allow) for record in records]
                        yield Events(run=self.run, number=part[0].number, events=plain)
                    else:
                        yield self._spectrum(part[0].number, records)

    # --- within -----------------------------------------------------------------------------

    def _links(self, start: int, stop: int) -> Generator[Link]:
        """Never longer open than it is read: an open reader keeps the file from being sealed."""
        with closing(cast("Generator[Link]", self._run.links(start))) as links:
            for link in links:
                if link.number >= stop:
                    return
                yield link

    def _last_step(self) -> int:
        return min(len(self._zeros) - 1, max(self._run.step_count, len(self._zeros) - 1))

    def _batches(self, columns: Columns, sequence: int) -> Iterator[Data]:
        counts = columns["step_count"]
        edges = [0, *((counts[1:] != counts[:-1]).nonzero()[0] + 1).tolist(), len(counts)]
        for low, high in pairwise(edges):
            for start in range(low, high, MOST):
                part = slice(start, min(start + MOST, high))
                yield self._batch({name: column[part] for name, column in columns.items()}, sequence + start)

    def _batch(self, columns: Columns, sequence: int) -> Data:
        count = int(columns["step_count"][0])
        known = count if count < len(self._zeros) else 0
        warmth = columns.get("temperature")
        celsius = None if warmth is None or np.isnan(warmth).all() else to_celsius(warmth).tolist()
        return Data.model_construct(
            run=self.run,
            sequence=sequence,
            rows=len(columns["test_time"]),
            unix_time_zero_second=self._zeros[known],
            cycle_count=int(columns["cycle"][0]),
            step_count=count,
            step_id=int(columns["step_index"][0]),
            step_type=self._types[self._kinds[known]],
            test_time_second=columns["test_time"].tolist(),
            voltage_volt=columns["voltage"].tolist(),
            current_ampere=columns["current"].tolist(),
            ambient_temperature_celsius=celsius,
            current_range=_same(columns["range"]),
            status=_same(columns["status"]),
        )

    def _spectrum(self, number: int, points: list[dict[str, Any]]) -> Spectrum:
        count = int(points[0]["step_count"])
        return Spectrum(
            run=self.run,
            number=number,
            points=len(points),
            unix_time_zero_second=self._zeros[count if count < len(self._zeros) else 0],
            step_count=count,
            test_time_second=[point["test_time"] for point in points],
            frequency_hertz=[point["frequency"] for point in points],
            real_impedance_ohm=[point["real"] for point in points],
            imaginary_impedance_ohm=[point["imaginary"] for point in points],
            current_range=[point["current_range"] for point in points],
            voltage_range=[point["voltage_range"] for point in points],
            status=[point["status"] for point in points],
        )


def to_celsius(kelvin: NDArray[Any]) -> NDArray[np.float64]:
    """As the exports write it."""
    return np.round(kelvin.astype(np.float64) - ZERO_CELSIUS, 4)


def _same(column: NDArray[Any]) -> int | list[int]:
    """One number where it stands for all."""
    values: list[int] = column.tolist()
    return values[0] if (column == column[0]).all() else values


def _belongs(link: Link) -> tuple[int | None, str]:
    """Points of one spectrum belong together; all other events do."""
    if link.kind != "impedance-point":
        return None, ""
    return int(json.loads(link.record)["step_count"]), link.kind
