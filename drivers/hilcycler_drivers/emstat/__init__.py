"""EmStat4, MultiEmStat4 and Nexus potentiostats, which speak MethodSCRIPT."""

from hilcycler.channel import Driver
from hilcycler.links import SerialSettings
from hilcycler_drivers.emstat.driver import open_emstat
from hilcycler_drivers.emstat.in_words import EmStatInWords
from hilcycler_drivers.emstat.wire.devices import DEVICES

driver = Driver(
    name="emstat",
    models=tuple(device.name for device in DEVICES.values() if not device.refusal),
    open=open_emstat,
    serial=SerialSettings(baud=921600),
    hardware="not tried on hardware; written from the vendor's published grammar and examples",
    in_words=EmStatInWords,
    notes=(
        "USB devices ignore the baud rate; a Nexus is also reached as tcp://HOST:49152",
        "each channel of a MultiEmStat4 is a serial device of its own",
    ),
)
