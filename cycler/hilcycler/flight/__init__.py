"""The flight recorder: what went over the line to an instrument, with times, kept beside the run."""

from hilcycler.flight.in_words import in_words
from hilcycler.flight.recording import Flight
from hilcycler.flight.transcript import (
    About,
    Closed,
    Happening,
    Lost,
    Opened,
    Received,
    Refused,
    Sent,
    Transcript,
    flight_path,
    read_transcript,
    transcript_files,
)

__all__ = [
    "About",
    "Closed",
    "Flight",
    "Happening",
    "Lost",
    "Opened",
    "Received",
    "Refused",
    "Sent",
    "Transcript",
    "flight_path",
    "in_words",
    "read_transcript",
    "transcript_files",
]
