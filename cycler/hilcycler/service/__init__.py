"""Composition: everything that a run needs, put together and taken apart in reverse order."""
