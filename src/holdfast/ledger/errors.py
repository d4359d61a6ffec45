"""What can be wrong with a log. Each error says what to do next; it becomes words only at the surfaces."""

from __future__ import annotations


class LedgerError(Exception):
    """Something that a person must hear about."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem = problem
        self.remedy = remedy


class MalformedError(LedgerError):
    """Bytes that are not what their format says."""


class UntrustedError(LedgerError):
    """A signature that is wrong, or missing."""


class InconsistentError(LedgerError):
    """A proof that fails, or two views of one log that contradict each other."""


class MissingError(LedgerError):
    """A resource that is not there."""


class StorageError(LedgerError):
    """A store that does not take what it is given, or is not ours."""
