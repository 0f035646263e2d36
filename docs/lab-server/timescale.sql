-- Optional, where the TimescaleDB extension is installed; once, before the first rows come. A hypertable's key
-- must hold its time; a row's time is the same each time it is sent, so rows stay once only.
CREATE EXTENSION IF NOT EXISTS timescaledb;
ALTER TABLE sample DROP CONSTRAINT sample_pkey;
ALTER TABLE sample ADD PRIMARY KEY (run_id, seq, time);
SELECT create_hypertable('sample', by_range('time', INTERVAL '7 days'), migrate_data => true);
ALTER TABLE sample SET (timescaledb.compress, timescaledb.compress_segmentby = 'run_id',
    timescaledb.compress_orderby = 'seq');
SELECT add_compression_policy('sample', INTERVAL '30 days');
