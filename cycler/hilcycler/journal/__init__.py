"""The journal: one run, one file."""

from hilcycler.journal.journal import Journal, Settings
from hilcycler.journal.reading import News, Run, State, open_run
from hilcycler.journal.recovery import CutOff, ResumeState, resume_state
from hilcycler.journal.runs import new_run_id
from hilcycler.journal.sealing import seal
from hilcycler.journal.verification import Verdict, Verification, verify

__all__ = [
    "CutOff",
    "Journal",
    "News",
    "ResumeState",
    "Run",
    "Settings",
    "State",
    "Verdict",
    "Verification",
    "new_run_id",
    "open_run",
    "resume_state",
    "seal",
    "verify",
]
