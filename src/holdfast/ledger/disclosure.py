"""Files that reveal private fields: value and salt of what an entry has only committed to. Pure.

One form for two uses: all fields of an entry, as its log keeps them, and those that an auditor is handed. Not
here: the commitments themselves, and checking against them (``entry``).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Sequence
from typing import Final

from holdfast.ledger.entry import Disclosure
from holdfast.ledger.errors import MalformedError, MissingError
from holdfast.ledger.note import decode_base64

FORMAT: Final = "holdfast-disclosure/1"


def encode_disclosures(disclosures: Sequence[Disclosure]) -> bytes:
    """As JSON; ``parse_disclosures`` is the inverse."""
    fields = [
        {"field": each.field, "value": each.value, "salt": base64.b64encode(each.salt).decode()}
        for each in disclosures
    ]
    return json.dumps({"format": FORMAT, "fields": fields}, indent=1).encode() + b"\n"


def parse_disclosures(data: bytes) -> tuple[Disclosure, ...]:
    """Raises MalformedError."""
    try:
        match json.loads(data):
            case {"format": str(form), "fields": list(fields)} if form == FORMAT:
                return tuple(map(_disclosure, fields))
    except (ValueError, RecursionError):
        pass
    raise MalformedError("this file reveals nothing", "take one that 'holdfast ledger reveal' wrote")


def choose(disclosures: Sequence[Disclosure], names: Collection[str]) -> tuple[Disclosure, ...]:
    """Those of some fields. Raises MissingError for a name that none has."""
    known = {each.field for each in disclosures}
    for name in names:
        if name not in known:
            raise MissingError(
                f"the entry has no private field {name!r}", f"it has {', '.join(sorted(known)) or 'none'}"
            )
    return tuple(each for each in disclosures if each.field in names)


def _disclosure(fields: object) -> Disclosure:
    match fields:
        case {"field": str(name), "value": str(value), "salt": str(salt)}:
            return Disclosure(name, value, decode_base64(salt, f"the salt of {name!r}"))
    raise MalformedError("this file reveals nothing that can be read", "ask for it again")
