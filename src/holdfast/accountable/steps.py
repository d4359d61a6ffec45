"""A decision from step to step, each noted before the next: record → publish → release; lift → record.

Whoever kills it at any moment leaves a draft that says where it stands; going on does no step twice that
cannot be done twice, and never appends a decision again. Not here: what may be decided (``decide``), where a
step is noted (``draft``), the log (``own_log``), how an edge is spoken to (the command line).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

from holdfast.accountable.draft import Draft, Step
from holdfast.accountable.drafts import Drafts
from holdfast.accountable.own_log import OwnLog
from holdfast.model.errors import HoldfastError, Mistake, error
from holdfast.model.record import BLOCK, GROUNDS, LIFT, stamp

DONE: Final = "done"
"""A step has been done and is not noted yet."""
NOTED: Final = "noted"

Watch = Callable[[str, Draft], None]
"""Told of ``DONE`` and ``NOTED``, and of the draft as it then is."""


class Edge(Protocol):
    """Where blocks are put in force. Each method raises HoldfastError when that is not certain to be so."""

    def enforce(self, draft: Draft) -> None:
        """Put a published block in force; once more where it is already."""

    def lift(self, identifier: str) -> None:
        """End a block, or see to it that it cannot come in force. Once more where it is lifted already."""

    def blocks(self) -> Mapping[str, bool]:
        """Those that it holds, by id: whether they are in force, or withheld because their proof fails."""


class Office:
    """Brings decisions from the step at which they stand to their last one."""

    def __init__(
        self,
        drafts: Drafts,
        log: OwnLog,
        edge: Edge,
        use_grounds: Callable[[bytes], None],
        clock: Callable[[], datetime],
        watch: Watch = lambda moment, draft: None,
    ) -> None:
        self._drafts = drafts
        self._log = log
        self._edge = edge
        self._use_grounds = use_grounds
        self._clock = clock
        self._watch = watch
        self._performs: dict[tuple[str, Step], Callable[[Draft], Draft]] = {
            (BLOCK, Step.DRAFTED): self._record,
            (BLOCK, Step.RECORDED): self._publish,
            (BLOCK, Step.PUBLISHED): self._release,
            (LIFT, Step.ASKED): self._lift,
            (LIFT, Step.LIFTED): self._record,
            (LIFT, Step.RECORDED): self._publish,
            (GROUNDS, Step.DRAFTED): self._record,
            (GROUNDS, Step.RECORDED): self._publish,
            (GROUNDS, Step.PUBLISHED): self._use,
        }

    def begin(self, draft: Draft) -> Draft:
        """A new decision, to its last step. Raises HoldfastError, which says where it stands and how to go
        on; nothing has been done where it could not even be drafted."""
        with self._drafts.held(draft.id):
            return self._begin(draft)

    def resume(self, kind: str, identifier: str) -> Draft:
        """A decision that stands somewhere, to its last step. Raises HoldfastError as ``begin``."""
        with self._drafts.held(identifier):
            draft = self._drafts.get(kind, identifier)
            if draft is None:
                raise error(
                    f"no {kind} {identifier!r} was decided here", "'holdfast blocks' lists them", "id"
                )
            if kind == BLOCK and (lift := self._drafts.get(LIFT, identifier)) is not None:
                remedy = "decide and record anew" if lift.is_over else go_on(lift)
                raise error(f"{identifier} was lifted", remedy, "id")
            if draft.step is Step.WITHDRAWN:
                raise error(f"{identifier} was withdrawn before it was recorded", "decide anew", "id")
            if kind == LIFT and draft.is_over and identifier in self._edge.blocks():
                self._edge.lift(identifier)  # it has forgotten: its database was put back from a backup
            if draft.step is Step.IN_FORCE and self._has_been_lost(draft):
                draft = replace(draft, step=Step.PUBLISHED)
            return self._carry_on(draft)

    def lift(self, lift: Draft) -> Draft:
        """End a block; what is pending of it is ended, too. One that was not even recorded is withdrawn, and
        returned as such. Raises HoldfastError as ``begin``."""
        with self._drafts.held(lift.id):
            former = self._drafts.get(LIFT, lift.id)
            if former is not None and not former.is_over:
                raise error(f"{lift.id} is being lifted", go_on(former), "id")
            if former is not None and lift.id in self._edge.blocks():
                raise error(f"{lift.id} was lifted, and is there again", go_on(former), "id")
            if former is not None:
                state = f"was lifted (entry {former.index})"
                raise error(f"{lift.id} {state}", "'holdfast blocks' lists the others", "id")
            block = self._drafts.get(BLOCK, lift.id)
            if block is None:
                if lift.id not in self._edge.blocks():
                    raise error(f"there is no block {lift.id!r}", "'holdfast blocks' lists them", "id")
                return self._begin(lift)
            if block.step is Step.WITHDRAWN:
                raise error(f"{lift.id} was withdrawn before it was recorded", "nothing is left to do", "id")
            if block.step is Step.IN_FORCE and self._is_over(block):
                raise error(f"{lift.id} has come to its end", "nothing is left to lift", "id")
            if block.step is Step.DRAFTED and self._log.find(block.entry, block.start) is None:
                withdrawn = replace(block, step=Step.WITHDRAWN)
                self._note(withdrawn)
                return withdrawn
            return self._begin(lift)

    def _begin(self, draft: Draft) -> Draft:
        try:
            start = self._log.end()
        except HoldfastError:
            if draft.kind != LIFT:
                raise
            start = 0  # a log that cannot be read keeps nobody blocked
        draft = replace(draft, start=start)
        self._note(draft)
        return self._carry_on(draft)

    def _carry_on(self, draft: Draft) -> Draft:
        while not draft.is_over:
            try:
                onward = self._performs[draft.kind, draft.step](draft)
                self._watch(DONE, onward)
                self._note(onward)
            except HoldfastError as wrong:
                raise HoldfastError(*wrong.mistakes, Mistake("", standing(draft), go_on(draft))) from wrong
            draft = onward
        return draft

    def _note(self, draft: Draft) -> None:
        self._drafts.put(draft)
        self._watch(NOTED, draft)

    def _record(self, draft: Draft) -> Draft:
        index = self._log.find(draft.entry, draft.start)
        if index is None:
            if draft.kind == BLOCK and self._is_over(draft):
                raise error("it would be over before it is recorded", f"holdfast unblock {draft.id} drops it")
            self._check_log()
            index = self._log.append(draft.entry, draft.private)
        return draft.onward(index=index)

    def _check_log(self) -> None:
        """Raises HoldfastError where the log has lost the last decision that this machine has published."""
        known = [each for each in self._drafts.all() if each.index is not None and each.proof]
        for each in sorted(known, key=_index, reverse=True):
            if self._log.check_holds(each.entry, _index(each), each.proof):
                return

    def _publish(self, draft: Draft) -> Draft:
        return draft.onward(proof=self._log.publish(draft.entry, _index(draft)))

    def _release(self, draft: Draft) -> Draft:
        if self._is_over(draft):
            raise error(
                "it came to its end before it was in force",
                f"put that on record: holdfast unblock {draft.id}",
            )
        self._edge.enforce(draft)
        return draft.onward()

    def _lift(self, draft: Draft) -> Draft:
        block = self._drafts.get(BLOCK, draft.id)
        # What edges do not list may have been released all the same, or be stored there: it must not come.
        is_open = block is not None and not self._is_over(block)
        if is_open or draft.id in self._edge.blocks():
            self._edge.lift(draft.id)
        return draft.onward()

    def _use(self, draft: Draft) -> Draft:
        if not any(self._is_later(other, draft) for other in self._drafts.all()):  # else that one stays
            self._use_grounds(draft.document.encode())
        return draft.onward()

    def _is_later(self, other: Draft, draft: Draft) -> bool:
        """Whether ``other`` is of grounds that are in use, and that this log has after those of ``draft``."""
        return (
            (other.kind, other.step) == (GROUNDS, Step.IN_USE)
            and _index(other) > _index(draft)
            and self._log.has_signed(other.entry, other.proof)
        )

    def _is_over(self, draft: Draft) -> bool:
        return is_over(draft, self._clock())

    def _has_been_lost(self, draft: Draft) -> bool:
        return not self._is_over(draft) and not self._edge.blocks().get(draft.id, False)


def pending(drafts: Iterable[Draft], in_force: Collection[str] | None, now: datetime) -> list[Draft]:
    """Decisions that somebody should go on with. ``in_force``: what edges say; blocks that were put in force
    and are no more, before their end, are among them. None: edges do not answer."""
    known = list(drafts)
    lifted = {each.id for each in known if each.kind == LIFT}
    found = []
    for each in known:
        if each.kind == LIFT and each.is_over:
            waits = each.id in (in_force or ())  # an edge has forgotten that it was lifted
        elif each.kind != BLOCK:
            waits = not each.is_over
        elif each.id in lifted or each.step is Step.WITHDRAWN or each.id in (in_force or ()):
            waits = False
        elif each.step is Step.IN_FORCE:
            waits = in_force is not None and not is_over(each, now)
        else:
            waits = True
        found += [each] if waits else []
    return found


def is_over(draft: Draft, now: datetime) -> bool:
    """Whether a block has come to its end."""
    return draft.enforcement is not None and draft.enforcement.until <= now


def standing(draft: Draft) -> str:
    """Where a decision stands, in words."""
    entry = f"entry {draft.index}"
    words = {
        (BLOCK, Step.DRAFTED): "neither recorded nor in force",
        (BLOCK, Step.RECORDED): f"recorded ({entry}), not published and not in force",
        (BLOCK, Step.PUBLISHED): f"on the public record ({entry}), and not in force",
        (BLOCK, Step.IN_FORCE): f"on the public record ({entry}), and no more in force here",
        (LIFT, Step.ASKED): "to be lifted, and may still be in force",
        (LIFT, Step.LIFTED): "lifted, and that is not recorded",
        (LIFT, Step.RECORDED): f"lifted, and that is recorded ({entry}) but not published",
        (LIFT, Step.PUBLISHED): f"lifted on the public record ({entry}), and in force here again",
        (GROUNDS, Step.DRAFTED): "not recorded",
        (GROUNDS, Step.RECORDED): f"recorded ({entry}), not published",
        (GROUNDS, Step.PUBLISHED): f"on the public record ({entry}), and not in use",
    }
    if draft.enforcement is not None:
        subject = f"the block of {draft.enforcement.scope} until {stamp(draft.enforcement.until)}"
    else:
        subject = f"the block {draft.id}" if draft.kind == LIFT else f"grounds {draft.id}"
    verb = "are" if draft.kind == GROUNDS else "is"
    return f"{subject} {verb} {words[draft.kind, draft.step]}"


def go_on(draft: Draft) -> str:
    """What to do next, in words; '' where nothing is left."""
    if draft.step in (Step.IN_USE, Step.WITHDRAWN):
        return ""
    command = {BLOCK: "block --resume", LIFT: "unblock --resume", GROUNDS: "grounds publish --resume"}
    return f"go on with: holdfast {command[draft.kind]} {draft.id}"


def _index(draft: Draft) -> int:
    if draft.index is None:
        raise error(f"{draft.id} has no entry", "put its file back from a backup", "index")
    return draft.index
