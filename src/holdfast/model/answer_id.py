"""The id that a refusal shows, so that whoever met it can ask for the reason: what refused, in which second.

- ``shop-20261127T120000-1.1795780400``: a mitigation;
- ``limit-rate.1795780400``: a client's limit; with ``shop-20261127T120000-1/`` before it, the stricter one
  that a mitigation sets;
- ``ceiling.1795780400``: too many requests without a clearance;
- ``challenge.1795780400``: the challenge's own pages, where nothing challenges any more.

Not here: what an id leads to (``edge.explain``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from holdfast.model.errors import error

CEILING: Final = "ceiling"
CHALLENGE: Final = "challenge"
FORMS: Final = (
    "ids look like shop-20261127T120000 (an attack), shop-20261127T120000-1 (a mitigation),"
    " shop-20261127T120000-1.1795780400 or limit-rate.1795780400 (an answer), 20261127-0a1b2c3d (a block)"
)
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._@-]{0,199}"
_ID: Final = re.compile(rf"{_NAME}(/{_NAME})?")
_ANSWER: Final = re.compile(rf"(?:(?P<by>{_NAME})/)?(?P<rule>{_NAME})\.(?P<at>[0-9]{{9,11}})")
_LIMIT: Final = re.compile(r"limit-([a-z_]+)")


@dataclass(frozen=True, slots=True)
class AnswerId:
    rule: str
    """The id of a mitigation, ``limit-`` and a reason, ``CEILING`` or ``CHALLENGE``."""
    at: int
    """When it was given, in seconds of unix time."""
    by: str = ""
    """The id of the mitigation that set the limit; '': it is the site's own."""

    def __str__(self) -> str:
        return f"{self.by}/{self.rule}.{self.at}" if self.by else f"{self.rule}.{self.at}"

    @property
    def limit(self) -> str:
        """The reason, where a limit refused; else ''. No mitigation's id is like it: they hold digits."""
        found = _LIMIT.fullmatch(self.rule)
        return found[1] if found else ""

    @property
    def mitigation(self) -> str:
        """The id of the mitigation that refused, or set the limit; '' where none did."""
        if self.by or self.limit or self.rule in (CEILING, CHALLENGE):
            return self.by
        return self.rule


def parse_id(text: str) -> str:
    """An id of any kind, as it was typed or copied. Raises HoldfastError for what can be none."""
    bare = text.strip().removeprefix("X-Holdfast-Id:").strip()
    if not _ID.fullmatch(bare):
        raise error(f"{text!r} is no id", FORMS, "id")
    return bare


def parse_answer_id(text: str) -> AnswerId | None:
    """The id of one answer; None for an id of another kind. The inverse of ``str``."""
    found = _ANSWER.fullmatch(text)
    return AnswerId(found["rule"], int(found["at"]), found["by"] or "") if found else None
