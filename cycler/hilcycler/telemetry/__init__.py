"""Telemetry: what the runs of a bench look like to the lab, told by MQTT from their journals."""
