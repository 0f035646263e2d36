"""The terminal view of a run: reads its journal, never touches the run."""
