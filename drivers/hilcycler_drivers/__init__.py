"""Drivers: one folder an instrument family, each with its wire (pure codec), driver and README."""
