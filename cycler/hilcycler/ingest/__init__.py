"""The lab's end of telemetry: from MQTT into PostgreSQL, each row exactly once."""
