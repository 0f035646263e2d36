"""What a run is at, as its records tell it: for whoever looks, never for deciding."""

from __future__ import annotations

from hilcycler.quantities import Ampere, Second, Volt
from hilcycler.records import Failed, Gap, Note, Record, RunStarted, SampleBlock, StepStarted, Tripped


class Now:
    """A sink that keeps the latest of everything."""

    def __init__(
        self,
        header: RunStarted | None = None,
        step: StepStarted | None = None,
        test_time: Second = 0.0,
    ) -> None:
        self.header, self.step, self.test_time = header, step, test_time
        self.voltage: Volt | None = None
        self.current: Ampere | None = None
        self.cycle = 0 if step is None else step.cycle
        self.rows = 0
        self.gaps = 0
        self.remark = ""

    def put(self, record: Record) -> None:
        """See Sink."""
        match record:
            case SampleBlock():
                columns = record.columns
                self.test_time = float(columns["test_time"][-1])
                self.voltage, self.current = float(columns["voltage"][-1]), float(columns["current"][-1])
                self.rows, self.cycle = record.sequence + len(record), record.cycle
            case StepStarted():
                self.step, self.cycle = record, record.cycle
            case RunStarted():
                self.header = record
            case Gap():
                self.gaps += 1
            case Tripped():
                self.remark = f"safety limit: {record.violation}"
            case Failed():
                self.remark = record.message
            case Note():
                self.remark = record.text
            case _:
                pass

    async def commit(self) -> None:
        """See Sink; this one promises nothing."""
