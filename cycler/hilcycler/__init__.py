"""Hardware-in-the-loop cycler control and acquisition for battery laboratories."""

__version__ = "0.1.0"
