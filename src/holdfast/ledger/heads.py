"""Whether the four things that say how long a log is belong together. Pure.

An entry is first in the journal, then in the tree whose checkpoint is remembered as signed, then in the
published one; the journal is begun anew only with what is published. So, at any moment and after any kill::

    journal's start ≤ published ≤ signed ≤ journal's end

Anything else was not left by this program: files are from different backups, or were changed. To go on would
be to lose entries or to sign two histories.
"""

from __future__ import annotations

from holdfast.ledger.checkpoint import Checkpoint
from holdfast.ledger.errors import InconsistentError

_TOGETHER = "restore the whole directory from one copy, not older than what others have seen of the log"


def check_heads(name: str, start: int, published: Checkpoint, signed: Checkpoint, end: int) -> None:
    """The log ``name``, and how many entries its parts speak of. Raises InconsistentError; nothing is to be
    changed then."""
    if published.size < start:
        problem = f"the checkpoint is of size {published.size}, and one of {start} was published before"
    elif published.size > signed.size:
        problem = f"the published checkpoint of size {published.size} is newer than the one signed last"
    elif published.size == signed.size and published.root != signed.root:
        problem = f"there are two checkpoints of size {signed.size}: the log was forked"
    elif signed.size > end:
        problem = f"a tree of {signed.size} entries was signed, and the journal ends at {end}: some are lost"
    else:
        return
    raise InconsistentError(f"in {name} {problem}", _TOGETHER)
