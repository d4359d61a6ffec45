"""What people ask of the records over the admin socket: which attacks there were, one of them whole, and what
an id leads to.

Not here: what a record holds (``shield.record``), how it is told (``attack_words``, ``explain``).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from holdfast.edge.admin_request import Nothing, Operations, Request
from holdfast.edge.agent import Edge
from holdfast.edge.dataplane.reasons import LIMITS
from holdfast.edge.explain import Explanation, explanation_document
from holdfast.edge.shield_status import attack_row
from holdfast.model.answer_id import CEILING, CHALLENGE, FORMS, AnswerId, parse_answer_id, parse_id
from holdfast.model.enforcement import dump_enforcement
from holdfast.model.errors import HoldfastError, error
from holdfast.shield.attack import Attack
from holdfast.shield.mitigation_record import MitigationRecord
from holdfast.shield.record import record_document

LAST: Final = "last"
MOST_NAMED: Final = 5
_REASONS: Final = frozenset(each.name.lower() for each in LIMITS)


class IdRequest(Request):
    id: str


class RecordAdmin:
    """For one edge."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self.operations: Operations = {
            "attacks": (Nothing, self._attacks),
            "attack": (IdRequest, self._attack),
            "explain": (IdRequest, self._explain),
        }

    async def _attacks(self, _: Nothing) -> object:
        return [asdict(attack_row(each)) for each in await self._edge.guard.archivist.attacks()]

    async def _attack(self, request: IdRequest) -> object:
        archivist = self._edge.guard.archivist
        identifier = await self._named(parse_id(request.id), await archivist.attacks())
        record = await archivist.attack(identifier)
        if record is None:
            raise error(
                f"the record of {identifier} cannot be read",
                "the agent's log says why; 'holdfast attacks --json' has its journal",
            )
        return record_document(record)

    async def _named(self, text: str, attacks: list[Attack]) -> str:
        """The id of the attack that is meant: 'last', an id, or how only one begins."""
        ids = [each.id for each in attacks]
        if text in ids:
            return text
        if text == LAST and ids:
            return ids[-1]
        found = [each for each in ids if each.startswith(text)]
        if len(found) == 1:
            return found[0]
        if found:
            named = ", ".join(found[-MOST_NAMED:])
            raise error(
                f"{len(found)} attacks begin with {text!r}", f"name one of them, such as {named}", "id"
            )
        if await self._mitigation(text) is not None:
            raise error(f"{text} is a mitigation", f"'holdfast explain {text}' tells of it", "id")
        raise error(
            f"there is no attack {text!r}", "'holdfast attacks' lists those of the last 30 days", "id"
        )

    async def _explain(self, request: IdRequest) -> object:
        identifier = parse_id(request.id)
        found = await self._plain(identifier)
        if found is None and (answer := parse_answer_id(identifier)) is not None:
            found = await self._answer(answer)
        if found is None:
            raise _unknown(identifier)
        return explanation_document(found)

    async def _plain(self, identifier: str) -> Explanation | None:
        """A block, an attack or a mitigation by its id alone."""
        block = self._edge.desired.enforcements.get(identifier)
        if block is not None:
            index = self._edge.releases.indices.get(identifier)
            told = {
                **dump_enforcement(block),
                "scope": str(block.scope),
                "status": block.status,
                "index": index,
            }
            return Explanation(identifier, "block", block=told)
        attack = await self._attack_of(identifier)
        if attack is not None:
            return Explanation(identifier, "attack", attack=attack)
        mitigation = await self._mitigation(identifier)
        if mitigation is not None:
            attack = await self._attack_of(mitigation.attack)
            return Explanation(identifier, "mitigation", mitigation=mitigation, attack=attack)
        return None

    async def _answer(self, answer: AnswerId) -> Explanation | None:
        if answer.limit and answer.limit not in _REASONS:
            return None
        mitigation = await self._mitigation(answer.mitigation)
        attack = await self._attack_of(mitigation.attack) if mitigation else None
        if answer.limit:
            kind = "limit"
        elif answer.rule in (CEILING, CHALLENGE):
            kind = answer.rule
        elif mitigation is not None:
            kind = "mitigation"
        else:
            return None
        return Explanation(str(answer), kind, answer.at, answer.limit, mitigation, attack)

    async def _mitigation(self, identifier: str) -> MitigationRecord | None:
        return await self._edge.guard.archivist.mitigation(identifier) if identifier else None

    async def _attack_of(self, identifier: str) -> Attack | None:
        if not identifier:
            return None
        attacks = await self._edge.guard.archivist.attacks()
        return next((each for each in attacks if each.id == identifier), None)


def _unknown(identifier: str) -> HoldfastError:
    return error(
        f"nothing is known of {identifier!r}",
        f"{FORMS}; records are kept for 30 days, blocks while they are in force",
        "id",
    )
