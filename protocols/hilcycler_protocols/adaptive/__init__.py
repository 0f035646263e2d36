"""Protocols that look at results before they decide: pure generators, restarted by replay."""
