"""What an id leads to, as plain data that crosses the admin socket, and in words: the rule, its reason, who
made it, when it was in force, and what can be done now. Pure.

Not here: how an id is looked up (``record_admin``), the whole story of an attack (``attack_words``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from holdfast.edge.dataplane.rules.shield import CEILING, CEILING_SECONDS
from holdfast.edge.dataplane.verdicts import STRICT_LIMIT
from holdfast.edge.words import filled, harm_of, lasted, moment
from holdfast.model.mitigation import AUTOMATIC
from holdfast.shield.attack import Attack, attack_document, read_attack
from holdfast.shield.mitigation_record import (
    MitigationRecord,
    is_switch,
    mitigation_record_document,
    read_mitigation_record,
)

DOES: Final = {
    "observe": "it is counted, and no more",
    "limit": "each client gets two such requests a second; beyond that 429",
    "challenge": "a browser passes a page by itself, once an hour; programs are refused (403)",
    "deny": "refused (403)",
    "drop": "no answer, and no connection for a minute from sources that send nothing else",
}
LIMITS: Final = {
    "rate": "more requests a second than one client of the site may send (requests_per_second, burst)",
    "at_once": "more requests at the same time than one client may have (requests_at_once), or more than its"
    " share while the site is busy",
    "bytes": "more bytes a second than one client may take (bytes_per_second)",
    "body": "a longer body than the site takes (body_bytes)",
    "queue": "the queue for the site's origin was full (queue); the client itself was within its limits",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    id: str
    kind: str
    """mitigation, limit, ceiling, challenge, attack or block."""
    at: int | None = None
    """When the answer was given, unix time; None: it is no answer's id."""
    limit: str = ""
    """Which limit, by its reason."""
    mitigation: MitigationRecord | None = None
    """Which made it; of a limit: which set it, where one did."""
    attack: Attack | None = None
    """To which it belongs."""
    block: Mapping[str, Any] | None = None


def explanation_document(made: Explanation) -> dict[str, Any]:
    """As JSON can hold it."""
    return {
        "id": made.id,
        "kind": made.kind,
        "at": made.at,
        "limit": made.limit,
        "mitigation": None if made.mitigation is None else mitigation_record_document(made.mitigation),
        "attack": None if made.attack is None else attack_document(made.attack),
        "block": None if made.block is None else dict(made.block),
    }


def read_explanation(document: Mapping[str, Any]) -> Explanation:
    """The inverse. Raises KeyError, TypeError or ValueError."""
    mitigation, attack = document["mitigation"], document["attack"]
    return Explanation(
        id=document["id"],
        kind=document["kind"],
        at=document["at"],
        limit=document["limit"],
        mitigation=None if mitigation is None else read_mitigation_record(mitigation),
        attack=None if attack is None else read_attack(attack),
        block=document["block"],
    )


def explanation_as_text(made: Explanation) -> str:
    lines = [made.id]
    for name, text in _facts(made):
        lines += filled(f"{name}:", text, indent=2, hang=14)
    lines.append("  What can be done now:")
    for text in _remedies(made):
        lines += filled("-", text, indent=4, hang=6)
    return "\n".join(lines)


def _facts(made: Explanation) -> Iterator[tuple[str, str]]:
    if made.at is not None:
        yield "answer", f"given at {moment(made.at)}"
    if made.kind == "block":
        yield from _of_block(made.block or {})
    elif made.kind == "limit":
        yield from _of_limit(made)
    elif made.kind == "ceiling":
        yield (
            "rule",
            "a client without a clearance may send"
            f" {CEILING} requests in {CEILING_SECONDS} s to sites that challenge it; beyond that 429",
        )
    elif made.kind == "challenge":
        yield (
            "rule",
            "a page of the challenge was asked for, and nothing challenges there any more, or what was shown"
            " was too old or not genuine",
        )
    if made.mitigation is not None:
        yield from _of_mitigation(made.mitigation, made.at, is_limit=made.kind == "limit")
    if made.attack is not None:
        yield from _of_attack(made.attack, is_whole=made.kind == "attack")


def _of_block(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    demand = f"; on demand of {block['authority']}" if block["authority"] else ""
    yield "what", f"a block of {block['scope']}, answered {block['status']}{demand}"
    yield "reason", str(block["ground"])
    yield "by", str(block["by"])
    yield "in force", f"since {_iso(block['since'])}, until {_iso(block['until'])}"
    if block.get("index") is not None:
        yield "record", f"entry {block['index']} of the public log"


def _iso(text: str) -> str:
    return f"{text[:10]} {text[11:19]} UTC"


def _of_limit(made: Explanation) -> Iterator[tuple[str, str]]:
    yield "rule", LIMITS[made.limit]
    if made.mitigation is not None and made.limit in ("rate", "at_once"):
        interval, tolerance, at_once = map(int, STRICT_LIMIT.split(":"))
        yield (
            "numbers",
            f"under the mitigation {1_000_000 // interval} such requests a second,"
            f" {1 + tolerance // interval} at once after a pause, {at_once} at the same time",
        )
    else:
        yield "numbers", "those of the site under [sites.limits]; the id does not say which site it was"


def _of_mitigation(record: MitigationRecord, at: int | None, *, is_limit: bool) -> Iterator[tuple[str, str]]:
    step = record.at(at) if at is not None else record.steps[-1]
    if at is not None and step is None:
        yield "note", "by its record it was not in force in that second: HAProxy ends it by its own clock"
    if step is None or step.action not in DOES:
        step = next(each for each in reversed(record.steps) if each.action in DOES)
    yield "mitigation", f"{record.id}, at the site {record.site}"
    yield "matches", record.matches
    if not is_limit:
        yield "does", f"{step.action}: {DOES[step.action]}"
    yield "reason", record.reason
    if step is not record.steps[0]:
        yield "step", f"{step.action} since {moment(step.at)}: {step.reason}"
    yield "made by", _author(record)
    end = f"withdrawn {moment(record.ended)}: {record.steps[-1].reason}" if record.ended is not None else ""
    until = "it is renewed while it is needed" if _renews(record) else f"until {moment(record.until)}"
    yield "in force", f"since {moment(record.began)}; {end or until}"
    yield "harm", harm_of(record)
    for each in record.evidence[:3]:
        yield "such as", each


def _renews(record: MitigationRecord) -> bool:
    return is_switch(record) or not record.pinned


def _author(record: MitigationRecord) -> str:
    if is_switch(record):
        return "the site's owner, by the switch 'under attack'"
    return "the shield, by itself" if record.author == AUTOMATIC else record.author


def _of_attack(attack: Attack, *, is_whole: bool) -> Iterator[tuple[str, str]]:
    name = "what" if is_whole else "attack"
    when = (
        f"since {moment(attack.began)}, and it goes on"
        if attack.ended is None
        else f"{moment(attack.began)}, for {lasted(attack.ended - attack.began)}"
    )
    yield name, f"{'an attack' if is_whole else attack.id} on {attack.site}, {when}"
    yield (
        "peak",
        f"{attack.peak:,.0f} requests/s, usually {attack.usual:,.0f};"
        f" {attack.touched:,.0f} requests were kept away",
    )
    if is_whole:
        yield "confirmed", attack.why


def _remedies(made: Explanation) -> Iterator[str]:
    record = made.mitigation
    if made.kind == "block":
        yield f"lift it: holdfast unblock {made.id} --by 'NAME, ROLE' --reason TEXT"
        return
    if made.kind == "attack":
        yield f"the whole story, with a plot: holdfast attack show {made.id}"
        return
    if record is not None:
        yield from _undo(record)
        yield (
            f"spare a partner for good: put its network on the allow list of {record.site} (allow), then"
            " 'holdfast edge apply'"
        )
    elif made.kind == "limit":
        yield "which sites refused so: holdfast status"
        yield (
            "raise the limit under [sites.limits], or put a partner's network on the site's allow list"
            " (allow), then 'holdfast edge apply'"
        )
        yield "what limits there are, and why: docs/explain/limits.md"
    else:
        yield "a person passes the challenge once, with or without JavaScript, and is let in for an hour"
        yield (
            "let a program in: put its network on the site's allow list (allow), then 'holdfast edge apply'"
        )
    if record is not None and record.attack:
        yield f"see what it was against: holdfast attack show {record.attack}"


def _undo(record: MitigationRecord) -> Iterator[str]:
    if record.ended is not None:
        yield "nothing has to be undone: it is not in force any more"
    elif is_switch(record):
        yield f"turn it off: holdfast under-attack {record.site} off"
    else:
        yield f"withdraw it: holdfast mitigation undo {record.id}"
        if record.author == AUTOMATIC or record.attack:
            yield f"never use the same again at this site: holdfast mitigation forbid {record.id}"
            yield f"keep it whatever comes: holdfast mitigation pin {record.id} --for 2h"
