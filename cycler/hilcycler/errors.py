"""One tree of errors: who is wrong, and what is now true of the cell.

A message says what was asked, what was answered and what was expected. Whoever catches one of
these at the top prints it as it is; a traceback is for faults in our own code.
"""

from __future__ import annotations


class CyclerError(Exception):
    """Anything this project raises on purpose."""


class RequestError(CyclerError):
    """The person or program that asked is wrong: a file, an option, a value (exit code 2)."""


class QuantityError(RequestError):
    """A text that is not a quantity of the expected kind."""


class StepRefused(RequestError):
    """This instrument cannot run this step; the message says which limit forbids it."""


class LinkError(CyclerError):
    """Bytes no longer travel."""


class LinkTimeout(LinkError):
    """Nothing, or not enough, came before the deadline. The session can no longer be trusted."""


class LinkLost(LinkError):
    """The other end is gone: unplugged, closed, reset."""


class WireError(CyclerError):
    """Bytes that are not this instrument's language."""


class InstrumentError(CyclerError):
    """The instrument answered, and the answer is an error.

    `code` is the instrument's own, as a number, when it gave one.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class WrongInstrument(InstrumentError):
    """Somebody else answers at this address, or a model that must not cycle a cell."""


class JournalError(CyclerError):
    """The run file cannot be written, read or trusted."""
