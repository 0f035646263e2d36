"""The journal: one run, one file."""

from hilcycler.journal.damage import Damage
from hilcycler.journal.executed import ExecutedStep
from hilcycler.journal.journal import Journal, Settings
from hilcycler.journal.names import new_run_id, run_path, segments
from hilcycler.journal.reading import News, Run, State, open_run
from hilcycler.journal.recovery import CutOff, ResumeState, resume_state
from hilcycler.journal.runs import RunSummary, find_run, list_runs
from hilcycler.journal.salvage import Salvaged, salvage
from hilcycler.journal.sealing import seal
from hilcycler.journal.store import DiskPolicy
from hilcycler.journal.verification import Verdict, Verification, verify

__all__ = [
    "CutOff",
    "Damage",
    "DiskPolicy",
    "ExecutedStep",
    "Journal",
    "News",
    "ResumeState",
    "Run",
    "RunSummary",
    "Salvaged",
    "Settings",
    "State",
    "Verdict",
    "Verification",
    "find_run",
    "list_runs",
    "new_run_id",
    "open_run",
    "resume_state",
    "run_path",
    "salvage",
    "seal",
    "segments",
    "verify",
]
