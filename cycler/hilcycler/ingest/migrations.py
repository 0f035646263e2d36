"""The tables, as the steps that made them. A step that has been released is never changed: add another.

`sample` has no foreign key to `run`: it would be checked for each of many millions of rows, and only the
ingester writes here, which makes the run first. Times of rows are UTC by the bench's clock.
"""

from __future__ import annotations

from typing import Final

_TABLES: Final = """
CREATE TABLE run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site text NOT NULL,
    bench text NOT NULL,
    run text NOT NULL,
    channel text NOT NULL,
    started timestamptz,
    meta jsonb,
    state jsonb,
    acked_seq bigint NOT NULL DEFAULT 0,
    acked_event bigint NOT NULL DEFAULT 0,
    seen timestamptz NOT NULL DEFAULT now(),
    UNIQUE (site, bench, run)
);
CREATE TABLE sample (
    run_id bigint NOT NULL,
    seq bigint NOT NULL,
    time timestamptz NOT NULL,
    test_time_second float8 NOT NULL,
    voltage_volt float8 NOT NULL,
    current_ampere float8 NOT NULL,
    ambient_temperature_celsius float8,
    cycle_count int4 NOT NULL,
    step_count int4 NOT NULL,
    step_id int4 NOT NULL,
    current_range int2 NOT NULL,
    status int2 NOT NULL,
    PRIMARY KEY (run_id, seq)
);
CREATE INDEX sample_time ON sample USING brin (time);
CREATE TABLE impedance (
    run_id bigint NOT NULL,
    number bigint NOT NULL,
    time timestamptz NOT NULL,
    step_count int4 NOT NULL,
    test_time_second float8 NOT NULL,
    frequency_hertz float8 NOT NULL,
    real_impedance_ohm float8 NOT NULL,
    imaginary_impedance_ohm float8 NOT NULL,
    current_range int4 NOT NULL,
    voltage_range int4 NOT NULL,
    status int4 NOT NULL,
    PRIMARY KEY (run_id, number)
);
CREATE TABLE event (
    run_id bigint NOT NULL,
    number bigint NOT NULL,
    time timestamptz,
    kind text NOT NULL,
    record jsonb NOT NULL,
    PRIMARY KEY (run_id, number)
);
CREATE TABLE result (
    run_id bigint NOT NULL,
    number int4 NOT NULL,
    evaluation text NOT NULL,
    finding jsonb NOT NULL,
    PRIMARY KEY (run_id, number)
);
-- What is stored beyond a run's watermark: there is a gap before it.
CREATE TABLE ahead (
    run_id bigint NOT NULL,
    stream "char" NOT NULL,  -- s: samples, e: events
    start bigint NOT NULL,
    stop bigint NOT NULL,
    PRIMARY KEY (run_id, stream, start, stop)
);
"""

_VIEWS: Final = """
CREATE VIEW samples AS
SELECT run.site, run.bench, run.channel, run.run, sample.*
FROM sample JOIN run ON run.id = sample.run_id;

CREATE VIEW spectra AS
SELECT run.site, run.bench, run.channel, run.run, impedance.*
FROM impedance JOIN run ON run.id = impedance.run_id;

CREATE VIEW events AS
SELECT run.site, run.bench, run.channel, run.run, event.*
FROM event JOIN run ON run.id = event.run_id;

CREATE VIEW results AS
SELECT run.site, run.bench, run.channel, run.run, result.*
FROM result JOIN run ON run.id = result.run_id;

-- One line a step, from what the run said of it; charge in coulombs, positive charges the cell.
CREATE VIEW steps AS
SELECT begun.site, begun.bench, begun.channel, begun.run, begun.run_id,
    (begun.record->>'step_count')::int AS step_count,
    (begun.record->>'step_index')::int AS step_id,
    (begun.record->>'cycle')::int AS cycle_count,
    begun.record->'step'->>'kind' AS kind,
    begun.time AS started,
    ended.time AS ended,
    (ended.record->'result'->>'elapsed')::float8 AS elapsed,
    (ended.record->'result'->>'charge')::float8 AS charge,
    (ended.record->'result'->>'last_voltage')::float8 AS last_voltage,
    (ended.record->'result'->>'partial')::bool AS partial
FROM events AS begun
LEFT JOIN event AS ended ON ended.run_id = begun.run_id AND ended.kind = 'step-ended'
    AND ended.record->>'step_count' = begun.record->>'step_count'
WHERE begun.kind = 'step-started';

-- Runs that have begun and not ended, with their newest row.
CREATE VIEW running AS
SELECT run.site, run.bench, run.channel, run.run, run.id AS run_id, run.started,
    run.meta->>'model' AS model, newest.time, newest.test_time_second, newest.voltage_volt,
    newest.current_ampere, newest.ambient_temperature_celsius, newest.cycle_count, newest.step_count
FROM run
LEFT JOIN LATERAL (
    SELECT * FROM sample WHERE sample.run_id = run.id ORDER BY seq DESC LIMIT 1
) AS newest ON true
WHERE run.started IS NOT NULL
    AND NOT EXISTS (SELECT FROM event WHERE event.run_id = run.id AND event.kind = 'run-ended');
"""

MIGRATIONS: Final = (_TABLES, _VIEWS)
