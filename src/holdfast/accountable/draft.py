"""A decision on its way: what it says, and the step at which it stands. Pure.

It holds what the public record only commits to, and is kept when all is done, for an auditor. Not here: its
place on disk (``drafts``), what a step does (``steps``).
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from holdfast.ledger.entry import Disclosure
from holdfast.ledger.errors import LedgerError
from holdfast.model.enforcement import Enforcement, dump_enforcement, load_enforcement
from holdfast.model.errors import HoldfastError, error
from holdfast.model.record import BLOCK, GROUNDS, LIFT

FORMAT: Final = "holdfast-decision/1"


class Step(StrEnum):
    """What has been done for certain; the next thing may have been done, too, and not noted."""

    DRAFTED = "drafted"
    RECORDED = "recorded"
    """Its entry is in the log, durably."""
    PUBLISHED = "published"
    """A checkpoint covers the entry, and its proof is at hand."""
    IN_FORCE = "in force"
    ASKED = "asked"
    LIFTED = "lifted"
    IN_USE = "in use"
    """Of grounds: they can be cited."""
    WITHDRAWN = "withdrawn"
    """Before it was recorded: it leaves no trace in public."""


COURSE: Final[dict[str, tuple[Step, ...]]] = {
    BLOCK: (Step.DRAFTED, Step.RECORDED, Step.PUBLISHED, Step.IN_FORCE),
    LIFT: (Step.ASKED, Step.LIFTED, Step.RECORDED, Step.PUBLISHED),
    GROUNDS: (Step.DRAFTED, Step.RECORDED, Step.PUBLISHED, Step.IN_USE),
}
"""By kind, the steps in their order: a block is recorded first, a lift last."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One decision. Frozen: each step makes another one of it."""

    kind: str
    """``model.record``'s BLOCK, LIFT or GROUNDS."""
    id: str
    """Of the block, also for its lift; of grounds, their own."""
    step: Step
    entry: bytes
    """As it is, or will be, in the log: the same bytes after every interruption."""
    start: int
    """How many entries the log had before: this one is nowhere among them."""
    private: tuple[Disclosure, ...]
    """What the entry commits to."""
    document: str = ""
    """What is published beside the record: the statement of a block, the grounds file itself."""
    enforcement: Enforcement | None = None
    """Of a block: what edges are given."""
    index: int | None = None
    """Of the entry in the log, once it is there."""
    proof: str = ""
    """That it is there, as a ``.tlog-proof`` file, once that is published."""

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return self.step in (COURSE[self.kind][-1], Step.WITHDRAWN)

    def onward(self, **learned: Any) -> Draft:
        """The same, one step on, with what was learned by it."""
        course = COURSE[self.kind]
        return replace(self, step=course[course.index(self.step) + 1], **learned)


def dump_draft(draft: Draft) -> bytes:
    """As JSON; ``load_draft`` is the inverse."""
    document = {
        "format": FORMAT,
        "kind": draft.kind,
        "id": draft.id,
        "step": draft.step,
        "entry": draft.entry.decode(),
        "start": draft.start,
        "private": [
            {"field": each.field, "value": each.value, "salt": base64.b64encode(each.salt).decode()}
            for each in draft.private
        ],
        "document": draft.document,
        "enforcement": dump_enforcement(draft.enforcement) if draft.enforcement else None,
        "index": draft.index,
        "proof": draft.proof,
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def load_draft(data: bytes, place: str = "") -> Draft:
    """The inverse of ``dump_draft``; raises HoldfastError for anything else."""
    try:
        fields = json.loads(data)
        if fields.pop("format") != FORMAT or fields["kind"] not in COURSE:
            raise ValueError("it is of another format")
        for name, kinds in _SHAPE.items():
            if type(fields[name]) not in kinds:
                raise ValueError(f"{name} is {fields[name]!r}")
        return Draft(
            **{
                **fields,
                "step": Step(fields["step"]),
                "entry": fields["entry"].encode(),
                "private": tuple(map(_disclosure, fields["private"])),
                "enforcement": load_enforcement(fields["enforcement"]) if fields["enforcement"] else None,
            }
        )
    except (ValueError, KeyError, TypeError, AttributeError, HoldfastError, LedgerError) as wrong:
        raise error(f"this is not a decision's file ({wrong})", "put it back from a backup", place) from wrong


_SHAPE: Final[dict[str, tuple[type, ...]]] = {
    **dict.fromkeys(("id", "entry", "document", "proof"), (str,)),
    "start": (int,),
    "index": (int, type(None)),
    "private": (list,),
    "enforcement": (dict, type(None)),
}


def _disclosure(fields: dict[str, str]) -> Disclosure:
    made = Disclosure(fields["field"], fields["value"], base64.b64decode(fields["salt"], validate=True))
    made.commitment()  # raises where it is none
    return made
