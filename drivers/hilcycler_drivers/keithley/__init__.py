"""Keithley source-measure units: 2450, 2460 and 2461 (SCPI) and 2400 (its older dialect)."""

from hilcycler.channel import Driver
from hilcycler.links import SerialSettings
from hilcycler_drivers.keithley.driver import open_keithley
from hilcycler_drivers.keithley.in_words import KeithleyInWords
from hilcycler_drivers.keithley.wire.models import MODELS

driver = Driver(
    name="keithley",
    models=tuple(model.title for model in MODELS.values()),
    open=open_keithley,
    serial=SerialSettings(baud=9600),
    hardware="not tried on hardware; written from the vendor's manuals",
    in_words=KeithleyInWords,
    notes=(
        "reached over TCP (tcp://HOST:5025) or by a VISA resource name such as GPIB0::18::INSTR",
        "holds its set-point for ever if this computer dies",
    ),
)
