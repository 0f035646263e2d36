"""Exports for other people's tools."""
